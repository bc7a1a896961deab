"""Errors that are written for the person who reads them.

A :class:`UserError` says what was found, where, and what to do about it. The command line prints
its text alone (no traceback) and exits with status 2; anything else is a defect of ours and keeps
its traceback.
"""

import difflib
from collections.abc import Iterable

MOST_KNOWN = 100  # words that an error lists
MOST_COMPARED = 1000  # words that are compared with the one in question, 20 microseconds each
LONGEST = 100  # characters of the one in question that are compared


class UserError(Exception):
    """Something the user can mend: a file, a setting, a full disk, a missing network."""


class StoreError(UserError):
    """A clip store breaks one of its rules."""

    def __init__(self, file: object, rule: str, clip: str | None = None, advice: str = ""):
        where = f"{file}" + (f", clip {clip!r}" if clip is not None else "")
        super().__init__(f"{where}: {rule}" + (f" {advice}" if advice else ""))


def first_line(error: object, most: int = 100, otherwise: str = "") -> str:
    """The first line of what an error says, cut to `most` characters; `otherwise` where it says nothing."""
    return (str(error).splitlines() or [otherwise])[0][:most]


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the closest known word: `Did you mean 'depth'? Known: depth, width.`"""
    known = sorted(known)
    close = difflib.get_close_matches(word[:LONGEST], known[:MOST_COMPARED], n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    more = ", ..." * (len(known) > MOST_KNOWN)
    return f"{hint}Known: {', '.join(known[:MOST_KNOWN])}{more}."
