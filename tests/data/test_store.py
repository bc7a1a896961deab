"""The clip store: what goes in comes out, and a store that breaks a rule is refused."""

# ruff: noqa: PT012 (what fails is the context manager, inside it something must happen)

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from disks import read_only, small_disk
from sslslr.data.store import ClipStore, concatenated_frames, writing
from sslslr.utils.errors import StoreError, UserError

CARD = {"dataset": "toy", "licence": "none", "inputs": {}}


def make(path, lengths=(3, 5, 2), **settings):
    """A sound store of random clips a0, a1, ... in splits train, val, test, train, ..."""
    rng = np.random.default_rng(0)
    with writing(path, dict(CARD), **settings) as writer:
        for i, length in enumerate(lengths):
            split = ("train", "val", "test")[i % 3]
            writer.add(f"a{i}", rng.random((length, 75, 2)), gloss=f"g{i % 2}", split=split)
    return Path(path)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lengths=st.lists(st.integers(2, 40), min_size=1, max_size=8),
    missing=st.floats(0, 0.9),
    seed=st.integers(0, 2**32 - 1),
    hands_only=st.booleans(),
)
def test_round_trip(tmp_path, lengths, missing, seed, hands_only):
    rng = np.random.default_rng(seed)
    clips = [
        rng.normal(0.5, 0.5, (n, 42 if hands_only else 75, 2)).astype(np.float32) for n in lengths
    ]
    for clip in clips:
        clip[rng.random(clip.shape[:2]) < missing] = np.nan
        clip[0, 0] = 0.5  # not all NaN
    with writing(tmp_path / "s", dict(CARD)) as writer:
        for i, clip in enumerate(clips):
            writer.add(str(i), clip, gloss="g", fps=25.0, extra_column=i)
    store = ClipStore.open(tmp_path / "s")
    assert len(store) == len(clips)
    assert store.clips["extra_column"].tolist() == list(range(len(clips)))
    for i, clip in enumerate(clips):
        frames = store.frames(i)
        np.testing.assert_array_equal(frames[:, : clip.shape[1]], clip.astype(np.float16))
        assert np.isnan(frames[:, clip.shape[1] :]).all()
    gathered, found = concatenated_frames(store, np.arange(len(clips))[::-1])
    expected = np.concatenate([store.frames(i) for i in range(len(clips))[::-1]])
    np.testing.assert_array_equal(gathered, expected.astype(np.float32))
    assert found.tolist() == lengths[::-1]


def test_splits_card_and_hash(tmp_path):
    store = ClipStore.open(make(tmp_path / "s"))
    assert store.indices("val").tolist() == [1]
    assert store.indices().tolist() == [0, 1, 2]
    assert store.name == "toy"
    assert store.card["n_frames"] == 10
    assert store.card["joints"] == {"left_hand": 1.0, "right_hand": 1.0, "body": 1.0}
    assert len(store.data_hash) == 32
    assert store.check() == []


def test_a_card_may_tell_of_a_hundred_thousand_dropped_clips(tmp_path):
    path = make(tmp_path / "s")
    card = json.loads((path / "card.json").read_text())
    clips = [{"clip_id": f"c{i}", "reason": "no frame"} for i in range(100_000)]
    card["dropped"] = {"count": len(clips), "by_reason": {"no frame": len(clips)}, "clips": clips}
    (path / "card.json").write_text(json.dumps(card))
    assert len(ClipStore.open(path).card["dropped"]["clips"]) == 100_000


def test_made_twice_it_has_the_same_bytes(tmp_path):
    one, two = make(tmp_path / "one"), make(tmp_path / "two")
    for name in ("keypoints.npy", "clips.parquet", "card.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


# Rules of the writer.


@pytest.mark.parametrize(
    ("keypoints", "gloss", "reason"),
    [
        (np.full((4, 75, 2), np.nan), "g", "every joint is missing in every frame"),
        (np.zeros((1, 75, 2)), "g", "only 1 frame; a clip needs at least 2"),
        (np.zeros((0, 75, 2)), "g", "no frame"),
        (np.full((4, 75, 2), 320.0), "g", "coordinates up to 320"),
        (np.full((4, 75, 2), np.inf), "g", "infinite coordinates"),
        (np.zeros((4, 75, 2)), None, "no gloss"),
    ],
)
def test_a_bad_clip_is_an_error_or_dropped_with_its_reason(tmp_path, keypoints, gloss, reason):
    def write(on_bad):
        with writing(tmp_path / "s", dict(CARD), on_bad=on_bad) as writer:
            writer.add("good", np.zeros((3, 75, 2)), gloss="g")
            writer.add("bad", keypoints, gloss=gloss, source="bad.npy")

    with pytest.raises(StoreError, match=rf"bad\.npy, clip 'bad': {reason}"):
        write("error")
    assert os.listdir(tmp_path) == []
    write("drop")
    store = ClipStore.open(tmp_path / "s")
    assert store.clips["clip_id"].tolist() == ["good"]
    assert store.card["dropped"]["count"] == 1
    assert store.card["dropped"]["clips"][0]["clip_id"] == "bad"
    assert store.card["dropped"]["clips"][0]["reason"].startswith(reason)


@pytest.mark.parametrize(
    ("clip_id", "shape", "split", "rule"),
    [
        ("a", (3, 75, 2), None, "clip 'a': clip_id occurs twice"),
        ("b", (3, 75, 2), "dev", "clip 'b': split 'dev' is not one of train, val, test"),
        ("b", (3, 33, 2), None, "clip 'b': 33 joints; known layouts are 75"),
    ],
)
def test_what_the_writer_refuses_whatever_on_bad(tmp_path, clip_id, shape, split, rule):
    with (
        pytest.raises(StoreError, match=rule),
        writing(tmp_path / "s", dict(CARD), on_bad="drop") as writer,
    ):
        writer.add("a", np.zeros((3, 75, 2)), gloss="g")
        writer.add(clip_id, np.zeros(shape), gloss="g", split=split)
    assert os.listdir(tmp_path) == []


def test_no_clip_at_all_is_an_error_that_says_why(tmp_path):
    with (
        pytest.raises(UserError, match=r"no clip was left to write; 1 were dropped: 1 x too odd"),
        writing(tmp_path / "s", dict(CARD)) as writer,
    ):
        writer.drop("x", "too odd")
    assert os.listdir(tmp_path) == []


def test_an_exception_inside_writing_keeps_the_older_store(tmp_path):
    make(tmp_path / "s")
    with pytest.raises(KeyboardInterrupt), writing(tmp_path / "s", dict(CARD)) as writer:
        writer.add("x", np.zeros((3, 75, 2)), gloss="g")
        raise KeyboardInterrupt
    assert ClipStore.open(tmp_path / "s").clips["clip_id"].tolist() == ["a0", "a1", "a2"]
    assert os.listdir(tmp_path) == ["s"]


def test_killed_inside_writing_there_is_no_store_and_the_next_run_succeeds(tmp_path):
    script = (
        "import os, signal, sys, numpy as np\n"
        "from sslslr.data.store import writing\n"
        "with writing(sys.argv[1], {'dataset': 'toy'}) as writer:\n"
        "    writer.add('x', np.zeros((3, 75, 2)), gloss='g')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "s")]
    root = Path(__file__).parents[2]
    assert subprocess.run(command, cwd=root, check=False).returncode == -9
    assert not (tmp_path / "s").exists()
    assert ClipStore.open(make(tmp_path / "s")).check() == []


def test_full_disk(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(UserError, match=r"s: no space left on the device.*nothing was changed"):
            make(disk / "s", lengths=[200] * 20)
        assert os.listdir(disk) == []


def test_read_only_folder(tmp_path):
    with (
        read_only(tmp_path / "ro") as folder,
        pytest.raises(UserError, match=r"s: not writable.*nothing was changed"),
    ):
        make(folder / "s")


# Rules of `ClipStore.open`, each broken once.


def edit_table(path, change):
    table = pd.read_parquet(path / "clips.parquet")
    (change(table)).to_parquet(path / "clips.parquet", index=False)


def set_cell(row, column, value):
    def change(table):
        table.loc[row, column] = value
        return table

    return lambda path: edit_table(path, change)


def edit_card(**changes):
    def change(path):
        card = {**json.loads((path / "card.json").read_text()), **changes}
        card = {key: value for key, value in card.items() if value is not None}
        (path / "card.json").write_text(json.dumps(card))

    return change


def keypoints_of(array):
    return lambda path: np.save(path / "keypoints.npy", array)


def cut(name, size=200):
    return lambda path: (path / name).write_bytes((path / name).read_bytes()[:size])


BROKEN = {
    "no keypoints": (lambda p: (p / "keypoints.npy").unlink(), "keypoints.npy", "missing"),
    "no table": (lambda p: (p / "clips.parquet").unlink(), "clips.parquet", "missing"),
    "no card": (lambda p: (p / "card.json").unlink(), "card.json", "missing"),
    "card not JSON": (cut("card.json", 9), "card.json", "not valid JSON"),
    "card a list": (lambda p: (p / "card.json").write_text("[]"), "card.json", "JSON object"),
    "layout": (edit_card(layout_version=0), "card.json", "layout version 0"),
    "card key": (edit_card(sha256=None), "card.json", "key 'sha256' is missing"),
    "array cut": (cut("keypoints.npy"), "keypoints.npy", "cannot be read as an array"),
    "array of objects": (
        keypoints_of(np.array([{}], dtype=object)),
        "keypoints.npy",
        "cannot be read as an array",
    ),
    "array float32": (
        keypoints_of(np.zeros((10, 75, 2), "f4")),
        "keypoints.npy",
        r"must be float16 \(frames, 75, 2\), found float32",
    ),
    "array of 42": (
        keypoints_of(np.zeros((10, 42, 2), "f2")),
        "keypoints.npy",
        r"found float16 \(10, 42, 2\)",
    ),
    "frames missing": (
        keypoints_of(np.zeros((9, 75, 2), "f2")),
        "keypoints.npy",
        "clip 'a2': holds 9 frames, clips.parquet counts 10",
    ),
    "table cut": (cut("clips.parquet"), "clips.parquet", "cannot be read as parquet"),
    "no column": (
        lambda p: edit_table(p, lambda t: t.drop(columns="gloss")),
        "clips.parquet",
        "column 'gloss' is missing",
    ),
    "no row": (lambda p: edit_table(p, lambda t: t[:0]), "clips.parquet", "holds no clip"),
    "text offsets": (
        lambda p: edit_table(p, lambda t: t.astype({"start": str})),
        "clips.parquet",
        "column 'start' must hold whole numbers",
    ),
    "no id": (set_cell(1, "clip_id", None), "clips.parquet", "row 1 has no clip_id"),
    "same id": (set_cell(1, "clip_id", "a0"), "clips.parquet", "clip 'a0': clip_id occurs twice"),
    "no frame": (set_cell(1, "n_frames", 0), "clips.parquet", "clip 'a1': has no frame"),
    "split": (set_cell(1, "split", "dev"), "clips.parquet", "clip 'a1': split is not one of"),
    "no gloss": (set_cell(2, "gloss", None), "clips.parquet", "clip 'a2': has no gloss"),
    "gap": (set_cell(1, "start", 4), "clips.parquet", "clip 'a1': offsets are not contiguous"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_open_names_file_clip_and_rule(tmp_path, broken):
    change, file, message = BROKEN[broken]
    change(make(tmp_path / "s"))
    with pytest.raises(UserError, match=message) as caught:
        ClipStore.open(tmp_path / "s")
    assert str(tmp_path / "s" / file) in str(caught.value)


# What `check` finds.


def test_check_finds_a_changed_file(tmp_path):
    path = make(tmp_path / "s")
    set_cell(0, "gloss", "other")(path)
    (finding,) = ClipStore.open(path).check()
    assert "clips.parquet: its sha256 is not the one in card.json" in finding


def test_check_finds_copies_across_splits_whatever_their_nan(tmp_path):
    clip = np.random.default_rng(1).random((4, 75, 2)).astype(np.float16)
    clip[:, 5] = np.nan
    other = clip.copy()
    other[:, 5] = -clip[:, 5]  # NaN with the sign bit set
    with writing(tmp_path / "s", dict(CARD)) as writer:
        writer.add("one", clip, gloss="g", split="train")
        writer.add("two", other, gloss="g", split="test")
        writer.add("three", clip[:3], gloss="g", split="test")
    (finding,) = ClipStore.open(tmp_path / "s").check()
    assert "1 group of clips have the same keypoints and lie in several splits" in finding
    assert "('one' (train) = 'two' (test))" in finding


def test_copies_within_a_split_are_no_finding(tmp_path):
    with writing(tmp_path / "s", dict(CARD)) as writer:
        for clip_id in ("one", "two"):
            writer.add(clip_id, np.ones((3, 75, 2)), gloss="g", split="train")
    assert ClipStore.open(tmp_path / "s").check() == []


@pytest.mark.parametrize(("value", "message"), [(np.nan, "all NaN"), (np.inf, "infinite")])
def test_check_reads_every_coordinate(tmp_path, value, message):
    path = make(tmp_path / "s")
    keypoints = np.load(path / "keypoints.npy")
    keypoints[3:8] = value
    np.save(path / "keypoints.npy", keypoints)
    findings = ClipStore.open(path).check()
    assert any(f"clip 'a1': {message}" in finding for finding in findings)


def test_memory_does_not_grow_with_the_store(tmp_path):
    import tracemalloc

    clip = np.random.default_rng(0).random((100, 75, 2)).astype(np.float16)
    peaks = []
    for count in (20, 400):
        tracemalloc.start()
        with writing(tmp_path / "s", dict(CARD)) as writer:
            for i in range(count):
                writer.add(str(i), clip, gloss="g")
            peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2_000_000  # 400 clips are 12 MB
    assert len(ClipStore.open(tmp_path / "s")) == 400


def test_a_folder_of_other_files_is_never_replaced_by_a_store(tmp_path):
    (tmp_path / "mine.npy").write_bytes(b"x")
    refused = pytest.raises(UserError, match="holds 'mine.npy', which is no part of a clip store")
    with refused, writing(tmp_path, {"dataset": "toy", "inputs": {}}):
        pass
    assert (tmp_path / "mine.npy").read_bytes() == b"x"
