"""Names of signs beside labels that are numbers."""

import json
import pickle

import numpy as np
import pytest
from bodies import signer
from kinds import CLIP, imported

NAMES = ["book", "drink", "house"]
# name of the file: its content, and the glosses that come of labels 0, 2 and 0
CASES = {
    "classes.npy": (np.array(NAMES), True),
    "label_map.json": (json.dumps({name: number for number, name in enumerate(NAMES)}), True),
    "id_to_gloss.json": (json.dumps(dict(enumerate(NAMES))), True),
    "glosses.json": (json.dumps(NAMES), True),
    "labels.txt": ("book\ndrink\nhouse\n", True),
    "class_list.txt": ("0\tbook\n1\tdrink\n2\thouse\n", True),
    "actions.npy": (np.array(NAMES), True),
    "sign_map.pkl": (pickle.dumps({name: number for number, name in enumerate(NAMES)}), True),
    "SignList.csv": ("ClassId,Name\n0,book\n1,drink\n2,house\n", True),
    "label_index.json": (
        json.dumps([{"id": n, "name": name} for n, name in enumerate(NAMES)]),
        True,
    ),
    "gloss2id.json": (json.dumps({"to_name": dict(enumerate(NAMES)), "frames": {"0": 8}}), True),
    "words.txt": ("book, 0\ndrink, 1\nhouse, 2\n", True),
    # A list of something else, a name twice, a number without a name, numbers alone, a damaged file.
    "video_ids.txt": ("a\nb\nc\nd\n", False),
    "signs.json": (json.dumps({"0": "book", "2": "book"}), False),
    "gloss_map.json": (json.dumps({"0": "book", "1": "drink"}), False),
    "label_counts.json": (json.dumps({"0": 2, "2": 1}), False),
    "classes.json": ("{", False),
    "sign_info.json": (
        json.dumps([{"id": 0, "name": "book", "n": 3}, {"id": 2, "name": "house", "n": 3}]),
        False,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_names_beside_numbers_are_the_glosses(name, tmp_path, capsys):
    content, known = CASES[name]
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in/X.npy", np.stack([CLIP, signer(8, 1), signer(8, 2)]))
    np.save(tmp_path / "in/y.npy", [0, 2, 0])
    if isinstance(content, bytes):
        (tmp_path / "in" / name).write_bytes(content)
    elif isinstance(content, str):
        (tmp_path / "in" / name).write_text(content)
    else:
        np.save(tmp_path / "in" / name, content)
    store = imported(tmp_path / "in", tmp_path / "out", on_bad="drop")
    expected = [NAMES[0], NAMES[2], NAMES[0]] if known else ["0", "2", "0"]
    assert store.clips["gloss"].tolist() == expected


def test_names_that_do_not_fit_are_said_and_not_used(tmp_path):
    np.save(tmp_path / "X.npy", np.stack([CLIP, signer(8, 1)]))
    np.save(tmp_path / "y.npy", [4, 5])
    (tmp_path / "label_map.json").write_text(json.dumps({"book": 0, "drink": 1}))
    said = []
    store = imported(tmp_path, tmp_path / "out", on_bad="drop", said=said)
    assert store.clips["gloss"].tolist() == ["4", "5"]
    assert any(
        "labels are numbers, 4 to 5, and label_map.json has no name for each" in line
        for line in said
    )


@pytest.mark.parametrize("place", ["table", "folders", "set within"])
def test_names_are_taken_for_numbers_of_a_table_and_of_folders(tmp_path, place):
    for number, clip in enumerate((CLIP, signer(8, 1))):
        folder = tmp_path / (str(number) if place == "folders" else "")
        folder.mkdir(exist_ok=True)
        if place != "set within":
            np.save(folder / f"c{number}.npy", clip)
    if place == "table":
        (tmp_path / "labels.csv").write_text("file,label\nc0.npy,0\nc1.npy,1\n")
    within = tmp_path / ("data" if place == "set within" else "")
    within.mkdir(exist_ok=True)
    if place == "set within":
        np.save(within / "X.npy", np.stack([CLIP, signer(8, 1)]))
        np.save(within / "y.npy", [0, 1])
    np.save(within / "classes.npy", np.array(["book", "drink"]))
    said = []
    store = imported(tmp_path, tmp_path / "out", said=said)
    assert store.clips["gloss"].tolist() == ["book", "drink"]
    assert any("glosses are the names in" in line for line in said)
    assert store.card["dropped"]["by_reason"] == {}


def test_two_lists_of_names_that_differ_name_nothing(tmp_path):
    np.save(tmp_path / "X.npy", np.stack([CLIP, signer(8, 1)]))
    np.save(tmp_path / "y.npy", [0, 1])
    (tmp_path / "classes.txt").write_text("book\ndrink\n")
    (tmp_path / "labels.txt").write_text("buch\ntrinken\n")
    assert imported(tmp_path, tmp_path / "out").clips["gloss"].tolist() == ["0", "1"]
