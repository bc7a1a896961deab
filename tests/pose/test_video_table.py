"""Tables of videos: what they may name, and what is said of the rest."""

import unicodedata

import pytest

from sslslr.pose.shards import list_videos
from sslslr.utils.errors import UserError


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file,gloss\na.mp4,x\na.avi,y\n", "would both be the clip 'a'"),
        ("file,gloss\n,x\n", "row 2: file is empty"),
        ("gloss\nx\n", "column 'file' is missing"),
        ("file,gloss\n", "names no video"),
    ],
)
def test_a_wrong_table_stops_before_any_video_is_opened(tmp_path, table, message):
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(UserError, match=message):
        list_videos(tmp_path, tmp_path / "labels.csv")


@pytest.mark.parametrize(("stored", "named"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_video_is_found_in_either_normal_form_of_its_accents(tmp_path, stored, named):
    spelled = unicodedata.normalize(stored, "café.mp4")
    (tmp_path / spelled).write_bytes(b"")
    row = unicodedata.normalize(named, "café.mp4")
    (tmp_path / "labels.csv").write_text(f"file,gloss\n{row},café\n", encoding="utf-8")
    (entry,), left_out = list_videos(tmp_path, tmp_path / "labels.csv")
    assert (tmp_path / entry.file).is_file()
    assert left_out == []


def test_both_normal_forms_of_a_name_can_be_told_apart(tmp_path):
    forms = [unicodedata.normalize(form, "café.mp4") for form in ("NFC", "NFD")]
    for name in forms:
        (tmp_path / name).write_bytes(b"")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system keeps one normal form, so both names are one file")
    rows = "".join(f"{name},x,{number}\n" for number, name in enumerate(forms))
    (tmp_path / "labels.csv").write_text(f"file,gloss,clip_id\n{rows}", encoding="utf-8")
    entries, left_out = list_videos(tmp_path, tmp_path / "labels.csv")
    assert [entry.file for entry in entries] == forms
    assert left_out == []


@pytest.mark.parametrize("name", [".", "/", "./"])
def test_a_row_that_names_no_file_has_a_fault_and_the_others_go_on(tmp_path, name):
    (tmp_path / "labels.csv").write_text(f"file,gloss\n{name},x\na.mp4,x\n")
    entries, _ = list_videos(tmp_path, tmp_path / "labels.csv")
    assert [bool(entry.fault) for entry in entries] == [True, False]
