"""`local`: a user's folder of mixed files, a zip, names with accents, and what is listed as left out."""

import unicodedata

import numpy as np
import pytest
from test_fingerspelling import pose_bytes

from openhands_toys import npy, pickled, zipped
from sslslr.data.datasets import DATASETS, build
from sslslr.data.store import ClipStore
from sslslr.utils.errors import UserError

ARRAY = np.random.default_rng(0).uniform(0.2, 0.8, (5, 75, 2)).astype(np.float32)


def make(tmp_path, options, name="s"):
    build("mine", "local", options, tmp_path / name, say=lambda line: None)
    return ClipStore.open(tmp_path / name)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "mine"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.npy").write_bytes(npy(ARRAY))
    (folder / "sub" / "b.pose").write_bytes(pose_bytes(1)[0])
    (folder / "c.pkl").write_bytes(pickled(vid_shape=(480, 640)))
    (folder / "γεια σου.npy").write_bytes(npy(ARRAY[:, :42] / 2))
    (folder / "stray.npy").write_bytes(npy(ARRAY))
    (folder / "notes.txt").write_text("not a clip")
    (folder / "labels.csv").write_bytes(
        "file;gloss".replace(";", ",").encode("utf-8-sig")
        + (
            b",split,signer,language,fps\r\n"
            b"a.npy,book,training,s1,bfi,25\r\n"
            b'./sub/b.pose,"to, read",dev,s2,,\r\n'
            b"c.pkl,book,test,,,\r\n"
        )
        + "γεια σου.npy,γεια,,,gss,\r\n".encode()
        + b"gone.npy,book,test,,,\r\n"
        + b"a.npy,book,train,,,\r\n"
        + b"..\\..\\x.npy,book,train,,,\r\n"
    )
    return folder


def test_a_folder_of_all_kinds(folder, tmp_path):
    options = {"folder": str(folder), "language": "ase", "licence": "CC0"}
    store = make(tmp_path, options)
    assert store.clips["clip_id"].tolist() == ["a", "sub/b", "c", "γεια σου"]
    assert store.clips["gloss"].tolist() == ["book", "to, read", "book", "γεια"]
    assert store.clips["split"].fillna("-").tolist() == ["train", "val", "test", "-"]
    assert store.clips["language"].tolist() == ["bfi", "ase", "ase", "gss"]
    assert store.clips["fps"].fillna(0).tolist() == [25, 25, 0, 0]
    assert store.clips["aspect"].fillna(0).tolist() == [0, 2, 640 / 480, 0]
    np.testing.assert_allclose(store.frames(0), ARRAY, atol=1e-3)
    assert np.isnan(store.frames(3)[:, 42:]).all()
    assert {d["clip_id"]: d["reason"] for d in store.card["dropped"]["clips"]} == {
        "gone": "its file is missing",
        "a (row 7 of labels.csv)": "clip_id occurs twice",
        "..\\..\\x": "its file is missing",
        "stray.npy": "no row in labels.csv",
    }
    assert (store.card["languages"], store.card["licence"]) == (["ase", "bfi", "gss"], "CC0")
    again = make(tmp_path, options, "again")
    for name in ("keypoints.npy", "clips.parquet", "card.json"):
        assert (store.path / name).read_bytes() == (again.path / name).read_bytes()


def test_a_zip_with_its_table_beside_it(folder, tmp_path):
    files = {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }
    table = tmp_path / "labels.csv"
    table.write_bytes(files.pop("labels.csv"))
    (tmp_path / "mine.zip").write_bytes(zipped(files))
    with pytest.raises(UserError, match="no table of labels.*name a table"):
        make(tmp_path, {"folder": str(tmp_path / "mine.zip")})
    store = make(tmp_path, {"folder": str(tmp_path / "mine.zip"), "table": str(table)})
    assert len(store) == 4
    assert set(store.card["inputs"]) == {"mine.zip", "labels.csv"}


def test_ids_find_their_file(folder, tmp_path):
    (folder / "c.npy").write_bytes(npy(ARRAY))
    (folder / "labels.csv").write_text("clip_id,gloss\na,x\nsub/b,y\nc,z\n")
    store = make(tmp_path, {"folder": str(folder)})
    assert store.clips["source"].tolist() == ["a.npy", "sub/b.pose"]
    assert store.card["dropped"]["clips"][0] == {
        "clip_id": "c",
        "reason": "several files of this name",
    }


def test_a_row_that_names_no_file_is_listed_and_the_rest_goes_on(folder, tmp_path):
    """`.` is the folder itself, which has no name to take a suffix from."""
    table = "file,gloss\n.,book\n/,book\nsub,book\na.npy,book\n"
    (folder / "labels.csv").write_text(table)
    store = make(tmp_path, {"folder": str(folder)})
    assert store.clips["clip_id"].tolist() == ["a"]
    dropped = {d["clip_id"]: d["reason"] for d in store.card["dropped"]["clips"]}
    assert [dropped[name] for name in (".", "/", "sub")] == ["its file is missing"] * 3


@pytest.mark.parametrize(("stored", "named"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_are_found_in_either_normal_form(tmp_path, stored, named):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / unicodedata.normalize(stored, "café.npy")).write_bytes(npy(ARRAY))
    row = unicodedata.normalize(named, "café.npy")
    (tmp_path / "mine/labels.csv").write_text(f"file,gloss\n{row},café\n", encoding="utf-8")
    store = make(tmp_path, {"folder": str(tmp_path / "mine")})
    assert len(store) == 1
    assert store.card["dropped"]["count"] == 0


def test_a_change_of_any_file_is_an_input(folder):
    options = DATASETS.get("local").Options(folder=str(folder))
    names = [file.name for file in DATASETS.get("local").inputs(options)]
    assert names[0] == "labels.csv"
    assert sorted(names[1:]) == ["a.npy", "b.pose", "c.pkl", "stray.npy", "γεια σου.npy"]


def test_videos_name_what_to_do(folder, tmp_path):
    for file in folder.rglob("*.*"):
        if file.suffix != ".csv":
            file.unlink()
    (folder / "a.mp4").write_bytes(b"")
    with pytest.raises(UserError, match="holds videos.*`make pose`"):
        make(tmp_path, {"folder": str(folder)})


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="there is no such file or folder"):
        make(tmp_path, {"folder": str(tmp_path / "none")})
