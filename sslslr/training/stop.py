"""Stopping when asked to: a scheduler sends SIGTERM some seconds before it kills.

with StopSwitch() as stop:
    ...                      # nothing to save yet: a SIGTERM raises Stopped at once
    stop.wait_for_a_step()   # from here on it is noted,
    if stop.asked: ...       # and looked at where the state can be saved
"""

import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from typing import Any

# EX_TEMPFAIL of sysexits.h: "try again later"; what RequeueExit of slurm.conf may name.
EXIT_CODE = 75


class Stopped(Exception):
    """The run was asked to stop and has put its work down; the same command takes it up again."""


class StopSwitch:
    """Listens for SIGTERM while it is entered; the handlers of before are restored at the end.

    Processes that this one has started with `multiprocessing` are asked to stop as well: under
    Slurm all of them get the signal, from `kill PID` the first alone.

    Args:
        at_once: raise until `wait_for_a_step`; False for one of several processes, which must leave
            together.
    """

    def __init__(self, at_once: bool = True) -> None:
        self.asked = False
        self._at_once = at_once
        self._before: Any = None

    def __enter__(self) -> "StopSwitch":
        if threading.current_thread() is threading.main_thread():  # elsewhere Python forbids it
            self._before = signal.signal(signal.SIGTERM, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def wait_for_a_step(self) -> None:
        """From now on a SIGTERM is only noted, in `asked`."""
        self._at_once = False

    def _ask(self, *_: object) -> None:
        first, self.asked = not self.asked, True
        children = multiprocessing.active_children()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)
        if first and self._at_once and not children:
            raise Stopped("asked to stop before the first step; there was nothing to save")
