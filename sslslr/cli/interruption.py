"""Asked to end from outside: Ctrl-C, SIGTERM (`kill`, a scheduler) or SIGHUP (the terminal was closed).

Python ends at the last two without clearing up. Here each is raised in the main thread, so that half-written and
temporary files go, whatever the command. This module is imported before all others, and is light for that.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# Shells give 128 + its number to a process that a signal ended.
SAID = {
    128 + signal.SIGINT: "interrupted",
    128 + signal.SIGTERM: "terminated",
    128 + signal.SIGHUP: "ended with its terminal",
}
# Snakemake ends its jobs after a Ctrl-C that they got as well, and people press twice: within these seconds
# a second signal would only keep the first from clearing up.
GRACE = 1.0

_asked = -GRACE


@contextmanager
def told() -> Iterator[None]:
    """Whatever runs within can be ended by a signal, which is said in a line.

    Raises:
        SystemExit: with a status of `SAID`.
    """
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        # What is ignored (`nohup`, a shell's `&`) stays so.
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)
    ]
    for number in numbers:
        signal.signal(number, _raise)
    sys.unraisablehook = _ask_again
    try:
        yield
    except KeyboardInterrupt:
        _end(128 + signal.SIGINT)
    except SystemExit as end:
        _end(end.code)
    finally:
        for number in numbers:  # what is left to do is Python's own, and would end in a traceback
            signal.signal(number, signal.SIG_DFL)


def _end(code: Any) -> None:
    if code in SAID:
        with suppress(OSError):  # the terminal may be gone
            print(f"sslslr: {SAID[code]}. Run the same command again.", file=sys.stderr)
    sys.exit(code)


def _raise(number: int, _: object) -> None:
    global _asked  # a process has one handler of signals
    before, _asked = _asked, time.monotonic()
    if _asked - before < GRACE:
        return
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _ask_again(lost: Any) -> None:
    """Code in C and destructors cannot pass an exception on. The command would go on as if nobody had asked."""
    if isinstance(lost.exc_value, KeyboardInterrupt):
        number = signal.SIGINT
    elif isinstance(lost.exc_value, SystemExit) and lost.exc_value.code in SAID:
        number = signal.Signals(lost.exc_value.code - 128)
    else:
        sys.__unraisablehook__(lost)
        return
    again = threading.Timer(GRACE, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()
