"""One job at a time on an output: a lock file beside it that says whose it is.

A Snakemake that is killed with -9 leaves its Slurm jobs running, and the next one submits them
again. Writes are atomic, so nothing breaks, but the work is done twice, and the second job may
remove what the first has made. With a lock the second one says so and waits:

    with held(Path("results/encoders/RUN"), say) as waited:   # results/encoders/.RUN.lock
        if waited: ...   # another job had it until now, and may have made it

No `flock`: network file systems of clusters may not have it. A file that is created exclusively is
enough, if it can be told whether its owner still lives: a Slurm job by `squeue`, a process on this
host by its pid and start, and any other by the heartbeat, the file's time, that its owner moves.
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from sslslr import slurm
from sslslr.errors import UserError

HEARTBEAT = 30.0  # seconds between an owner's signs of life
SILENCE = 600.0  # seconds without one after which an owner that cannot be asked counts as dead
POLL = 5.0  # seconds between looks of one who waits
REMIND = 300.0  # seconds between lines of one who waits


def lock_path(output: Path) -> Path:
    """Beside the output, hidden: `.NAME.lock`."""
    return output.with_name(f".{output.name}.lock")


@contextlib.contextmanager
def held(output: Path, say: Callable[[str], None], poll: float = POLL) -> Iterator[bool]:
    """Hold the lock of `output`; waits while another job that lives has it. Yields: did it wait?

    Raises:
        UserError: the lock cannot be written.
    """
    path, token = lock_path(Path(output)), uuid.uuid4().hex
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    waited = _take(path, token, say, poll)
    done = threading.Event()
    heart = threading.Thread(target=_beat, args=(path, token, done), daemon=True)
    heart.start()
    try:
        yield waited
    finally:
        done.set()
        heart.join()
        if _read(path).get("token") == token:
            path.unlink(missing_ok=True)


def _take(path: Path, token: str, say: Callable[[str], None], poll: float) -> bool:
    waited, next_line = False, 0.0
    while not _create(path, token):
        owner, age = _read(path), _age(path)
        if age is None:
            continue  # it was given back just now
        if gone := _gone(owner, age):
            say(f"{path}: left behind by {_named(owner)}, {gone}; taking it over")
            _remove(path, owner)
            continue
        if time.monotonic() >= next_line:
            say(
                f"{path}: {_named(owner)} is at work on this output; waiting for it to end. "
                f"To stop that one: {_how_to_stop(owner)}"
            )
            next_line = time.monotonic() + REMIND
        waited = True
        time.sleep(poll)
    return waited


def _create(path: Path, token: str) -> bool:
    owner = {
        "token": token,
        "job": slurm.job_id(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": _start(os.getpid()),
    }
    try:
        with open(path, "x", encoding="utf-8") as stream:
            stream.write(json.dumps(owner) + "\n")
    except FileExistsError:
        return False
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)  # what a full disk left of it
        raise _unwritable(path, error) from error
    return True


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path}: not writable ({error.strerror}); nothing was changed. "
        "Check the folder's permissions and its disk, or name another folder."
    )


def _read(path: Path) -> dict:
    """Who holds the lock; empty for a file that is being written, was cut, or is gone."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _age(path: Path) -> float | None:
    """Seconds since the owner's last sign of life, by the file system's clock; None: no file."""
    now = path.with_name(f".{uuid.uuid4().hex}.now")
    try:
        now.touch()
        return now.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return None
    finally:
        now.unlink(missing_ok=True)


def _gone(owner: dict, age: float) -> str:
    """Why the owner no longer lives, in words; empty if it does or if that cannot be told yet."""
    job, here = owner.get("job"), owner.get("host") == socket.gethostname()
    if here:
        return "" if _process_lives(owner) else "which no longer runs on this host"
    if job is not None and job == slurm.job_id():
        return "an earlier start of this same job"
    found = slurm.state(job) if job is not None else None
    if found is not None:
        return "" if found in slurm.ALIVE else f"which is {found.lower() or 'unknown'} in Slurm"
    return f"silent for {age / 60:.0f} minutes" if age > SILENCE else ""


def _process_lives(owner: dict) -> bool:
    # A pid may be used again; the start tells the two apart.
    return owner.get("pid") is not None and _start(owner["pid"]) == owner.get("started")


def _start(pid: int) -> float | None:
    """When a process began; None if it lives no longer (a zombie does not)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists():  # ticks since the machine's start: not moved by a clock that is set
            return float(stat.read_text().rpartition(")")[2].split()[19])
        return process.create_time()
    except (psutil.NoSuchProcess, OSError):
        return None


def _remove(path: Path, owner: dict) -> None:
    """Remove a dead owner's lock, but not that of another who was quicker to take it over."""
    aside = path.with_name(f".{uuid.uuid4().hex}.lock")
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
        if _read(aside).get("token") != owner.get("token"):
            with contextlib.suppress(OSError):
                os.link(aside, path)
        aside.unlink()


def _beat(path: Path, token: str, done: threading.Event) -> None:
    while not done.wait(HEARTBEAT):
        if _read(path).get("token") == token:
            with contextlib.suppress(OSError):
                os.utime(path)


def _named(owner: dict) -> str:
    if not owner:
        return "an unknown process"
    process = f"process {owner.get('pid')} on {owner.get('host')}"
    return f"Slurm job {owner['job']} ({process})" if owner.get("job") else process


def _how_to_stop(owner: dict) -> str:
    if not owner:
        return "find it; the lock says nothing of it."
    return f"scancel {owner['job']}" if owner.get("job") else f"kill {owner.get('pid')}"
