"""Labels that lie in several tables, under other names, or beside what is no clip."""

import pickle
import shutil

import numpy as np
import pytest
from bodies import signer
from kinds import CLIP, imported, same

from sslslr.data.label_tables import tables_beside
from sslslr.utils.errors import UserError

SPLITS = {"train": "train", "dev": "val", "test": "test"}


def split_files(folder, within="", header="Participant ID,Video file,Gloss"):
    (folder / within).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(SPLITS):
        np.save(folder / f"{number}.npy", signer(seed=number))
        (folder / within / f"{name}.csv").write_text(f"{header}\nP{number},{number}.mp4,book\n")


@pytest.mark.parametrize("within", ["", "splits"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_a_split(tmp_path, within, packed):
    folder = tmp_path / "in"
    split_files(folder, within)
    if packed:
        folder = shutil.make_archive(str(tmp_path / "set"), "zip", folder)
    clips = imported(folder, tmp_path / "s").clips.sort_values("clip_id")
    assert clips["split"].tolist() == list(SPLITS.values())
    assert clips["signer"].tolist() == ["P0", "P1", "P2"]


def test_a_clip_of_two_splits_is_named_with_its_table(tmp_path):
    split_files(tmp_path)
    (tmp_path / "test.csv").write_text("Video file,Gloss\n0.mp4,book\n")
    with pytest.raises(
        UserError, match=r"train.csv, row 2: clip '0 \(row 2 of train.csv\)'.*twice"
    ):
        imported(tmp_path, tmp_path / "s")


def test_a_test_table_without_labels_is_left_out_and_said(tmp_path):
    split_files(tmp_path)
    (tmp_path / "dev.csv").unlink()
    (tmp_path / "test.csv").write_text("Video file\n2.mp4\n")
    said = []
    clips = imported(tmp_path, tmp_path / "s", said=said).clips
    assert clips["clip_id"].tolist() == ["0"]
    assert clips["split"].isna().all()
    assert any("test.csv has no column gloss: not used." in line for line in said)
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("Video file\n2.mp4\n")
    with pytest.raises(UserError, match="column 'gloss' is missing"):
        imported(tmp_path, tmp_path / "none")


def test_one_of_several_tables_can_be_named(tmp_path):
    split_files(tmp_path)
    said = []
    store = imported(tmp_path, tmp_path / "s", said=said, table=str(tmp_path / "train.csv"))
    assert len(store) == 1
    assert any("no row in train.csv" in line for line in said)


def test_which_tables_lie_beside_each_other():
    names = ["a/train.csv", "a/val.csv", "test.csv", "a/test.tsv", "a/notes.csv"]
    assert tables_beside("a/train.csv", names) == {"a/train.csv": "train", "a/val.csv": "val"}
    assert tables_beside("labels.csv", ["labels.csv", "val.csv"]) == {}


def test_names_of_signs_beside_x_and_y_are_no_clip(tmp_path):
    np.save(tmp_path / "X.npy", np.stack([CLIP, signer(seed=1)]))
    np.save(tmp_path / "y.npy", np.eye(2))
    np.save(tmp_path / "actions.npy", np.array(["hello", "thanks"]))
    said = []
    store = imported(tmp_path, tmp_path / "s", said=said)
    assert store.clips["gloss"].tolist() == ["hello", "thanks"]
    same(store.frames(0))
    assert any("glosses are the names in actions.npy (0 is 'hello')" in line for line in said)


class Tensor:
    """Pickled as one of torch is."""

    def __reduce__(self):
        import torch

        return torch._utils._rebuild_tensor_v2, ()


def test_the_only_file_says_why_it_cannot_be_read(tmp_path):
    (tmp_path / "all.pkl").write_bytes(pickle.dumps({"a": Tensor()}))
    with pytest.raises(UserError, match=r"all.pkl: refused.*torch.*tensor.numpy\(\)"):
        imported(tmp_path, tmp_path / "s")
    with pytest.raises(UserError, match="no table of labels"):
        one_without_table(tmp_path / "b")


def one_without_table(folder):
    folder.mkdir()
    np.save(folder / "a.npy", CLIP)
    imported(folder, folder / "s")
