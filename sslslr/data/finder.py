"""Which clip of a folder or an archive a row of its table means."""

import bisect
import functools
import itertools
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from sslslr.data.readers import Unit, endings, parts_of
from sslslr.utils.tables import last_part, path_parts, plain_path, without_suffix
from sslslr.utils.words import counted

DEEPEST = 16  # folders of a path by which clips are looked up; of deeper ones each is compared
FEW = 16  # clips that are compared one by one
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v")
TEXTS = (".csv", ".tsv", ".txt")  # of clips that are tables, which may be anything else

Folders = dict[tuple[str, ...], list[tuple[tuple[str, ...], Unit]]]


class Finder:
    """Finds the clip that a row means: by its path, and where no path is that one by what agrees.

    Differences that do not matter: case, the ending, folders before the path (in the table or in the
    archive), slashes. `how` counts the clips that were found in spite of one.
    """

    def __init__(self, units: Sequence[Unit], names: Sequence[str] = ()):
        self._units, self._names = units, names
        self._endings = (*endings(), *TEXTS)
        self._exact = {plain_path(unit.name): unit for unit in reversed(units)}
        self._last: dict[str, list[tuple[tuple[str, ...], Unit]]] = defaultdict(list)
        self._near: dict[tuple[str, str], list[tuple[tuple[str, ...], Unit]]] = defaultdict(list)
        self._digits: dict[int, list[Unit]] = defaultdict(list)
        self._deep: dict[tuple[str, str], tuple[Folders, Folders]] = {}
        self._several: dict[tuple[str, ...], list[Unit]] = {}  # what was asked, and is ambiguous
        for unit in units:
            parts = path_parts(unit.name)
            if not parts:
                continue
            stem = self._stem(parts[-1])
            for last in {parts[-1], stem}:
                self._last[last].append((parts, unit))
                self._near[(parts[-2] if len(parts) > 1 else "", last)].append((parts, unit))
            if stem.isdecimal():
                self._digits[int(stem)].append(unit)
        self.how: dict[str, int] = defaultdict(int)

    def __call__(self, text: str) -> list[Unit]:
        """The clips that `text` may mean: none, one, or several."""
        exact = self._exact.get(plain_path(text))
        if exact is not None:
            return [exact]
        last = last_part(text)
        if last not in self._last and (last := self._stem(last)) not in self._last:
            return []
        parts = path_parts(text)
        if not parts or ".." in parts:
            return []
        if parts in self._several:
            return self._several[parts]
        agree = self._agreeing(parts, last)
        as_long = [(other, unit) for other, unit in agree if len(other) == len(parts)]
        agree = as_long or agree
        same = [(other, unit) for other, unit in agree if other[-1] == parts[-1]]
        agree = same or agree
        if len(agree) == 1:
            self._say(text, parts, *agree[0])
        found = [unit for _, unit in agree]
        if len(found) > 1:
            self._several[parts] = found
        return found

    def _agreeing(self, parts: tuple[str, ...], last: str) -> list[tuple[tuple[str, ...], Unit]]:
        """Clips that are called `last` and whose folders, as far as both have some, are those of `parts`."""
        folders = parts[:-1]
        if not folders:
            return self._last.get(last, [])
        # Of paths that agree the folders next to the files do, or one has none.
        near, bare = (folders[-1], last), self._near.get(("", last), [])
        few = self._near.get(near, [])
        if len(folders) > DEEPEST or len(few) <= FEW:
            there = [*few, *bare]
            return [(other, unit) for other, unit in there if _tails(parts, other)]
        ends, whole = self._by_folders(near)
        shorter = [whole.get(folders[first:], []) for first in range(1, len(folders))]
        return [*ends.get(folders, []), *itertools.chain(*shorter), *bare]

    def _by_folders(self, near: tuple[str, str]) -> tuple[Folders, Folders]:
        """Clips of one name and next folder by the ends of their folders, and by all of these.

        Made when first asked for: of SIGNER/clip/a.npy it has all clips, of most layouts one.
        """
        if near not in self._deep:
            ends: Folders = defaultdict(list)
            whole: Folders = defaultdict(list)
            for other, unit in self._near.get(near, []):
                whole[other[:-1]].append((other, unit))
                for first in range(max(0, len(other) - 1 - DEEPEST), len(other) - 1):
                    ends[other[first:-1]].append((other, unit))
            self._deep[near] = ends, whole
        return self._deep[near]

    def _stem(self, name: str) -> str:
        return stem_of(name, self._endings)

    def _say(self, text: str, parts: tuple[str, ...], other: tuple[str, ...], unit: Unit) -> None:
        if len(other) != len(parts):
            self.how["in another folder than the table names"] += 1
        elif (
            self._stem(other[-1]) != other[-1]
            and PurePosixPath(parts[-1]).suffix
            and other[-1] != parts[-1]
        ):
            self.how["under another ending than the table names"] += 1
        elif without_suffix(plain_path(unit.name)) != without_suffix(plain_path(text)) and len(
            unit.name
        ) >= len(text):
            folded = without_suffix(plain_path(unit.name)).casefold()
            if folded == without_suffix(plain_path(text)).casefold():
                self.how["in another case than the table writes"] += 1

    @functools.cached_property
    def _inside(self) -> dict[str, list[str]]:
        """Clips by the stem of a file that they are in."""
        found: dict[str, list[str]] = defaultdict(list)
        for unit in self._units:
            for stem in {parts_of(file)[1] for file in unit.files}:
                found[stem].append(unit.name)
        return dict(found)

    @functools.cached_property
    def _whole(self) -> dict[str, str]:
        """The first clip by the stem of its file, where it is called as the file is."""
        return {
            stem: own
            for stem, names in self._inside.items()
            if (own := next((n for n in names if self._stem(last_part(n)) == stem), None))
        }

    def hint(self, text: str) -> str:
        """What to say of a text that names no clip."""
        stem = self._stem(last_part(text))
        inside = self._inside.get(stem, [])
        if own := self._whole.get(stem):
            return f"; {own!r} lies in another folder: write its path into the table"
        if inside:
            return f"; a file of this name holds {counted(len(inside), 'clip')}, the first called {inside[0]!r}"
        if stem.isdecimal() and len(near := self._digits.get(int(stem), [])) == 1:
            return f"; {near[0].name} is there: did a spreadsheet take the zeros away?"
        stems = self._stems
        place = bisect.bisect(stems, stem)
        begins = [
            other for other in stems[place : place + 2] if re.match(r"[\W_]", other[len(stem) :])
        ]
        begins = [other for other in begins if other.startswith(stem)]
        if len(begins) == 1:
            return f"; {begins[0]!r} begins so: write its name into the table"
        if others := self._others.get(last_part(text)) or self._others.get(stem):
            return f"; {others!r} is there, but of no format that is read (`sslslr data formats`)"
        return ""

    @functools.cached_property
    def _stems(self) -> list[str]:
        return sorted({self._stem(last_part(unit.name)) for unit in self._units})

    @functools.cached_property
    def _others(self) -> dict[str, str]:
        """Files that are no clips, by name and by stem."""
        used = {file for unit in self._units for file in unit.files}
        others = [name for name in reversed(self._names) if name not in used]
        return {
            key: name
            for name in others
            for key in (last_part(without_suffix(name)), last_part(name))
        }


def stem_of(name: str, known: tuple[str, ...] | None = None) -> str:
    """Without an ending of keypoints or videos; other dots belong to the name."""
    dot = name.rfind(".")
    ending = name[dot:].lower() if dot > 0 else ""
    known = endings() if known is None and ending else known or ()
    return name[: -len(ending)] if ending in VIDEOS or ending in known else name


def _tails(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether the shorter path, but for its last part, ends the longer one."""
    shared = min(len(a), len(b)) - 1
    return shared == 0 or a[:-1][-shared:] == b[:-1][-shared:]
