"""What a set's table says of its clips: beginnings and ends, files under other names, near-equal glosses."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from bodies import signer
from kinds import CLIP, imported, npy, one, same

from sslslr.utils.errors import UserError


@pytest.mark.parametrize(
    ("columns", "values", "frames"),
    [
        ("start,end", "2,6", slice(2, 6)),
        ("start,end,fps", "80,200,25", slice(2, 5)),
        ("start_s,end_s,fps", "0.08,0.2,25", slice(2, 5)),
        ("start,end", "0,0", slice(0, 8)),
        ("begin,end", "2,6", slice(2, 6)),
        ("begin,stop", "open hand,fist", slice(0, 8)),  # shapes of the hand, not times
        ("start_frame,end_frame", "3,-1", slice(3, 8)),
        ("frame_start,frame_end", "3,-1", slice(2, 8)),  # WLASL's list counts from 1
        ("frame_start,frame_end", "3,5", slice(2, 5)),
        ("frame_start,frame_end", "0,5", slice(0, 5)),
    ],
)
def test_start_and_end(tmp_path, columns, values, frames):
    found, _ = one(tmp_path, ".npy", npy(CLIP), columns=(f",{columns}", f",{values}"))
    same(found, CLIP[frames])


def test_cells_without_anything_below_the_last_row(tmp_path):
    np.save(tmp_path / "a.npy", CLIP)
    (tmp_path / "labels.csv").write_text("file,gloss\na.npy,book\n,\n,\n")
    assert len(imported(tmp_path, tmp_path / "s")) == 1


def test_a_file_in_another_folder_than_the_table_names_is_named(tmp_path):
    (tmp_path / "keypoints").mkdir()
    np.save(tmp_path / "keypoints/a.npy", CLIP)
    for file in ("videos/a.mp4", "other/a"):
        (tmp_path / "labels.csv").write_text(f"file,gloss\n{file},book\n")
        with pytest.raises(
            UserError, match="missing; 'keypoints/a.npy' lies in another folder: [^;]*$"
        ):
            imported(tmp_path, tmp_path / "s")
    (tmp_path / "labels.csv").write_text("file,gloss\nkeypoints/a.npy,book\n")
    assert len(imported(tmp_path, tmp_path / "s")) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npy(CLIP[:, :21].reshape(8, 42)), "21 are one hand: say which"),
        (npy(np.zeros((8, 132))), "33 are a body without hands"),
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS.*`git lfs pull`"),
        (b"<!doctype html>\n<p>404", "begins with '<!doctype html>'"),
    ],
)
def test_what_is_no_clip_is_said_so_that_one_knows_what_to_do(tmp_path, data, message):
    with pytest.raises(UserError, match=message):
        one(tmp_path, ".npy", data)


@pytest.mark.parametrize(
    ("columns", "values", "line"),
    [
        # Whole seconds, taken as frames, leave clips of two frames.
        ("start,end", "2,4", "the table (frames): 1 clip, to 2 frames in the median."),
        ("start_ms,end_ms,fps", "80,200,25", "the table: 1 clip, to 3 frames in the median."),
    ],
)
def test_the_unit_of_times_and_the_length_after_a_cut_are_said(tmp_path, columns, values, line):
    said = []
    one(tmp_path, ".npy", npy(CLIP), said=said, columns=(f",{columns}", f",{values}"))
    assert f"x: Cut to start and end of {line}" in said


def test_times_that_cannot_be_meant(tmp_path):
    with pytest.raises(UserError, match="needs the frame rate"):
        one(tmp_path, ".npy", npy(CLIP), columns=(",start,end", ",80,200"))


@pytest.mark.parametrize(
    ("usual", "fault", "frames", "said"),
    [
        # Frames; of one row something lies beyond its clip, or has a fraction.
        ("2,28", "2,31", 26, "beyond the last frame in 1 clip ('c5')"),
        ("2,28", "40,60", 26, "no frame between its start and end (40 to 30 of 30 frames)"),
        ("2,28", "2,27.5", 26, ""),
        # Milliseconds and seconds.
        ("100,900", "100,5000", 24, "beyond the last frame in 1 clip ('c5')"),
        ("0.1,0.9", "0,1", 24, ""),
    ],
)
def test_one_row_does_not_decide_what_the_times_of_all_mean(tmp_path, usual, fault, frames, said):
    folder, lines = tmp_path / "in", []
    folder.mkdir()
    rows = ["file,gloss,start,end,fps"]
    for number in range(8):
        np.save(folder / f"c{number}.npy", signer(30, seed=number))
        rows.append(f"c{number}.npy,a,{fault if number == 5 else usual},30")
    (folder / "labels.csv").write_text("\n".join(rows))
    store = imported(folder, tmp_path / "s", on_bad="drop", said=lines)
    assert store.clips["n_frames"].median() == frames
    assert any(said in line for line in lines), lines
    assert ("beyond" in said) == any("lies beyond" in line for line in lines)


def test_a_width_without_a_height_is_said(tmp_path):
    one(tmp_path, ".npy", npy(CLIP), said := [], columns=(",width", ",640"))
    assert "x: labels.csv has a column width and no height: not used." in said


def test_a_clip_whose_image_is_larger_than_is_said_and_a_normalised_one_among_pixels(tmp_path):
    folder, lines = tmp_path / "in", []
    folder.mkdir()
    rows = ["file,gloss,width,height"]
    for number in range(8):
        clip = signer(seed=number) * (640, 480)
        clip = signer(seed=7) - (0.5, 0.45) if number == 7 else clip
        np.save(folder / f"c{number}.npy", clip * 100 if number == 7 else clip)
        rows.append(f"c{number}.npy,a,{'320,240' if number == 5 else '640,480'}")
    (folder / "labels.csv").write_text("\n".join(rows))
    store = imported(folder, tmp_path / "s", on_bad="drop", said=lines)
    assert any("outside of the image in 1 clip ('c5')" in line for line in lines), lines
    assert len(store) == 7
    reason = store.card["dropped"]["clips"][0]["reason"]
    assert reason == "its shoulders lie around zero: normalised, but the other clips are in pixels"


def test_files_that_a_table_names_otherwise(tmp_path):
    folder, said = tmp_path / "in", []
    (folder / "clips").mkdir(parents=True)
    for name in ("S0", "s1", "00007", "s3"):
        np.save(folder / f"clips/{name}.npy", signer(seed=len(name)))
    rows = ["D:\\data\\clips\\s0.NPY,a", "s1,a", "/home/me/clips/s3.mp4,a", "7.npy,a"]
    (folder / "labels.csv").write_text("file,gloss\n" + "\n".join(rows) + "\n")
    store = imported(folder, tmp_path / "s", on_bad="drop", said=said)
    assert store.clips["source"].tolist() == ["clips/S0.npy", "clips/s1.npy", "clips/s3.npy"]
    dropped = store.card["dropped"]["clips"]
    assert "did a spreadsheet take the zeros away" in dropped[0]["reason"]


def test_a_row_given_twice_in_another_case(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    np.save(folder / "c0.npy", CLIP)
    (folder / "labels.csv").write_text("clip_id,gloss\nc0,a\nC0,a\n")
    with pytest.raises(UserError, match="row 3.*clip_id occurs twice"):
        imported(folder, tmp_path / "s")
    (folder / "labels.csv").write_text("clip_id,gloss,start,end\nc0,a,0,4\nC0,a,4,8\n")
    assert len(imported(folder, tmp_path / "s")) == 2


@pytest.mark.parametrize("wrap", ["", "my set/"])
@pytest.mark.parametrize("ending", ["", ".zip", ".tgz"])
def test_a_table_within_an_archive_or_an_inner_folder(tmp_path, wrap, ending):
    folder = tmp_path / "in"
    (folder / wrap / "kp").mkdir(parents=True)
    np.save(folder / wrap / "kp/a.npy", CLIP)
    (folder / wrap / "labels.csv").write_text("file,gloss\nkp/a.npy,book\n")
    if ending:
        kind = "zip" if ending == ".zip" else "gztar"
        made = Path(shutil.make_archive(str(tmp_path / "set"), kind, folder))
        folder = made.rename(tmp_path / f"set{ending}")
    assert imported(folder, tmp_path / "s").clips["gloss"].tolist() == ["book"]


def test_several_tables_within_are_named(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "x.npy", CLIP)
        (tmp_path / name / "labels.csv").write_text("file,gloss\nx.npy,book\n")
    with pytest.raises(UserError, match="several tables of labels, a/labels.csv, b/labels.csv"):
        imported(tmp_path, tmp_path / "s")


def test_near_equal_glosses(tmp_path):
    folder, said = tmp_path / "in", []
    folder.mkdir()
    glosses = ["book", "Book", "book", "ice cream", "ice\u00a0cream", "tree"]
    for number in range(6):
        np.save(folder / f"{number}.npy", signer(seed=number))
    lines = "".join(f"{number}.npy,{gloss}\n" for number, gloss in enumerate(glosses))
    (folder / "labels.csv").write_text(f"file,gloss\n{lines}", encoding="utf-8")
    imported(folder, tmp_path / "s", said=said)
    assert any(
        "2 glosses in several spellings, which count as different ('book' = 'Book'" in line
        for line in said
    )
    store = imported(folder, tmp_path / "s", fold_glosses=True)
    assert store.clips["gloss"].tolist() == ["book"] * 3 + ["ice cream"] * 2 + ["tree"]
