"""What folders say of their clips, links that lead out of them, and sets of one .npz wherever it lies."""

import shutil

import numpy as np
import pytest
from bodies import signer
from kinds import CLIP, imported, labelled, same

from sslslr.utils.errors import UserError
from sslslr.utils.user_files import files_and_links

PATHS = {
    "GLOSS/SIGNER": ("{gloss}/signer{n}/rep1.npy", True, "train"),
    "SIGNER/GLOSS": ("Person_{n}/{gloss}/1.npy", True, "train"),
    "GLOSS/NUMBER": ("{gloss}/{n}/keypoints.npy", False, "train"),
    "SPLIT/GLOSS": ("test/{gloss}/{n}.npy", False, "test"),
    "WRAPPER/GLOSS": ("mine/{gloss}/{n}.npy", False, "train"),
    "digits": ("digits/{number}/a{number}_{n}.npy", False, "train"),
}


@pytest.mark.parametrize("layout", PATHS)
def test_which_folder_is_the_gloss(tmp_path, layout):
    form, signers, split = PATHS[layout]
    glosses = {}
    for seed in range(4):
        number, n = divmod(seed, 2)
        gloss = ("hello", "thanks")[number]
        file = tmp_path / "in" / form.format(gloss=gloss, n=n, number=number)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, signer(seed=seed))
        clip_id = str(file.relative_to(tmp_path / "in").with_suffix(""))
        glosses[clip_id] = str(number) if layout == "digits" else gloss
    clips = imported(tmp_path / "in", tmp_path / "s").clips
    assert dict(zip(clips["clip_id"], clips["gloss"], strict=True)) == glosses
    assert clips["signer"].notna().all() == signers
    assert clips["split"].fillna("train").eq(split).all()


@pytest.mark.parametrize(
    ("form", "said"), [("{gloss}/clip{n}/pose.npy", True), ("{gloss}/clip{n}.npy", False)]
)
def test_folders_of_clips_that_are_taken_for_signs_are_said(tmp_path, form, said):
    for n in range(4):
        file = tmp_path / "in" / form.format(gloss=("hello", "thanks")[n % 2], n=n)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, signer(seed=n))
    imported(tmp_path / "in", tmp_path / "s", said=(lines := []))
    assert any("Every clip has a gloss of its own" in line for line in lines) == said


@pytest.mark.parametrize("names", [("train", "test"), ("signer0", "signer1")])
def test_splits_and_signers_are_no_glosses(tmp_path, names):
    for name in names:
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", CLIP)
    with pytest.raises(UserError, match="lies in no folder that could be its gloss"):
        imported(tmp_path, tmp_path / "s")


@pytest.mark.parametrize("form", ["numbers/{}/pose", "test/{}/pose", "signer_1/{}/pose"])
def test_a_number_may_be_a_sign(tmp_path, form):
    for gloss in ("1", "2"):
        file = tmp_path / "in" / f"{form.format(gloss)}.npy"
        file.parent.mkdir(parents=True)
        np.save(file, CLIP)
    assert imported(tmp_path / "in", tmp_path / "s").clips["gloss"].tolist() == ["1", "2"]


def test_links_that_hide_or_stay_within_are_no_clips(tmp_path):
    folder = tmp_path / "in"
    (folder / "book").mkdir(parents=True)
    np.save(folder / "book/a.npy", CLIP)
    (folder / "latest").symlink_to(folder / "book")
    (folder / ".cache").symlink_to(tmp_path)
    (folder / "loop").symlink_to("loop")
    assert files_and_links(folder)[1] == [".cache", "loop"]
    dropped = str(imported(folder, tmp_path / "s").card["dropped"])
    assert [name in dropped for name in ("loop", ".cache", "latest")] == [True, False, False]


def test_train_and_test_may_be_signs(tmp_path):
    for seed, name in enumerate(("train", "test", "book")):
        (tmp_path / "in" / name).mkdir(parents=True)
        np.save(tmp_path / "in" / name / "a.npy", signer(seed=seed))
    glosses = imported(tmp_path / "in", tmp_path / "s").clips["gloss"]
    assert sorted(glosses) == ["book", "test", "train"]


def test_links_that_lead_out_are_named(tmp_path):
    folder, other = tmp_path / "in", tmp_path / "other"
    other.mkdir()
    (folder / "book").mkdir(parents=True)
    np.save(other / "a.npy", CLIP)
    (folder / "book/a.npy").symlink_to(other / "a.npy")
    (folder / "all").symlink_to(other)
    assert files_and_links(folder) == ([], ["all", "book/a.npy"])
    with pytest.raises(
        UserError, match=r"links that lead out .* \(all, book/a.npy\): copy what they"
    ):
        imported(folder, tmp_path / "s")
    np.save(folder / "book/b.npy", CLIP)
    said = []
    assert len(imported(folder, tmp_path / "s", said=said)) == 1
    assert any("dropped 2 x a link that leads out of the folder" in line for line in said)
    labelled(folder, "book/a.npy")
    with pytest.raises(UserError, match="its file is missing; links that lead out"):
        imported(folder, tmp_path / "t")


def test_a_tar_that_ends_with_a_zip_is_a_tar(tmp_path):
    (tmp_path / "in/book").mkdir(parents=True)
    for number in range(2):
        np.savez(tmp_path / f"in/book/{number}.npz", keypoints=signer(seed=number))
    store = imported(
        shutil.make_archive(str(tmp_path / "p"), "tar", tmp_path / "in"), tmp_path / "s"
    )
    assert store.clips["clip_id"].tolist() == ["book/0", "book/1"]


def test_a_set_in_an_npz_of_any_name(tmp_path):
    folder = tmp_path / "in/set"
    folder.mkdir(parents=True)
    for name, seeds in (("one.npz", (0, 1)), ("two.npz", (2, 3))):
        clips = [signer(seed=seed) for seed in seeds]
        ids = np.array([f"c{seed}" for seed in seeds])
        np.savez(folder / name, xy=np.concatenate(clips), offsets=[0, 8, 16], clip_id=ids)
    rows = "".join(f"c{number},book\n" for number in (3, 0, 2, 1))
    (folder / "labels.csv").write_text("clip_id,gloss\n" + rows)
    store = imported(tmp_path / "in", tmp_path / "s")
    for place, clip_id in enumerate(store.clips["clip_id"]):
        same(store.frames(place), signer(seed=int(clip_id[1:])))
    (folder / "one.npz").unlink()
    (folder / "two.npz").rename(folder / "clips.npz")
    for kind in ("zip", "tar"):
        packed = shutil.make_archive(str(tmp_path / "p"), kind, folder)
        with pytest.raises(UserError, match=r"unpack it first: clips.npz is read in a folder\."):
            imported(packed, tmp_path / kind)


def test_frames_that_are_counted_from_1_are_said(tmp_path):
    np.save(tmp_path / "a.npy", CLIP)
    labelled(tmp_path, "a.npy", ",frame_start,frame_end", ",3,6")
    said = []
    same(imported(tmp_path, tmp_path / "s", said=said).frames(0), CLIP[2:6])
    assert any("counts from 1" in line and "called start_frame" in line for line in said)


def _saved(folder, paths):
    for number, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / path, signer(8, number))


def test_folders_of_splits_within_those_of_glosses(tmp_path):
    _saved(tmp_path, ["book/train/0.npy", "book/test/1.npy", "drink/train/0.npy"])
    said = []
    clips = imported(tmp_path, tmp_path / "s", said=said).clips
    rows = sorted(zip(clips["gloss"], clips["split"], strict=True))
    assert rows == [("book", "test"), ("book", "train"), ("drink", "train")]
    assert any(
        "around those of the splits (book and so on) were taken for glosses" in line
        for line in said
    )


def test_folders_of_one_name_within_several_are_said(tmp_path):
    _saved(tmp_path, ["book/P01/a.npy", "drink/P01/b.npy", "drink/P02/c.npy"])
    said = []
    imported(tmp_path, tmp_path / "s", said=said)
    assert any(
        "(P01 in 'book', 'drink')" in line or "(P01 in book, drink)" in line for line in said
    )


def test_a_model_beside_folders_of_glosses_is_left_out_and_said(tmp_path):
    _saved(tmp_path, ["book/a.npy", "drink/b.npy", "drink/c.npy"])
    (tmp_path / "action.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    store = imported(tmp_path, tmp_path / "s")
    assert sorted(store.clips["gloss"]) == ["book", "drink", "drink"]
    assert list(store.card["dropped"]["by_reason"]) == ["no gloss: it lies in no folder"]
