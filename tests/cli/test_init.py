"""`sslslr init`: the files of a study, from a repository; tests/test_wheel.py does it from a wheel."""

import shutil

import pytest

from disks import small_disk
from sslslr.cli import init
from sslslr.cli.init import FILES, write_study
from sslslr.utils.errors import UserError
from toys import ROOT


def test_the_files_are_those_of_the_repository(tmp_path):
    write_study(tmp_path / "new" / "study")
    assert sorted(path.name for path in (tmp_path / "new" / "study").iterdir()) == sorted(FILES)
    for name in ("Snakefile", "config/demo.yaml", "workflow/rules/common.smk"):
        assert (tmp_path / "new" / "study" / name).read_bytes() == (ROOT / name).read_bytes()


def test_nothing_of_the_users_is_overwritten(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mine.yaml").write_text("name: mine\n")
    with pytest.raises(UserError, match="has config already; nothing was written"):
        write_study(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["config", "mine.yaml"]


def test_what_a_killed_init_left_is_gone_on_with(tmp_path):
    write_study(tmp_path)
    for name in FILES[2:]:
        shutil.rmtree(tmp_path / name)
    write_study(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    (tmp_path / "config" / "demo.yaml").write_text("name: mine\n")
    with pytest.raises(UserError, match="has config already; nothing was written"):
        write_study(tmp_path)


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        write_study(tmp_path / "file")


def test_an_installation_without_the_files_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(init, "PACKAGE", tmp_path / "sslslr")
    with pytest.raises(UserError, match="no files of a study"):
        write_study(tmp_path / "study")


def test_a_full_disk_is_one_line_and_leaves_no_part(tmp_path):
    with small_disk(tmp_path / "disk", "size=100k") as disk:
        with pytest.raises(UserError, match="no space left on the device"):
            write_study(disk / "study")
        assert list(disk.rglob("*")) in ([], [disk / "study"])
