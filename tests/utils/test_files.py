"""Files and folders are whole or absent."""

# ruff: noqa: PT012 (what fails is the context manager, inside it something must happen)

import os
import re
import subprocess
import sys

import pytest

from disks import read_only, small_disk
from sslslr.utils import files
from sslslr.utils.errors import UserError
from sslslr.utils.files import (
    HOST,
    atomic_file,
    atomic_folder,
    read_json,
    refuse_foreign,
    sha256_of,
    write_json,
    write_text,
)


def test_text_is_replaced_as_a_whole(tmp_path):
    write_text(tmp_path / "a" / "b.txt", "one")
    write_text(tmp_path / "a" / "b.txt", "two")
    assert (tmp_path / "a" / "b.txt").read_text() == "two"
    assert os.listdir(tmp_path / "a") == ["b.txt"]


def test_a_failure_keeps_the_old_file(tmp_path):
    write_text(tmp_path / "b.txt", "old")
    with pytest.raises(RuntimeError), atomic_file(tmp_path / "b.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert (tmp_path / "b.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["b.txt"]


@pytest.mark.parametrize(("write", "name"), [(atomic_file, "a.csv"), (atomic_folder, "store")])
def test_what_a_killed_command_left_goes_with_the_next_of_its_target(tmp_path, write, name):
    code = (
        "import os, signal, sys; from sslslr.utils.files import *; w = eval(sys.argv[1])(sys.argv[2]); w.__enter__();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, write.__name__, str(tmp_path / name)], cwd=tmp_path)
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    pid = int(dead.stdout)
    kinds = ("tmp", "old") if write is atomic_folder else ("tmp",)
    halves = [f".{name}.{HOST}.{pid}.0123abcd.{kind}" for kind in kinds]
    others = [f".{name}.{HOST}.{os.getpid()}.0123abcd.tmp", f".another.{HOST}.{pid}.0123abcd.tmp"]
    for half in (*halves, *others):
        (tmp_path / half).mkdir()
        (tmp_path / half / "x").write_text("half")
    with write(tmp_path / name) as temporary:
        file = temporary / "x" if temporary.is_dir() else temporary
        file.write_text("whole")
    assert sorted(os.listdir(tmp_path)) == sorted([*others, name])
    whole = tmp_path / name
    assert (whole / "x" if whole.is_dir() else whole).read_text() == "whole"


def test_a_failure_keeps_the_old_folder(tmp_path):
    with atomic_folder(tmp_path / "f") as temporary:
        (temporary / "x").write_text("old")
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "f") as temporary:
        (temporary / "x").write_text("half")
        raise RuntimeError
    assert (tmp_path / "f" / "x").read_text() == "old"
    assert os.listdir(tmp_path) == ["f"]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    for name in ("x", "y"):
        with atomic_folder(tmp_path / "f") as temporary:
            (temporary / name).write_text(name)
    assert os.listdir(tmp_path / "f") == ["y"]
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("call", ["os.rename", "shutil.rmtree"])  # killed as soon as it is done
def test_a_kill_while_a_folder_is_replaced_leaves_one_of_the_two(tmp_path, call):
    with atomic_folder(tmp_path / "f") as temporary:
        (temporary / "x").write_text("old")
    code = (
        "import os, shutil, signal, sys; from sslslr.utils.files import *\n"
        f"call = {call}\n"
        "with atomic_folder('f') as temporary:\n"
        "    (temporary / 'x').write_text('new')\n"
        f"    {call} = lambda *a, **k: (call(*a, **k), os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path)
    assert (tmp_path / "f" / "x").read_text() in ("old", "new")
    files.sweep(tmp_path)
    assert os.listdir(tmp_path) == ["f"]


def test_a_folder_takes_the_place_of_a_file(tmp_path):
    (tmp_path / "f").write_text("a file")
    with atomic_folder(tmp_path / "f") as temporary:
        (temporary / "x").write_text("x")
    assert os.listdir(tmp_path) == ["f"]
    assert os.listdir(tmp_path / "f") == ["x"]


def test_a_failed_swap_puts_the_old_folder_back(tmp_path, monkeypatch):
    with atomic_folder(tmp_path / "f") as temporary:
        (temporary / "x").write_text("old")
    rename, calls = os.rename, []

    def fails_second(a, b):
        calls.append(a)
        if len(calls) == 2:
            raise OSError(5, "input/output error")
        rename(a, b)

    monkeypatch.setattr(os, "rename", fails_second)
    monkeypatch.setattr(files, "_exchanged", lambda a, b: False)
    with pytest.raises(OSError, match="input/output"), atomic_folder(tmp_path / "f") as temporary:
        (temporary / "x").write_text("new")
    assert (tmp_path / "f" / "x").read_text() == "old"
    assert os.listdir(tmp_path) == ["f"]


def test_a_full_disk_is_a_sentence(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(UserError, match="no space left"):
            write_text(disk / "big.txt", "x" * 2_000_000)
        assert os.listdir(disk) == []


def test_a_folder_within_another_is_named_as_it_will_be(tmp_path):
    with (
        small_disk(tmp_path / "disk") as disk,
        pytest.raises(UserError) as caught,
        atomic_folder(disk / "out") as out,
        atomic_folder(out / "model") as model,
    ):
        (model / "big").write_bytes(bytes(2_000_000))
    assert str(caught.value).startswith(f"{disk}/out/model: no space left")


@pytest.mark.parametrize("manager", [atomic_file, atomic_folder])
def test_a_read_only_folder_is_a_sentence(tmp_path, manager):
    with read_only(tmp_path / "ro") as folder:
        with pytest.raises(UserError, match="not writable"), manager(folder / "x") as temporary:
            temporary.write_text("x")
        with pytest.raises(UserError, match="not writable"), manager(folder / "a" / "x") as at:
            at.write_text("x")


def test_a_missing_input_is_not_called_a_write_error(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "out" / "x"):
        (tmp_path / "absent.txt").read_text()


@pytest.mark.parametrize("name", [".git", ".env", "notes.txt", ".card.json"])
def test_a_folder_of_somebody_elses_is_refused(tmp_path, name):
    """Hidden files too: the folder would be replaced as a whole."""
    (tmp_path / "card.json").write_text("{}")
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=re.escape(f"holds {name!r}, which is no part of a toy")):
        refuse_foreign(tmp_path, ["card.json"], "toy")


def test_what_systems_leave_in_a_folder_is_no_reason_to_refuse_it(tmp_path):
    for name in ("card.json", ".DS_Store", "._card.json", ".snakemake_timestamp", ".nfs000a01"):
        (tmp_path / name).write_text("x")
    refuse_foreign(tmp_path, ["card.json"], "toy")
    refuse_foreign(tmp_path / "absent", ["card.json"], "toy")


def test_a_link_to_nowhere_and_a_file_are_refused(tmp_path):
    (tmp_path / "out").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"a link to .*gone, which does not exist"):
        refuse_foreign(tmp_path / "out", ["card.json"], "toy")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="a file, where a toy is to be made"):
        refuse_foreign(tmp_path / "file", ["card.json"], "toy")


def test_a_file_of_the_same_name_makes_no_folder_of_this_kind(tmp_path):
    """A user's folder with nothing but a `keypoints.npy` was replaced."""
    own, record = ("keypoints.npy", "card.json"), ("card.json", "layout_version")
    (tmp_path / "keypoints.npy").write_text("a year's work")
    with pytest.raises(UserError, match=r"holds 'keypoints.npy' but no 'card.json', so it may be"):
        refuse_foreign(tmp_path, own, "toy", record)
    (tmp_path / "card.json").write_text("")
    refuse_foreign(tmp_path, own, "toy", record)  # all of its files
    (tmp_path / "keypoints.npy").unlink()
    with pytest.raises(UserError, match=r"no 'keypoints.npy', so it may be no toy"):
        refuse_foreign(tmp_path, own, "toy", record)
    (tmp_path / "card.json").write_text('{"layout_version": 1}')
    refuse_foreign(tmp_path, own, "toy", record)  # damaged, and to be made again


def test_a_link_to_a_folder_is_followed(tmp_path):
    """The link was replaced by a folder: on the small disk that it led away from."""
    for name in ("disk", "results"):
        (tmp_path / name).mkdir()
    (tmp_path / "disk" / "store").mkdir()
    (tmp_path / "disk" / "store" / "old").write_text("old")
    link = tmp_path / "results" / "store"
    link.symlink_to("../disk/store")
    with atomic_folder(link) as folder:
        (folder / "new").write_text("new")
    assert link.is_symlink()
    assert os.listdir(tmp_path / "disk" / "store") == ["new"]
    assert os.listdir(tmp_path / "disk") == ["store"]
    with pytest.raises(RuntimeError), atomic_folder(link):
        raise RuntimeError("midway")
    assert (link / "new").read_text() == "new"


def test_json(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, "ä"]})
    assert read_json(tmp_path / "a.json") == {"b": [1, "ä"]}
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "nan.json", float("nan"))
    assert os.listdir(tmp_path) == ["a.json"]


def test_json_errors_name_the_file(tmp_path):
    with pytest.raises(UserError, match=r"a\.json: there is no such file"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match=r"a\.json: not valid JSON"):
        read_json(tmp_path / "a.json")
    with pytest.raises(UserError, match="is a folder, not a regular file"):
        read_json(tmp_path)


def test_a_key_that_stands_twice_is_named_after_one_pass_over_the_keys():
    class Counted(str):
        compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other):
            Counted.compared += 1
            return str.__eq__(self, other)

    pairs = [(Counted(number), 0) for number in range(2000)] + [(Counted(1999), 1)]
    with pytest.raises(ValueError, match="key '1999' stands twice"):
        files._once(pairs)
    assert Counted.compared < 20_000  # each with each: two million


@pytest.mark.parametrize("place", [".", "file/a.json", "x" * 300])
def test_a_place_where_no_file_can_be_is_named_and_nothing_is_left(tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written \(.*Name another place"):
        write_json((tmp_path / "folder" / place).resolve(), 1)
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == ["file"]


def test_sha256(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256_of(tmp_path / "empty") == expected
