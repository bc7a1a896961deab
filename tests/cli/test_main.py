"""What a user can mend ends in one line; a defect of ours keeps its traceback."""

import errno
import io
import re
import subprocess
import sys

import pytest
import typer

import sslslr
from sslslr.cli import main as cli
from sslslr.utils import files
from sslslr.utils.errors import UserError
from toys import ROOT


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("a.csv: empty"), "a.csv: empty"),
        (ModuleNotFoundError("no", name="scipy.stats"), "package 'scipy', which is not installed"),
        (MemoryError(), "not enough memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            "not enough memory",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"), "not enough memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "not enough memory"),
        (OSError(errno.ENOSPC, "full", "a.npy"), "a.npy: no space left"),
        (OSError(errno.EDQUOT, "quota"), "no space left"),
        (PermissionError(errno.EACCES, "no", "run.json"), "run.json: Permission denied. Look at"),
        (OSError(errno.EIO, "no"), "Input/output error. Look at"),
    ],
)
def test_one_line(monkeypatch, capsys, error, message):
    def app():
        raise error

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("sslslr: error: ")
    assert message in told
    assert len(told.splitlines()) == 1


def test_what_a_kill_left_aside_is_found_by_the_next_command(tmp_path):
    """Where no folder can change places with another, it stands aside before the new one comes."""
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    aside = tmp_path / f".clips.{files.HOST}.{int(dead.stdout)}.0123abcd.old"
    aside.mkdir()
    (aside / "x").write_text("whole")
    subprocess.run(
        [sys.executable, "-m", "sslslr", "data", "check", "clips"],
        cwd=tmp_path,
        capture_output=True,
    )
    assert (tmp_path / "clips" / "x").read_text() == "whole"


@pytest.mark.parametrize(
    "error",
    [
        KeyError("ours"),
        ModuleNotFoundError("no", name="sslslr.gone"),
        FileNotFoundError(2, "no", "x"),
    ],
)
def test_a_defect_keeps_its_traceback(monkeypatch, error):
    def app():
        raise error

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(type(error)):
        cli.main()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_cannot_be_printed_is_escaped(monkeypatch, encoding):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(cli, "app", lambda: print("licence: \ud800 \U0001f600"))
    monkeypatch.setattr(sys, "stdout", out)
    cli.main()
    out.flush()
    assert out.buffer.getvalue().startswith(b"licence: \\ud800 ")


def test_version():
    command = [sys.executable, "-m", "sslslr", "--version"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout == f"sslslr {sslslr.__version__}\n"


def test_a_full_folder_for_temporary_files_is_one_line(monkeypatch):
    files.check_temporary_folder()

    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", full)
    with pytest.raises(
        UserError, match="No temporary file can be written .No space left on device"
    ):
        files.check_temporary_folder()


def test_no_help_has_what_the_terminal_takes_for_a_style():
    """`[all]` is one to rich, and is not printed."""
    groups, texts = [typer.main.get_command(cli.app)], []
    while groups:
        command = groups.pop()
        groups += getattr(command, "commands", {}).values()
        texts += [str(getattr(part, "help", "")) for part in (command, *command.params)]
    assert not [text for text in texts if re.search(r"\[[a-z]", text)]
