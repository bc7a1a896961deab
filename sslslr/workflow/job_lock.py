"""One job at a time on an output: a lock file beside it that says whose it is.

A Snakemake that is killed with -9 leaves its Slurm jobs running, and the next one submits them
again. Writes are atomic, so nothing breaks, but the work is done twice, and the second job may
remove what the first has made. With a lock the second one says so and waits:

    with held(Path("results/encoders/RUN"), say) as waited:   # results/encoders/.RUN.lock
        if waited: ...   # another job had it until now, and may have made it

The lock is a lease, because network file systems of clusters may have no other: a file that its owner
touches. The lock of a process of this host that is gone is free at once, that of a job elsewhere when
it has been silent for LEASE seconds.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import SoftFileLease, Timeout

from sslslr.utils.errors import UserError

LEASE = 180.0  # seconds of silence after which an owner elsewhere counts as dead
POLL = 5.0  # seconds between looks of one who waits


def lock_path(output: Path) -> Path:
    """Beside the output, hidden: `.NAME.lock`."""
    return output.with_name(f".{output.name}.lock")


@contextlib.contextmanager
def held(output: Path, say: Callable[[str], None], poll: float = POLL) -> Iterator[bool]:
    """Hold the lock of `output`; waits while another job that lives has it. Yields: did it wait?

    Raises:
        UserError: the lock cannot be written.
    """
    path = lock_path(Path(output))
    lease = SoftFileLease(path, lease_duration=LEASE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        waited = _take(lease, path, say, poll)
    except OSError as error:
        raise UserError(
            f"{path}: not writable ({error.strerror}); nothing was changed. "
            "Check the folder's permissions and its disk, or name another folder."
        ) from error
    try:
        yield waited
    finally:
        lease.release()


def _take(lease: SoftFileLease, path: Path, say: Callable[[str], None], poll: float) -> bool:
    with contextlib.suppress(Timeout):
        # Twice: where a dead owner's lock is removed, the first look does no more.
        lease.acquire(timeout=poll / 10, poll_interval=poll / 20)
        return False
    say(
        f"{path}: {_owner(path)} is at work on this output; waiting for it to end. To stop that one: "
        "kill it there, or `scancel` its job (squeue --me)."
    )
    lease.acquire(poll_interval=poll)
    return True


def _owner(path: Path) -> str:
    record = ""
    with contextlib.suppress(OSError):
        record = path.read_text(encoding="utf-8", errors="replace")
    stated = dict(line.partition("=")[::2] for line in record.splitlines())
    return f"process {stated.get('pid', '(unknown)')} on {stated.get('host', 'an unknown host')}"
