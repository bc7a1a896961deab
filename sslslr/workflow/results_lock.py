"""One workflow at a time in a results folder, and the traces of one that was killed.

A workflow holds the file `.workflow.json` of its results folder locked for as long as it lives; the
kernel lets go of the lock when the process dies, however it dies. So a second workflow knows that a
first one is alive, and one that gets the lock knows that whoever left a trace is dead. It then

- ends the jobs that a killed workflow left running, because they would go on writing (they are found
  by a token that they inherited in their environment; a pretraining goes on from its checkpoint),
- removes the locks that a killed Snakemake left in `.snakemake/locks`,
- clears away half-written files.

Files that are dated in the future are said: Snakemake goes by times.

On a cluster jobs outlive the workflow on other machines: there nothing is unlocked or ended by
itself, and the error says what to look at.
"""

import contextlib
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from sslslr.utils.errors import UserError
from sslslr.utils.files import HOST, LEFT_OVER, explain, sweep

RECORD = ".workflow.json"
TOKEN = "SSLSLR_WORKFLOW"  # environment variable that the jobs of a workflow inherit
PLACES = (
    *("data", "encoders", "features", "metrics", "tables", "figures", "top1", "model"),
    *("study.json", "report.html", "provenance.json"),
)
SLACK = 2.0  # seconds by which a file may be newer than the clock of this machine
GRACE = 20.0  # seconds that a job has to end after SIGTERM
_held: dict[Path, Any] = {}  # open, locked files; they live as long as this process


def enter(results: str | Path, cluster: bool = False, locks: str | Path = "") -> list[str]:
    """Take the results folder for this process, for as long as it lives, and tidy up in it.

    Args:
        cluster: jobs run on other machines (they outlive a workflow that is killed).
        locks: Snakemake's folder of locks, `.snakemake/locks`.

    Returns:
        Sentences on what was found and done.

    Raises:
        UserError: another workflow works there, or the folder cannot be written.
    """
    results = Path(results)
    stream = _open(results)
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UserError(_occupied(results, _record(stream))) from None
    _held[results.absolute()] = stream
    before = _record(stream)
    stale = sorted(_locks_of(results, Path(locks))) if locks else []
    notes = []
    if stale and (before.get("cluster") or before.get("host", HOST) != HOST):
        where = "on a cluster" if before.get("cluster") else f"on {before['host']}"
        raise UserError(
            f"{results}: a workflow {where} (process {before.get('pid')}, since "
            f"{before.get('since')}) left Snakemake's locks behind. If it was killed, its jobs may "
            "still be running and writing: look with `squeue --me` (or on that machine), cancel "
            "them or let them end, then run `snakemake --unlock` and the same command again."
        )
    if before.get("host") == HOST and not before.get("cluster"):
        notes += _end_orphans(before.get("token", ""))
    for lock in stale:
        lock.unlink(missing_ok=True)
    if stale:
        notes.append(
            f"process {before.get('pid', '?')} was killed while it worked on {results}; its locks "
            "are removed, and what it left unfinished is made again"
        )
    cleared = [] if before.get("cluster") or cluster else sweep(results)
    if cleared:
        notes.append(f"cleared away {len(cleared)} half-written files, the first {cleared[0]}")
    notes += dated_ahead(results)
    os.environ[TOKEN] = token = uuid.uuid4().hex
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    record = {
        "host": HOST, "pid": os.getpid(), "since": since, "cluster": cluster, "token": token,
    }  # fmt: skip
    try:
        stream.seek(0)  # in place, not renamed: the lock is on this file
        stream.truncate()
        stream.write(json.dumps(record) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    except OSError as error:
        raise explain(error, results / RECORD) from error
    return notes


def leave(results: str | Path) -> None:
    """Let go of a folder that this process took; dying does the same."""
    if stream := _held.pop(Path(results).absolute(), None):
        with contextlib.suppress(OSError):  # a full disk, which was said when it was met
            stream.close()
    os.environ.pop(TOKEN, None)


def _open(results: Path) -> Any:
    path = results / RECORD
    try:
        results.mkdir(parents=True, exist_ok=True)
        # Neither "w", which empties the record of whoever holds it, nor "a", which never overwrites.
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+", encoding="utf-8")
    except OSError as error:
        raise explain(error, path) from error


def _record(stream: Any) -> dict[str, Any]:
    stream.seek(0)
    with contextlib.suppress(ValueError):
        value = json.loads(stream.read())
        return value if isinstance(value, dict) else {}
    return {}  # new, or cut by the death of its writer


def _occupied(results: Path, record: dict[str, Any]) -> str:
    who = (
        f"process {record['pid']} on {record['host']}, since {record['since']}"
        if {"pid", "host", "since"} <= set(record)
        else "started a moment ago"
    )
    return (
        f"{results}: another workflow is at work there ({who}); this one leaves and changes nothing. "
        "Wait until it has ended, then run the same command again."
    )


def _locks_of(results: Path, locks: Path) -> Iterator[Path]:
    """Snakemake's lock files that name a file of this results folder (there may be other studies)."""
    places = tuple(str(Path(results, place)) for place in PLACES)
    for lock in locks.glob("*.lock") if locks.is_dir() else []:
        lines = lock.read_text(encoding="utf-8", errors="replace").splitlines()
        named = [line.strip() for line in lines if line.strip()]
        if not named or any(os.path.normpath(name).startswith(places) for name in named):
            yield lock


def _end_orphans(token: str) -> list[str]:
    """End the jobs that inherited `token` from a workflow that is dead."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    orphans = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in own and token and process.environ().get(TOKEN) == token:
                orphans.append(process)
    for process in orphans:
        with contextlib.suppress(psutil.Error):
            process.terminate()
            process.resume()  # one that was suspended could not end
    _, alive = psutil.wait_procs(orphans, timeout=GRACE)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=GRACE)
    if not orphans:
        return []
    return [f"ended {len(orphans)} processes that a killed workflow had left running"]


def dated_ahead(results: str | Path) -> list[str]:
    """A sentence where files of the stages are dated in the future: the clock was wrong, or is now.

    What is edited or made from now on would look older than they are, and go unseen.
    """
    limit = time.time() + SLACK
    late = [
        path
        for place in PLACES
        for path in [Path(results, place), *Path(results, place).rglob("*")]
        if path.exists() and not LEFT_OVER.fullmatch(path.name) and path.stat().st_mtime > limit
    ]
    if not late:
        return []
    return [
        f"{len(late)} files in {results} are dated in the future (the first: {late[0]}). This machine's "
        "clock is behind, or was ahead when they were made. Snakemake goes by times and may take what is "
        "stale for new: set the clock right, or make everything again (snakemake --forceall)."
    ]
