"""Make an environment that is whole, or that the same command makes whole after an interruption.

    python scripts/environment.py .venv -- -r requirements.lock -- --no-deps -e .
    python scripts/environment.py .venv --add pose -- --no-deps -r requirements-pose.txt

Each part behind `--` is one `pip install`. While they run, the environment's marker is `.begun`; the
last step renames it to `.ready`. An environment that was interrupted is thrown away, as nobody can
tell which of its packages are whole; a folder that this script did not make is left alone. What is
added to an environment that is ready has markers of its own (`.pose-begun`, `.pose-ready`), and what
an interruption left of it is installed over. One lock, which pip inherits, keeps a second command,
and an installer that outlived its `make`, apart.

Run by any Python, before there is an environment: the standard library alone.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MAKE = ("-m", "venv")  # of the interpreter that runs this
OLDEST = (3, 11)
ENOUGH = 1_000_000  # bytes that the folder for temporary files must take


def begin(folder):
    """Leave `folder` either absent but for its marker, or whole and marked as begun."""
    discarded = Path(f"{folder}.discarded")
    shutil.rmtree(discarded, ignore_errors=True)
    if (folder / ".begun").exists():
        os.rename(folder, discarded)  # at once: half of a folder would be somebody else's
        shutil.rmtree(discarded, ignore_errors=True)
    elif (folder / ".ready").exists():
        os.rename(folder / ".ready", folder / ".begun")
    elif folder.exists() and any(folder.iterdir()):
        sys.exit(
            f"{folder}: not an environment of this Makefile. Remove it, or name another folder: "
            "make VENV=FOLDER"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".begun").touch()


def outer_python(folder):
    """The interpreter that runs this, by a name outside of `folder`, which may be thrown away.

    `make` finds `python3` in an environment that was begun, because its PATH names that first.
    """
    python, folder = Path(sys.executable), folder.absolute()
    while folder in python.parents and python.is_symlink():
        python = python.parent / os.readlink(python)
    return str(python)


def install(folder, name, parts, lock):
    """Run the parts in `folder` and put its marker in place."""
    begun, ready = (folder / f".{name}{word}" for word in ("begun", "ready"))
    outer = outer_python(folder)  # before anything is thrown away
    over = ["--ignore-installed"] if name and begun.exists() else []
    if name:
        begun.touch()
    else:
        begin(folder)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", *over]
    commands = [] if python.exists() else [[outer, *MAKE, str(folder)]]
    for command in [*commands, *([*pip, *part] for part in parts)]:
        code = subprocess.run(command, pass_fds=[lock]).returncode
        if code:
            sys.exit(
                f"{folder}: `{' '.join(command)}` failed ({code}), see above. "
                "Then run the same command again."
            )
    begun.touch()  # make goes by its time
    os.replace(begun, ready)


def check_machine():
    """Stop with one line where no environment can be made."""
    if sys.version_info < OLDEST:
        version = ".".join(map(str, OLDEST))
        sys.exit(
            f"sslslr needs Python {version} or newer, found {sys.version.split()[0]}; name another one: "
            f"make PYTHON=python{version}"
        )
    try:
        with tempfile.TemporaryFile() as stream:
            stream.write(bytes(ENOUGH))
    except OSError as error:
        sys.exit(
            f"{os.environ.get('TMPDIR', '/tmp')}: no temporary file can be written ({error.strerror}). "
            "Free some space, or name another folder: TMPDIR=FOLDER make ..."
        )


def main(arguments):
    folder, *options = arguments[: arguments.index("--")]
    name = f"{options[1]}-" if options[:1] == ["--add"] else ""
    parts, started = [], time.time()
    for word in arguments[arguments.index("--") :]:
        parts.append([]) if word == "--" else parts[-1].append(word)
    check_machine()
    folder = Path(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{folder}.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(
                    f"{folder}: waiting for another command that installs into it", file=sys.stderr
                )
                fcntl.flock(lock, fcntl.LOCK_EX)
                with contextlib.suppress(OSError):
                    if (folder / f".{name}ready").stat().st_mtime > started:
                        return
            install(folder, name, parts, lock.fileno())
    except OSError as error:
        sys.exit(f"{error.filename or folder}: {error.strerror}; the environment was not made.")


if __name__ == "__main__":
    main(sys.argv[1:])
