"""What a long job shows: a progress bar on a terminal, plain lines in a log."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator


def say(text: str) -> None:
    """One line on standard error, at once: a log that is followed must not lag behind."""
    print(text, file=sys.stderr, flush=True)


def say_imports(name: str) -> None:
    """How long the process took to come here: Python's start and its imports; run.json counts from here."""
    import psutil

    say(f"{name}: Python and imports {time.time() - psutil.Process().create_time():.1f} s")


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function (done, total) that moves a bar; None where standard error is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title)
        yield lambda done, total: progress.update(task, completed=done, total=total)
