"""Importing keypoints: both forms come out as they went in; every fault is a sentence."""

import io
import os
import re
import zipfile

import numpy as np
import pandas as pd
import pytest

from sslslr.clips import ClipStore
from sslslr.errors import UserError
from sslslr.importing import import_npy, import_npz, read_table
from sslslr.npz import NpzClips

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
    import_npz(
        write(tmp_path / "in", data), tmp_path / "s", "mine", language="ase", say=said.append
    )
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
    assert "4 clips written" in said[0]


def test_column_names_are_found(tmp_path):
    names = {"gloss": "label", "signer": "person", "split": "subset", "clip_id": "id"}
    import_npz(write(tmp_path / "in", rows=table().rename(columns=names)), tmp_path / "s", "mine")
    store = ClipStore.open(tmp_path / "s")
    assert store.clips["gloss"].tolist() == table()["gloss"].tolist()
    assert store.clips["signer"][0] == "s1"


def test_a_third_coordinate_is_dropped_and_said(tmp_path):
    said = []
    import_npz(write(tmp_path / "in", arrays(75, 3)), tmp_path / "s", "mine", say=said.append)
    assert "third coordinate" in said[0]
    assert "third coordinate" in ClipStore.open(tmp_path / "s").card["origin"]


def test_clips_can_be_chosen(tmp_path):
    clips = NpzClips(write(tmp_path / "in") / "clips.npz")
    chosen = np.array([False, True, False, True])
    assert [len(frames) for frames in clips.read(chosen)] == [5, 7]
    np.testing.assert_array_equal(list(clips.read(chosen))[1], arrays()["xy"][10:])


def changed(**changes):
    return {key: value for key, value in {**arrays(), **changes}.items() if value is not None}


BAD_NPZ = {
    "no xy": (changed(xy=None), "array 'xy' is missing (found offsets, clip_id)"),
    "no offsets": (changed(offsets=None), "array 'offsets' is missing"),
    "joints": (changed(xy=np.zeros((17, 33, 2), "f2")), "found float16 (17, 33, 2)"),
    "axes": (changed(xy=np.zeros((17, 150), "f2")), "found float16 (17, 150)"),
    "integers": (changed(xy=np.zeros((17, 75, 2), "i4")), "must be floating point"),
    "Fortran": (changed(xy=np.zeros((17, 75, 2), order="F")), "Fortran order"),
    "objects": (changed(xy=np.full((17, 75, 2), None)), "array 'xy' holds Python objects"),
    "object ids": (changed(clip_id=np.array(IDS, object)), "array 'clip_id' holds Python objects"),
    "same id": (
        changed(clip_id=np.array(["007", "b", "b", "d"])),
        "clip 'b': clip_id occurs twice",
    ),
    "back": (changed(offsets=np.array([0, 8, 3, 10, 17])), "clip 'b': offsets go back from 8 to 3"),
    "beyond": (changed(offsets=np.array([0, 3, 8, 10, 18])), "18, but xy has 17 frames"),
    "few offsets": (changed(offsets=np.array([0, 3, 8])), "offsets must be 5 whole numbers"),
    "other ids": (
        changed(clip_id=np.array(["007", "b", "d", "c"])),
        "row 4: clip_id 'c', but clip 2 of",
    ),
}


@pytest.mark.parametrize("bad", BAD_NPZ)
def test_bad_npz_is_a_sentence_and_leaves_nothing(tmp_path, bad):
    data, message = BAD_NPZ[bad]
    folder = write(tmp_path / "in", data)
    with pytest.raises(UserError, match=re.escape(message)):
        import_npz(folder, tmp_path / "s", "mine")
    assert os.listdir(tmp_path) == ["in"]


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("keep", [0, 30, 0.3, 0.9, 0.999])
def test_a_cut_npz_is_a_sentence(tmp_path, keep, compressed):
    folder = write(tmp_path / "in", compressed=compressed)
    data = (folder / "clips.npz").read_bytes()
    size = keep if isinstance(keep, int) else int(len(data) * keep)
    (folder / "clips.npz").write_bytes(data[:size])
    with pytest.raises(UserError, match=r"clips\.npz: cut short or damaged"):
        import_npz(folder, tmp_path / "s", "mine")
    assert os.listdir(tmp_path) == ["in"]


@pytest.mark.parametrize("member", ["xy", "offsets", "clip_id"])
def test_an_array_cut_inside_the_archive(tmp_path, member):
    folder = write(tmp_path / "in")
    with zipfile.ZipFile(folder / "clips.npz", "w") as archive:
        for name, array in arrays().items():
            stream = io.BytesIO()
            np.save(stream, array)
            archive.writestr(f"{name}.npy", stream.getvalue()[: -5 if name == member else None])
    with pytest.raises(UserError, match="cut short or damaged"):
        import_npz(folder, tmp_path / "s", "mine")
    assert os.listdir(tmp_path) == ["in"]


@pytest.mark.parametrize("at", [0.2, 0.5, 0.7])
def test_flipped_bytes(tmp_path, at):
    folder = write(tmp_path / "in")
    data = bytearray((folder / "clips.npz").read_bytes())
    place = int(len(data) * at)
    data[place : place + 8] = bytes(255 - byte for byte in data[place : place + 8])
    (folder / "clips.npz").write_bytes(data)
    with pytest.raises(UserError, match="cut short or damaged"):
        import_npz(folder, tmp_path / "s", "mine")
    assert os.listdir(tmp_path) == ["in"]


BAD_TABLES = {
    "no gloss": (table().drop(columns="gloss"), "column 'gloss' is missing"),
    "typing error": (table().rename(columns={"gloss": "glosss"}), "Did you mean 'glosss'?"),
    "rows": (table()[:3], "3 rows, but"),
    "split": (table().assign(split="holdout"), "clip '007': split 'holdout' is not one of"),
    "fps": (table().assign(fps="fast"), "row 2: fps 'fast' is not a number"),
}


@pytest.mark.parametrize("bad", BAD_TABLES)
def test_bad_tables(tmp_path, bad):
    rows, message = BAD_TABLES[bad]
    with pytest.raises(UserError, match=re.escape(message)):
        import_npz(write(tmp_path / "in", rows=rows), tmp_path / "s", "mine")
    assert os.listdir(tmp_path) == ["in"]


def test_absent_and_unreadable_tables(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UserError, match="cannot be read as a csv"):
        read_table(tmp_path / "empty.csv")
    with pytest.raises(UserError, match=r"clips\.npz: there is no such file"):
        import_npz(tmp_path, tmp_path / "s", "mine")


def read(tmp_path, text, encoding="utf-8"):
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    return read_table(tmp_path / "t.csv")


def test_one_name_written_in_two_ways_is_one(tmp_path):
    """They were two classes, and `Train` no split."""
    rows = read(
        tmp_path, "id, gloss ,Split,split\na,été,x,Train\nb, e\u0301te\u0301 ,x,TEST \nc,  \n"
    )
    assert rows["gloss"].tolist() == ["été", "été", None]
    assert rows["split"].tolist() == ["train", "test", None]
    assert rows["clip_id"].tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        ("id;gloss\na;b\n", "utf-8", "separated by semicolons. Save it with commas"),
        ("id\tgloss\na\tb\n", "utf-8", "separated by tabs"),
        ("id,gloss\na,été\n", "latin-1", "not in UTF-8 .* Save it as a csv in UTF-8"),
        ("id,gloss\na,b\n", "utf-16", "not in UTF-8"),
        ("id,gloss,gloss \na,b,c\n", "utf-8", "two columns are called 'gloss'"),
        ("id,gloss,fps\na,b,-5\n", "utf-8", "row 2: fps '-5' must be above 0"),
        ("id,gloss,fps\na,b,inf\n", "utf-8", "row 2: fps 'inf' must be above 0"),
    ],
)
def test_a_table_as_other_programs_save_it_is_named(tmp_path, text, encoding, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, text, encoding)


def test_zeros_that_stand_for_missing_joints_are_noticed(tmp_path):
    """Many tools write 0, 0 for a joint that was not found; it would be drawn into the corner."""
    data, said = arrays(), []
    import_npz(write(tmp_path / "a", data), tmp_path / "s", "mine", say=said.append)
    assert not any("exactly (0, 0)" in line for line in said)
    data["xy"][:, :21] = 0
    import_npz(write(tmp_path / "b", data), tmp_path / "s", "mine", say=said.append)
    assert "mine: 28.0 % of the joints lie at exactly (0, 0)" in said[-1]


def test_bad_clips_are_errors_or_dropped_with_reasons(tmp_path):
    data = arrays()
    data["xy"][3:8] = np.nan  # clip b
    rows = table()
    rows.loc[2, "gloss"] = ""  # clip c
    folder = write(tmp_path / "in", data, rows)
    with pytest.raises(UserError, match=r"clip 'b': every joint is missing"):
        import_npz(folder, tmp_path / "s", "mine")
    import_npz(folder, tmp_path / "s", "mine", on_bad="drop", min_frames=4)
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
    for file, clip in {**clips, **extra}.items():
        np.save(folder / file, clip)
    rows = pd.DataFrame({"file": list(clips), "gloss": ["a", "b"]})
    rows.to_csv(folder / "labels.csv", index=False)
    return clips


@pytest.mark.parametrize("coordinates", [2, 3])
def test_npy_round_trip(tmp_path, coordinates):
    said = []
    clips = write_npy(tmp_path / "in", coordinates)
    import_npy(tmp_path / "in", tmp_path / "in/labels.csv", tmp_path / "s", "mine", say=said.append)
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
    import_npy(folder, folder / "labels.csv", tmp_path / "s", "mine")
    store = ClipStore.open(tmp_path / "s")
    assert store.clips["clip_id"].tolist() == ["x"]
    assert store.card["dropped"]["by_reason"] == {"no row in labels.csv": 1}


def test_npy_faults(tmp_path):
    folder = tmp_path / "in"
    write_npy(folder)

    def imports(match, **options):
        with pytest.raises(UserError, match=match):
            import_npy(folder, folder / "labels.csv", tmp_path / "s", "mine", **options)
        assert os.listdir(tmp_path) == ["in"]

    np.save(folder / "sub/y.npy", np.zeros((4, 33, 2)))
    imports(r"y\.npy: must be floating point .* found float64 \(4, 33, 2\)")
    np.save(folder / "sub/y.npy", np.array([{}], dtype=object))
    imports(r"y\.npy: cannot be read as a plain array.*refused")
    np.save(folder / "sub/y.npy", np.zeros((4, 75, 2)))
    data = (folder / "sub/y.npy").read_bytes()
    (folder / "sub/y.npy").write_bytes(data[:-7])
    imports(r"y\.npy: cannot be read as a plain array")
    (folder / "sub/y.npy").unlink()
    imports(r"y\.npy: there is no such file, but the table names it")
    (folder / "labels.csv").write_text("name,gloss\nx,a\n")
    imports("needs a column 'file' or 'clip_id'")
    (folder / "labels.csv").write_text("file,gloss\n,a\n")
    imports("row 2: file is empty")
    (folder / "labels.csv").write_text("file,gloss\nsub/x.npy,a\nsub/x.npy,b\n")
    imports("clip 'sub/x': clip_id occurs twice")


def test_npy_missing_file_can_be_dropped(tmp_path):
    folder = tmp_path / "in"
    write_npy(folder)
    (folder / "sub/y.npy").unlink()
    import_npy(folder, folder / "labels.csv", tmp_path / "s", "mine", on_bad="drop")
    card = ClipStore.open(tmp_path / "s").card
    assert card["dropped"]["clips"] == [{"clip_id": "sub/y", "reason": "its file is missing"}]


def test_an_archive_that_calls_itself_npy_is_a_sentence(tmp_path):
    folder = tmp_path / "in"
    write_npy(folder)
    file = folder / "sub" / "x.npy"
    np.savez(tmp_path / "archive.npz", a=np.zeros(3))
    file.write_bytes((tmp_path / "archive.npz").read_bytes())
    with pytest.raises(UserError, match=r"cannot be read as a plain array"):
        import_npy(folder, folder / "labels.csv", tmp_path / "s", "mine")
    assert not (tmp_path / "s").exists()
