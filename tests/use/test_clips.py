"""Clips from anywhere: what nobody labelled is embedded, and refused where signs are needed."""

import csv
import tempfile
from pathlib import Path

import numpy as np
import pytest

from disks import small_disk
from sslslr.data.datasets import _extract_folder
from sslslr.data.store import writing
from sslslr.use.clips import NO_GLOSS, _is_of_videos, clips_of
from sslslr.utils.errors import UserError


def test_clips_without_signs_are_read_and_refused_where_signs_are_needed(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    clip = np.random.default_rng(0).uniform(0.2, 0.8, (12, 75, 2)).astype(np.float32)
    for name in ("a", "b"):
        np.save(folder / f"{name}.npy", clip + (name == "b") / 100)
    with clips_of(folder) as clips:
        assert clips.unlabelled
        assert len(clips.store.clips) == 2
        with pytest.raises(UserError, match="which clip is which sign. Add labels.csv"):
            clips.labelled(folder)
    (folder / "labels.csv").write_text("file,gloss\na.npy,yes\nb.npy,no\n")
    with clips_of(folder) as clips:
        assert sorted(clips.labelled(folder).clips["gloss"]) == ["no", "yes"]


def test_a_full_temporary_folder_is_not_called_the_clips(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    clip = np.random.default_rng(0).uniform(0.2, 0.8, (2000, 75, 2)).astype(np.float32)
    np.save(tmp_path / "mine/a.npy", clip)
    with small_disk(tmp_path / "disk") as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        monkeypatch.setenv("TMPDIR", str(disk))
        with pytest.raises(UserError) as caught, clips_of(tmp_path / "mine"):
            pass
    assert str(caught.value).startswith(
        "No temporary file can be written (No space left on device)"
    )
    assert str(disk) in str(caught.value)


def test_videos_without_labels_are_extracted_and_nothing_that_is_gone_is_named(
    tmp_path, monkeypatch
):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.mp4").write_bytes(b"a film")
    clip = np.random.default_rng(0).uniform(0.2, 0.8, (12, 75, 2))
    asked = []

    def extract_folder(name, values, out, work, progress, say):
        rows = list(csv.DictReader(Path(values["table"]).read_text().splitlines()))
        asked.append((rows, values["backend"], Path(values["folder"])))
        with writing(out, {"dataset": name, "inputs": {}}) as writer:
            writer.add("a", clip, gloss=rows[0]["gloss"])
        say(f"{out}.preview.png: to be looked at first")
        say("The left hand was found in 90 % of the frames.")

    monkeypatch.setattr(_extract_folder, "extract_folder", extract_folder)
    said = []
    for given in (tmp_path / "mine", tmp_path / "mine" / "a.mp4"):
        with clips_of(given, backend="mmpose", log=said.append) as clips:
            assert clips.unlabelled
            assert list(clips.store.clips["clip_id"]) == ["a"]
    assert said == ["The left hand was found in 90 % of the frames."] * 2
    assert [rows for rows, _, _ in asked] == [[{"file": "a.mp4", "gloss": NO_GLOSS}]] * 2
    assert {backend for _, backend, _ in asked} == {"mmpose"}


def test_a_folder_of_keypoints_with_a_few_videos_is_read_as_keypoints(tmp_path):
    clip = np.random.default_rng(0).uniform(0.2, 0.8, (12, 75, 2)).astype(np.float32)
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", clip + (name == "b") / 100)
    (tmp_path / "a.mp4").write_bytes(b"a film")
    said = []
    with clips_of(tmp_path, log=said.append) as clips:
        assert list(clips.store.clips["clip_id"]) == ["a", "b"]
    assert any("read as a folder of keypoints; its videos are left out" in line for line in said)


def test_of_keypoints_and_videos_the_table_says_which_are_meant(tmp_path):
    for name in ("a.npy", "b.npy", "c.mp4"):
        (tmp_path / name).write_bytes(b"")
    assert not _is_of_videos(tmp_path, None, lambda _: None)
    (tmp_path / "labels.csv").write_text("file,gloss\nc.mp4,yes\n")
    assert _is_of_videos(tmp_path, tmp_path / "labels.csv", lambda _: None)
    (tmp_path / "labels.csv").write_text("file,gloss\na.npy,yes\n")
    (tmp_path / "d.mp4").write_bytes(b"")
    (tmp_path / "e.mp4").write_bytes(b"")
    assert not _is_of_videos(tmp_path, tmp_path / "labels.csv", lambda _: None)


def test_videos_without_signs_are_refused_before_they_are_extracted(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"a film")
    monkeypatch.setattr(_extract_folder, "extract_folder", lambda *_: pytest.fail("it was read"))
    with (
        pytest.raises(UserError, match="which clip is which sign"),
        clips_of(tmp_path, labelled=True),
    ):
        pass


def test_errors_name_what_was_given_and_the_command_that_has_the_option(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).uniform(20, 60, (12, 75, 2)))
    with pytest.raises(UserError) as error, clips_of(tmp_path / "a.npy"):
        pass
    text = str(error.value)
    assert text.startswith(f"{tmp_path / 'a.npy'}: ")
    assert f"`sslslr data import {tmp_path / 'a.npy'} --name NAME --out STORE`" in text
    assert "sslslr_" not in text
    np.save(tmp_path / "a.npy", np.random.default_rng(0).uniform(0.2, 0.6, (12, 75, 2)))
    with pytest.raises(UserError) as error, clips_of(tmp_path / "a.npy") as clips:
        raise UserError(f"{clips.store.path}: not one can be used.")
    assert str(error.value) == f"{tmp_path / 'a.npy'}: not one can be used."


def test_what_could_not_be_read_is_named_and_counted(tmp_path):
    clip = np.random.default_rng(0).uniform(0.2, 0.8, (12, 75, 2)).astype(np.float32)
    np.save(tmp_path / "a.npy", clip)
    for number in range(12):
        (tmp_path / f"bad_{number}.npy").write_bytes(b"no array")
    with clips_of(tmp_path) as clips:
        lines = list(clips.left_out([{"clip_id": "z", "reason": "no hand in any frame"}]))
    assert len(lines) == 11
    assert lines[0].startswith("left out: bad_0: ")
    assert lines[-1] == "left out: 3 more."
