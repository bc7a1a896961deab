"""What a long job shows: a bar on a terminal, now and then a plain line in a log."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

EVERY = 15.0  # seconds between the lines of a log


def size_text(number: float) -> str:
    """Bytes for people: `96.0 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError


@contextlib.contextmanager
def advancing(
    title: str, total: int | None, in_bytes: bool = False
) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told by how much the work went on; it may be called by threads.

    Args:
        total: how much there is to do; None where that is not known.
        in_bytes: the numbers are bytes, else they count things.
    """
    if not sys.stderr.isatty():
        yield _Lines(title, total, in_bytes)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    amount = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
    columns = (TextColumn("{task.description}"), BarColumn(), *amount, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total)
        yield lambda step: progress.update(task, advance=step)


class _Lines:
    """The first line after `EVERY` seconds, so that short work is silent."""

    def __init__(self, title: str, total: int | None, in_bytes: bool):
        self._title, self._total = title, total
        self._text = size_text if in_bytes else str
        self._done, self._said, self._lock = 0, time.monotonic(), threading.Lock()

    def __call__(self, step: int) -> None:
        with self._lock:
            self._done += step
            if time.monotonic() - self._said < EVERY:
                return
            self._said = time.monotonic()
            of = f" of {self._text(self._total)}" if self._total else ""
            print(f"{self._title}: {self._text(self._done)}{of}", file=sys.stderr, flush=True)
