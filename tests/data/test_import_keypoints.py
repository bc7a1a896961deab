"""Importing keypoints: both forms come out as they went in; every fault is a sentence."""

import os

import numpy as np
import pandas as pd
import pytest

from sslslr.data.datasets import build
from sslslr.data.readers.npz import NpzClips
from sslslr.data.store import ClipStore
from sslslr.utils.errors import UserError
from sslslr.utils.tables import read_table


def imports(
    folder, out, table=None, say=lambda line: None, on_bad="error", min_frames=2, **options
):
    """What `sslslr data import` does."""
    options = {"folder": str(folder), **({"table": str(table)} if table else {}), **options}
    build("mine", "local", options, out, say=say, on_bad=on_bad, min_frames=min_frames)


LENGTHS = (3, 5, 2, 7)
IDS = ("007", "b", "c", "d")


def arrays(joints=75, coordinates=2):
    rng = np.random.default_rng(0)
    return {
        "xy": rng.random((sum(LENGTHS), joints, coordinates)).astype(np.float16),
        "offsets": np.concatenate([[0], np.cumsum(LENGTHS)]),
        "clip_id": np.array(IDS),
    }


def table():
    return pd.DataFrame(
        {
            "clip_id": IDS,
            "gloss": ["none", "NA", "hello", "hello"],  # words that pandas would take for missing
            "signer": ["s1", "s1", "s2", ""],
            "split": ["train", "dev", "test", ""],
            "fps": ["25", "", "30", "29.97"],
        }
    )


def write(folder, data=None, rows=None, compressed=True):
    folder.mkdir(exist_ok=True)
    save = np.savez_compressed if compressed else np.savez
    save(folder / "clips.npz", **(arrays() if data is None else data))
    (table() if rows is None else rows).to_csv(folder / "instances.csv", index=False)
    return folder


@pytest.mark.parametrize("joints", [75, 42])
def test_npz_round_trip(tmp_path, joints):
    data = arrays(joints)
    said = []
    imports(write(tmp_path / "in", data), tmp_path / "s", language="ase", say=said.append)
    store = ClipStore.open(tmp_path / "s")
    assert store.clips["clip_id"].tolist() == list(IDS)
    assert store.clips["gloss"].tolist() == ["none", "NA", "hello", "hello"]
    assert store.clips["split"].fillna("-").tolist() == ["train", "val", "test", "-"]
    assert store.clips["signer"].fillna("-").tolist() == ["s1", "s1", "s2", "-"]
    assert store.clips["fps"].fillna(0).tolist() == [25, 0, 30, 29.97]
    assert set(store.clips["language"]) == {"ase"}
    for i in range(len(store)):
        expected = data["xy"][data["offsets"][i] : data["offsets"][i + 1]]
        np.testing.assert_array_equal(store.frames(i)[:, :joints], expected)
    assert set(store.card["inputs"]) == {"clips.npz", "instances.csv"}
    assert "not stated" in store.card["licence"]
    assert any("4 clips written" in line for line in said)


def test_column_names_are_found(tmp_path):
    names = {"gloss": "label", "signer": "person", "split": "subset", "clip_id": "id"}
    imports(write(tmp_path / "in", rows=table().rename(columns=names)), tmp_path / "s")
    store = ClipStore.open(tmp_path / "s")
    assert store.clips["gloss"].tolist() == table()["gloss"].tolist()
    assert store.clips["signer"][0] == "s1"


def test_a_third_coordinate_is_dropped_and_said(tmp_path):
    said, data = [], arrays(75, 3)
    data["xy"][..., 2] -= 0.5  # else it would be a confidence
    imports(write(tmp_path / "in", data), tmp_path / "s", say=said.append)
    assert "third coordinate" in " ".join(said)
    assert ClipStore.open(tmp_path / "s").card["conversion"]["depth"] == 4


def test_clips_can_be_chosen(tmp_path):
    clips = NpzClips(write(tmp_path / "in") / "clips.npz")
    chosen = np.array([False, True, False, True])
    assert [len(frames) for frames in clips.read(chosen)] == [5, 7]
    np.testing.assert_array_equal(list(clips.read(chosen))[1], arrays()["xy"][10:])


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("keep", [0, 30, 0.3, 0.9, 0.999])
def test_a_cut_npz_is_a_sentence(tmp_path, keep, compressed):
    folder = write(tmp_path / "in", compressed=compressed)
    data = (folder / "clips.npz").read_bytes()
    size = keep if isinstance(keep, int) else int(len(data) * keep)
    (folder / "clips.npz").write_bytes(data[:size])
    with pytest.raises(UserError, match=r"clips\.npz: .*cut short or damaged"):
        imports(folder, tmp_path / "s")
    assert os.listdir(tmp_path) == ["in"]


def test_absent_and_unreadable_tables(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UserError, match="cannot be read as a csv"):
        read_table(tmp_path / "empty.csv")
    with pytest.raises(UserError, match="holds no keypoints that are known"):
        imports(tmp_path, tmp_path / "s")


def test_columns_without_a_meaning_are_named(tmp_path):
    said = []
    rows = table().assign(mood="glad", width="1920", height="1080")
    imports(write(tmp_path / "in", rows=rows), tmp_path / "s", say=said.append)
    assert "mine: Columns of instances.csv that are not used: mood." in said
    assert ClipStore.open(tmp_path / "s").clips["aspect"].tolist() == pytest.approx([16 / 9] * 4)


def test_zeros_are_missing_joints_unless_they_are_said_not_to_be(tmp_path):
    """Many tools write 0, 0 for a joint that was not found; it would be drawn into the corner."""
    data, said = arrays(), []
    data["xy"][:, :21] = 0
    imports(write(tmp_path / "b", data), tmp_path / "s", say=said.append)
    assert "mine: 357 joints at exactly (0, 0) count as missing." in said
    assert np.isnan(ClipStore.open(tmp_path / "s").frames(0)[:, :21]).all()
    imports(tmp_path / "b", tmp_path / "s", say=said.append, missing="nan")
    assert "mine: 28.0 % of the joints lie at exactly (0, 0)" in said[-1]
    assert (ClipStore.open(tmp_path / "s").frames(0)[:, :21] == 0).all()


def test_clips_in_another_order_than_their_table(tmp_path):
    folder = write(tmp_path / "in", rows=table()[::-1][1:])
    imports(folder, tmp_path / "s", on_bad="drop")
    store = ClipStore.open(tmp_path / "s")
    assert store.clips["clip_id"].tolist() == list(IDS[:3])
    np.testing.assert_array_equal(store.frames(1), arrays()["xy"][3:8])
    assert store.card["dropped"]["by_reason"] == {"no row in instances.csv": 1}


def test_bad_clips_are_errors_or_dropped_with_reasons(tmp_path):
    data = arrays()
    data["xy"][3:8] = np.nan  # clip b
    rows = table()
    rows.loc[2, "gloss"] = ""  # clip c
    folder = write(tmp_path / "in", data, rows)
    with pytest.raises(UserError, match=r"clip 'b': every joint is missing"):
        imports(folder, tmp_path / "s")
    imports(folder, tmp_path / "s", on_bad="drop", min_frames=4)
    store = ClipStore.open(tmp_path / "s")
    assert store.clips["clip_id"].tolist() == ["d"]
    reasons = {drop["clip_id"]: drop["reason"] for drop in store.card["dropped"]["clips"]}
    assert reasons["007"] == "only 3 frames; a clip needs at least 4"
    assert reasons["b"].startswith("every joint is missing")
    assert reasons["c"] == "no gloss"


# A folder of .npy files.


def write_npy(folder, coordinates=2, **extra):
    (folder / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    clips = {f"sub/{name}.npy": rng.random((4, 75, coordinates)) for name in ("x", "y")}
    for clip in clips.values():
        clip[..., 2:] -= 0.5  # a depth
    for file, clip in {**clips, **extra}.items():
        np.save(folder / file, clip)
    rows = pd.DataFrame({"file": list(clips), "gloss": ["a", "b"]})
    rows.to_csv(folder / "labels.csv", index=False)
    return clips


@pytest.mark.parametrize("coordinates", [2, 3])
def test_npy_round_trip(tmp_path, coordinates):
    said = []
    clips = write_npy(tmp_path / "in", coordinates)
    imports(tmp_path / "in", tmp_path / "s", say=said.append)
    store = ClipStore.open(tmp_path / "s")
    assert store.clips["clip_id"].tolist() == ["sub/x", "sub/y"]
    assert store.clips["source"].tolist() == ["sub/x.npy", "sub/y.npy"]
    for i, clip in enumerate(clips.values()):
        np.testing.assert_array_equal(store.frames(i), clip[..., :2].astype(np.float16))
    assert ("third coordinate" in " ".join(said)) == (coordinates == 3)


def test_npy_by_clip_id_and_files_without_a_row(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("x", "y"):
        np.save(folder / f"{name}.npy", np.full((3, 42, 2), 0.5, "f4"))
    (folder / "labels.csv").write_text("clip_id,gloss\nx,a\n")
    imports(folder, tmp_path / "s")
    store = ClipStore.open(tmp_path / "s")
    assert store.clips["clip_id"].tolist() == ["x"]
    assert store.card["dropped"]["by_reason"] == {"no row in labels.csv": 1}


def test_npy_faults(tmp_path):
    folder = tmp_path / "in"
    write_npy(folder)

    def faults(match, **options):
        with pytest.raises(UserError, match=match):
            imports(folder, tmp_path / "s", **options)
        assert os.listdir(tmp_path) == ["in"]

    np.save(folder / "sub/y.npy", np.zeros((4, 33, 2)))
    faults(r"y\.npy\): an array of 4x33x2: .*33 are a body without hands")
    np.save(folder / "sub/y.npy", np.array([{}], dtype=object))
    faults(r"y\.npy\): not a sound array .*refused")
    np.save(folder / "sub/y.npy", np.zeros((4, 75, 2)))
    data = (folder / "sub/y.npy").read_bytes()
    (folder / "sub/y.npy").write_bytes(data[:-7])
    faults(r"y\.npy\): not a sound array")
    (folder / "sub/y.npy").unlink()
    faults("row 3: clip 'sub/y': its file is missing")
    (folder / "labels.csv").write_text("name,gloss\nx,a\n")
    faults("needs a column 'file' or 'clip_id'")
    (folder / "labels.csv").write_text("file,gloss\n,a\n")
    faults("row 2: clip .*: neither clip_id nor file")
    (folder / "labels.csv").write_text("file,gloss\nsub/x.npy,a\nsub/x.npy,b\n")
    faults("row 3: clip 'sub/x .row 3 of labels.csv.' .*clip_id occurs twice")


def test_npy_missing_file_can_be_dropped(tmp_path):
    folder = tmp_path / "in"
    write_npy(folder)
    (folder / "sub/y.npy").unlink()
    imports(folder, tmp_path / "s", on_bad="drop")
    card = ClipStore.open(tmp_path / "s").card
    assert card["dropped"]["clips"] == [{"clip_id": "sub/y", "reason": "its file is missing"}]


def test_the_content_decides_not_the_name(tmp_path):
    folder = tmp_path / "in"
    clips = write_npy(folder)
    np.savez(tmp_path / "archive.npz", keypoints=clips["sub/x.npy"])
    (folder / "sub/x.npy").write_bytes((tmp_path / "archive.npz").read_bytes())
    imports(folder, tmp_path / "s")
    frames = ClipStore.open(tmp_path / "s").frames(0)
    np.testing.assert_array_equal(frames, clips["sub/x.npy"].astype(np.float16))


def test_a_set_in_an_npz_that_would_fill_the_memory_is_not_opened(tmp_path):
    from sslslr.data.readers import whole_set

    folder = tmp_path / "in"
    folder.mkdir()
    np.savez_compressed(
        folder / "b.npz", X=np.zeros((40_000, 4, 75, 2), "f2"), y=np.zeros(40_000, "i1")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whole_set, "FREE", 1 << 20)
        with pytest.raises(UserError, match="no table of labels"):
            imports(folder, tmp_path / "s")


@pytest.mark.parametrize("name", ["../x", "", "/x", "a/b", "a\nb", ".x"])
def test_a_data_set_has_a_plain_name(tmp_path, name):
    with pytest.raises(UserError, match="--name"):
        build(name, "local", {"folder": str(tmp_path)}, tmp_path / "s")


@pytest.mark.parametrize(
    ("columns", "values", "said"),
    [
        ("aspect", "1e9", "aspect is 1e"),
        ("fps", "1e6", "fps is 1e"),
        ("width,height", "9,9000", "aspect is 0.001"),
    ],
)
def test_what_no_store_may_hold_is_a_bad_clip(tmp_path, columns, values, said):
    folder = tmp_path / "in"
    write_npy(folder)
    (folder / "labels.csv").write_text(f"file,gloss,{columns}\nsub/x.npy,a,{values}\n")
    with pytest.raises(UserError, match=said):
        imports(folder, tmp_path / "s")


@pytest.mark.parametrize(
    "labels", [np.frombuffer(b"\x00\xd8\0\0\0\0\x11\0", "<U1"), np.array([{}, 1])]
)
def test_labels_of_a_set_that_are_no_text(tmp_path, labels):
    folder = tmp_path / "in"
    folder.mkdir()
    np.save(folder / "X.npy", np.stack([arrays()["xy"][:4]] * 2))
    np.save(folder / "y.npy", labels)
    with pytest.raises(UserError, match="y.npy: not the labels of"):
        imports(folder, tmp_path / "s")
