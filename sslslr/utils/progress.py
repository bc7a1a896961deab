"""What a long job shows: a bar on a terminal, now and then a plain line in a log."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

Log = Callable[[str], None]  # takes a line for the reader of a job's log
ProgressCallback = Callable[[int, int], None]  # takes steps done, and steps in all
EVERY = 15.0  # seconds between the lines of a log


def say(text: str) -> None:
    """One line on standard error, at once: a log that is followed must not lag behind."""
    print(text, file=sys.stderr, flush=True)


def say_imports(name: str) -> None:
    """How long the process took to come here: Python's start and its imports; run.json counts from here."""
    import psutil

    say(f"{name}: Python and imports {time.time() - psutil.Process().create_time():.1f} s")


def size_text(number: float) -> str:
    """Bytes for people: `96.0 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError


@contextlib.contextmanager
def _bar(in_bytes: bool = False) -> Iterator[Any]:
    """A `rich` progress display on standard error."""
    from rich import progress
    from rich.console import Console

    amount = (
        (progress.DownloadColumn(), progress.TransferSpeedColumn())
        if in_bytes
        else (progress.MofNCompleteColumn(),)
    )
    title = progress.TextColumn("{task.description}")
    columns = (title, progress.BarColumn(), *amount, progress.TimeRemainingColumn())
    with progress.Progress(*columns, console=Console(stderr=True)) as display:
        yield display


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function (done, total) that moves a bar; None where standard error is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with _bar() as display:
        task = display.add_task(title)
        yield lambda done, total: display.update(task, completed=done, total=total)


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
    with _bar(in_bytes) as display:
        task = display.add_task(title, total=total)
        yield lambda step: display.update(task, advance=step)


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
            say(f"{self._title}: {self._text(self._done)}{of}")
