"""`make env` that is interrupted at any moment: the same command then makes the environment whole."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toys import ROOT

PARTS = 5
# In place of `python -m venv` and of pip: the same steps, slowly, and no pip before the last of them.
FAKE_VENV = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / "bin").mkdir(exist_ok=True)
time.sleep(0.04)
(folder / "pyvenv.cfg").write_text("home = here")
(folder / "bin" / "python").write_text(f'#!/bin/sh\\nexec {sys.executable} {sys.argv[0]}.pip "$0" "$@"\\n')
(folder / "bin" / "python").chmod(0o755)
time.sleep(0.04)
(folder / "bin" / "pip").touch()
"""
FAKE_PIP = """
import pathlib, sys, time
python, *arguments = sys.argv[1:]
folder = pathlib.Path(python).parents[1]
assert arguments[:3] == ["-m", "pip", "install"]
if not (folder / "bin" / "pip").exists():
    sys.exit(python + ": No module named pip")
name = arguments[-1].replace("/", "_")
if (folder / (name + ".info")).exists() and "--ignore-installed" not in arguments:
    sys.exit()  # as pip does with a package of which its record tells it
(folder / (name + ".info")).touch()
for number in range(PARTS):
    time.sleep(0.02)
    (folder / (name + str(number))).touch()
""".replace("PARTS", str(PARTS))
PYTHON = """#!/bin/sh
exec {python} -c '
import sys
sys.path.insert(0, "scripts")
import environment
environment.MAKE = ("{fake}",)
environment.main(sys.argv[2:])
' "$@"
"""


@pytest.fixture
def clone(tmp_path) -> Path:
    """What `make env` needs of a clone, and a `python3` that makes pretended environments."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-pose.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "environment.py", tmp_path / "scripts")
    fake = tmp_path / "fake"
    fake.write_text(FAKE_VENV)
    Path(f"{fake}.pip").write_text(FAKE_PIP)
    (tmp_path / "python3").write_text(PYTHON.format(python=sys.executable, fake=fake))
    (tmp_path / "python3").chmod(0o755)
    return tmp_path


def start(clone: Path, target: str = "env", **environment: str) -> subprocess.Popen:
    """`make TARGET` in a process group of its own."""
    environment = {k: v for k, v in os.environ.items() if k != "SSLSLR_IMAGE"} | environment
    return subprocess.Popen(
        ["make", target, f"PYTHON={clone / 'python3'}"],
        cwd=clone, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


def make(clone: Path, target: str = "env", **environment: str) -> str:
    process = start(clone, target, **environment)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    return output


def is_whole(clone: Path, *names: str) -> bool:
    folder = clone / ".venv"
    files = [f"{name}{number}" for name in names for number in range(PARTS)]
    return all((folder / name).exists() for name in (".ready", "bin/pip", *files))


def kill_at(clone: Path, seconds: float, how: str, target: str = "env") -> None:
    process = start(clone, target)
    time.sleep(seconds)
    if how == "make alone":
        process.kill()  # the installer lives on
    else:
        signal_ = signal.SIGINT if how == "Ctrl-C" else signal.SIGKILL
        os.killpg(process.pid, signal_)
    process.wait()


@pytest.mark.parametrize(("how", "moments"), [("all", 10), ("make alone", 4), ("Ctrl-C", 4)])
def test_an_environment_is_whole_whenever_it_was_interrupted(clone, how, moments):
    started = time.monotonic()
    make(clone)
    length = time.monotonic() - started
    assert is_whole(clone, "requirements.lock", ".")
    for moment in range(moments):
        shutil.rmtree(clone / ".venv")
        kill_at(clone, length * (moment + 0.5) / moments, how)
        make(clone)
        assert is_whole(clone, "requirements.lock", "."), f"killed at {moment} of {moments}"
    assert "Nothing to be done" in make(clone)
    assert not (clone / ".venv" / ".begun").exists()


def test_an_environment_that_was_begun_is_made_anew_by_its_own_python(tmp_path):
    """`make` runs the `python3` of the half-made environment, which is then thrown away."""
    folder = tmp_path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (folder / ".begun").touch()
    (folder / "half").touch()
    script = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import environment
environment.MAKE = ("-m", "venv", "--without-pip")
environment.install(pathlib.Path(sys.argv[2]), "", [], 2)
"""
    for _ in range(2):
        named = [folder / "bin" / "python3", "-c", script, ROOT / "scripts", folder]
        subprocess.run(named, check=True, cwd=tmp_path)
        assert (folder / "bin" / "python3").exists()
        assert (folder / ".ready").exists()
        assert not (folder / "half").exists()
        os.rename(folder / ".ready", folder / ".begun")


def test_an_update_and_an_addition_that_were_interrupted_are_done_again(clone):
    make(clone, "pose")
    assert is_whole(clone, "requirements.lock", ".", "requirements-pose.txt")
    later = time.time() + 100
    os.utime(clone / "requirements-pose.txt", (later, later))
    (clone / ".venv" / ".pose-begun").touch()  # as an interrupted addition leaves it
    for number in range(PARTS):
        (clone / ".venv" / f"requirements-pose.txt{number}").unlink()
    make(clone, "pose")
    assert is_whole(clone, "requirements-pose.txt")
    os.rename(clone / ".venv" / ".ready", clone / ".venv" / ".begun")  # an interrupted update
    (clone / ".venv" / ".3").touch()
    make(clone, "pose")
    assert is_whole(clone, "requirements.lock", ".", "requirements-pose.txt")


def test_a_folder_of_somebody_else_is_left_alone(clone):
    (clone / ".venv").mkdir()
    (clone / ".venv" / "thesis.txt").write_text("mine")
    process = start(clone)
    output = process.communicate(timeout=60)[0]
    assert process.returncode
    assert "not an environment of this Makefile" in output
    assert [path.name for path in (clone / ".venv").iterdir()] == ["thesis.txt"]


def test_two_at_once_make_one_environment(clone):
    processes = [start(clone), start(clone)]
    for process in processes:
        assert process.communicate(timeout=60) is not None
        assert process.returncode == 0
    assert is_whole(clone, "requirements.lock", ".")


def test_no_room_for_temporary_files_is_one_line(clone, monkeypatch):
    process = start(clone, TMPDIR=str(clone / "absent"), TMP="", TEMP="")
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, "another folder serves: " + output
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import environment

    class Full:
        def __enter__(self):
            raise OSError(28, "No space left on device")

        def __exit__(self, *error): ...

    monkeypatch.setattr(environment.tempfile, "TemporaryFile", Full)
    with pytest.raises(SystemExit, match="no temporary file can be written .No space left"):
        environment.check_machine()


def test_a_home_that_cannot_be_written_is_replaced(clone):
    (clone / "Makefile").write_text(
        (clone / "Makefile").read_text() + "\nwhere:\n\t@echo $$HOME; touch $$HOME/file\n"
    )
    output = make(clone, "where", HOME="/proc/nobody")
    assert "The home folder (/proc/nobody) cannot be written" in output
    assert (clone / ".snakemake" / "home" / "file").exists()
    home = clone / "home"
    home.mkdir()
    assert make(clone, "where", HOME=str(home)) == f"{home}\n"
