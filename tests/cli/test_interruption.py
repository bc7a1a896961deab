"""Ended by a signal, a command says so in a line, and leaves nothing half-written."""

import signal
import subprocess
import sys

import pytest

from toys import ROOT

LINES = {
    signal.SIGINT: "sslslr: interrupted. Run the same command again.\n",
    signal.SIGTERM: "sslslr: terminated. Run the same command again.\n",
    signal.SIGHUP: "sslslr: ended with its terminal. Run the same command again.\n",
}
# `ask()` sends this process the signal, as `kill` does.
BEGIN = """
import os, signal, sys, time
from pathlib import Path
from sslslr.cli.interruption import told
from sslslr.utils.files import atomic_folder
ask = lambda: os.kill(os.getpid(), {number})
"""
WRITING = """
with told(), atomic_folder("out") as folder:
    (folder / "half").write_text("half")
    ask()
    time.sleep(5)
"""
# What ends a job of Snakemake may come twice, and the second comes while the first is obeyed.
TWICE = """
def clear():
    ask()
    Path("half").unlink()

Path("half").touch()
with told():
    try:
        ask()
        time.sleep(5)
    finally:
        clear()
"""
# Python must drop an exception that is raised in a destructor, as code in C must that has no way to pass it on.
LOST = """
class Last:
    def __del__(self):
        ask()
        time.sleep(0)

with told():
    last = Last()
    del last
    time.sleep(10)
"""
# `typer` is imported by `sslslr` itself, the other by a command, whose end by Ctrl-C is a status of typer.
IMPORTING = """
class Asked:
    def find_spec(self, name, *_):
        if name == {name!r}:
            ask()
            time.sleep(5)

sys.meta_path.insert(0, Asked())
sys.argv = ["sslslr", "config", "check", "x.yaml"]
from sslslr.__main__ import main
main()
"""
BODIES = {
    "writing": WRITING,
    "twice": TWICE,
    "lost": LOST,
    "beginning": IMPORTING.format(name="typer"),
    "in a command": IMPORTING.format(name="sslslr.config.load"),
}


def ended(body: str, number: signal.Signals, cwd, ignored: bool = False):
    code = BEGIN.format(number=int(number)) + body
    keep = signal.SIG_IGN if ignored else signal.SIG_DFL
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        text=True,
        capture_output=True,
        timeout=60,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: [signal.signal(each, keep) for each in LINES],
    )


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("number", LINES)
def test_a_signal_is_a_line_and_leaves_nothing(tmp_path, body, number):
    done = ended(body, number, tmp_path)
    assert done.stderr == LINES[number]
    # Python itself ends by SIGINT where code that it compiled on the way was interrupted: the same to a shell.
    assert done.returncode in (128 + number, -signal.SIGINT)
    assert list(tmp_path.iterdir()) == []


def test_an_ignored_signal_stays_ignored(tmp_path):
    """`nohup sslslr ...` outlives its terminal."""
    done = ended("with told():\n    ask()\nprint('done')", signal.SIGHUP, tmp_path, ignored=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_what_comes_after_the_command_is_not_interrupted_by_a_traceback(tmp_path):
    done = ended("with told():\n    pass\nask()\ntime.sleep(5)", signal.SIGINT, tmp_path)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
