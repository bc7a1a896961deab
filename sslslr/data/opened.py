"""A source of keypoints, looked at: its clips, their rows, and what their numbers mean."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from sslslr.data.conversion.arrays import arrangements
from sslslr.data.conversion.clip import to_clip
from sslslr.data.conversion.plan import FARTHEST, Conversion, Plan, make_plan
from sslslr.data.conversion.tally import Tally
from sslslr.data.deal import Deal
from sslslr.data.label_names import take_names
from sslslr.data.label_tables import tables_of
from sslslr.data.readers import (
    READERS,
    ClipError,
    RawClip,
    Reader,
    Unit,
    damaged_alone,
    recognised,
)
from sslslr.data.readers._unpickle import UnsafePickle
from sslslr.data.source import (
    Row,
    forget_splits,
    linked,
    refuse_none,
    rows_of,
    units_of,
)
from sslslr.data.times import span, unit_of
from sslslr.pose.layouts import named
from sslslr.utils.archives import MemberError, Members, open_members
from sslslr.utils.errors import UserError
from sslslr.utils.user_files import at_home

SAMPLE = 24  # clips that the meaning of the numbers is decided from
UNREADABLE = (ClipError, UnsafePickle, MemberError)


class Options(Conversion, Deal):
    folder: str = Field(description="Folder (or zip, or tar) of the keypoints.")
    table: str | None = Field(
        None, description="Table of the clips; default labels.csv, instances.csv, train.csv or index.csv "
        "in the folder, and without one a folder a gloss."
    )  # fmt: skip
    language: str | None = Field(
        None, description="Sign language (ISO 639-3) of rows that name none."
    )
    licence: str = Field("not stated", description="Shown in the report.")
    citation: str = Field("", description="Shown in the report.")
    format: str | None = Field(
        None, description="The reader of single files, where it cannot be told."
    )
    times: Literal["frames", "milliseconds", "seconds", "none"] | None = Field(
        None, description="What start and end of the table are, where their names do not say; none: of the "
        "videos that the clips were cut from already, so not to be used."
    )  # fmt: skip
    fold_glosses: bool = Field(
        False, description="Join glosses that differ in case, blanks or invisible characters alone."
    )


@dataclass
class Opened:
    """A source that was looked at: its clips, and what their numbers mean.

    Attributes:
        tables: of labels, which is one but where each split has its own.
        why: sentences, what was recognised and why.
        plans: by the shape of a clip; a UserError where it cannot be told.
        other_splits: splits that were left out of the rows, and how many had each.
    """

    options: Options
    folder: Path
    tables: list[Path]
    members: Members
    units: list[Unit]
    rows: list[Row]
    unused: list[str]
    why: list[str] = field(default_factory=list)
    plans: dict[Any, Plan | ClipError] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    times: str = "frames"
    hashes: dict[str, str] = field(default_factory=dict)
    likely: type[Reader] | None = None
    other_splits: dict[str, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @property
    def called(self) -> str:
        """Names of the tables."""
        return ", ".join(table.name for table in self.tables)

    def warnings(self) -> list[str]:
        """What a person must see first."""
        lines = self.tally.warnings(self.options.exchange_hands)
        plans = [plan for plan in self.plans.values() if isinstance(plan, Plan)]
        unlike = dict.fromkeys(plan.unlike for plan in plans if plan.unlike)
        return lines if self.tally.astray else [*lines, *(f"WARNING: {line}" for line in unlike)]

    def raw(self, unit: Unit) -> RawClip:
        """A clip as its file has it.

        Raises:
            ClipError, UnsafePickle, MemberError: it cannot be read.
        """
        with damaged_alone():
            raw = self._raw(unit)
        if raw.points.dtype.kind not in "fiu":  # or others of its shape would be taken for such
            raise ClipError(f"an array of {raw.points.dtype}, not of numbers")
        return raw

    def _raw(self, unit: Unit) -> RawClip:
        if unit.reader:
            return READERS.get(unit.reader).read_unit(self.members, unit)
        name = unit.files[0]
        data = self.members.read(name)
        if name not in self.hashes:
            self.hashes[name] = hashlib.sha256(data).hexdigest()
        if self.options.format:
            return READERS.get(self.options.format).read(data, name)
        self.likely, _ = recognised(name, data[:4096], self.likely)
        return self.likely.read(data, name)

    def plan(self, raw: RawClip) -> Plan:
        """What the clip's numbers mean; raises ClipError where it cannot be told."""
        key = _shape_key(raw, self.options)
        if key not in self.plans:
            self.make_plan(key, [raw], [None])
        plan = self.plans[key]
        if isinstance(plan, ClipError):
            raise plan
        return plan

    def make_plan(self, key: Any, sample: list[RawClip], sizes: list) -> None:
        try:
            with damaged_alone():
                self.plans[key] = make_plan(sample, self.options, sizes)
        except ClipError as error:
            error.of_all = len(sample) > 1
            self.plans[key] = error

    def clip(self, row: Row) -> dict[str, Any]:
        """The clip of a row as the store takes it.

        Raises:
            ClipError, UnsafePickle, MemberError: it cannot be had; says why.
        """
        assert row.unit is not None  # else the row has a fault
        self.tally.begin(row.clip_id)
        raw = self.raw(row.unit)
        with damaged_alone():
            size, aspect = _size(row), _known(row, "aspect")
            clip = to_clip(raw, self.plan(raw), self.options, self.tally, size, aspect)
        for name in ("fps", "aspect"):
            if row.columns.get(name) is not None:  # unknown, although the file has one
                clip[name] = _known(row, name)
        if row.times and self.times != "none":
            frames = len(clip["keypoints"])
            first, end, beyond = span(row.times, self.times, clip["fps"], frames)
            self.tally.saw("beyond", beyond)
            if (first, end) != (0, frames):
                plain = {"start", "end"} & set(row.times)
                self.tally.cut_to(end - first, self.times if plain else "")
            clip["keypoints"] = clip["keypoints"][first:end]
        return clip


def _shape_key(raw: RawClip, options: Conversion) -> Any:
    if raw.layout is not None:
        places = raw.layout.places.tobytes()
        return raw.layout.name, places, raw.points.shape[-2:], raw.unit, raw.score is None
    shape = raw.points.shape
    if len(shape) == 3 and shape[1] in (75, 42) and shape[2] in (2, 3):
        return shape[1:], raw.score is None
    way = arrangements(raw.points, named(options.layout) if options.layout else None)[0]
    return way.title, way.points, raw.score is None


def _known(row: Row, name: str) -> float | None:
    """A number of the table; None where it has none, or says that it is unknown."""
    value = row.columns.get(name)
    return None if value is None or math.isnan(value) else value


def _size(row: Row) -> tuple[float, float] | None:
    width, height = row.columns.get("width"), row.columns.get("height")
    return (width, height) if width and height else None


@contextmanager
def opened(options: Options, all_splits: bool = False) -> Iterator[Opened]:
    """Open a source, find its clips and decide what their numbers mean.

    Args:
        all_splits: a clip whose split is none of the three has none, instead of a fault.

    Raises:
        UserError: no such folder, no clip, a table that cannot be read.
    """
    folder = at_home(options.folder)
    if options.format:
        READERS.get(options.format)
    if not folder.exists():
        raise UserError(f"{folder}: there is no such file or folder (data set 'local').")
    with open_members(folder) as members:
        tables, inside = tables_of(members, folder, options.table)
        units, why = units_of(members, inside)
        refuse_none(folder, members, units)
        try:
            rows, finder, unused, about_rows = rows_of(
                units, tables, folder, linked(members), members.names
            )
        except UserError:
            _refuse_unreadable(Opened(options, folder, [], members, units, [], []))
            raise
        of_names, about_names = take_names(members, rows, list(inside))
        units = [unit for unit in units if of_names not in unit.files]
        if any(unit.reader == "clips_npz" for unit in units):  # a stream: in its order
            rows.sort(key=lambda row: (row.unit.files[0], row.unit.key) if row.unit else ("", -1))
        source = Opened(options, folder, [one.path for one in tables], members, units, rows, unused)
        source.why += [f"{name}: {reason}." for name, reason in why.items()]
        source.why.append(
            f"labels: {source.called or 'the folder of each clip, or the files themselves'}"
        )
        source.said = [note for note in (about_rows, about_names) if note]
        source.why += source.said
        source.tally.renamed = dict(finder.how)
        if all_splits:
            source.other_splits = forget_splits(rows)
        survey(source)
        yield source


def _refuse_unreadable(source: Opened) -> None:
    """Raise UserError where a set's only file cannot be read: labels would not help then."""
    if len(source.units) == 1:
        try:
            source.raw(source.units[0])
        except UNREADABLE as error:
            raise UserError(f"{source.folder}: {source.units[0].name}: {error}") from None


def survey(source: Opened) -> None:
    """Read a sample of the clips, and decide what the numbers of each shape mean."""
    pairs = [(row, row.unit) for row in source.rows if not row.fault and row.unit is not None]
    several = any(READERS.get(name).together for name in {unit.reader for _, unit in pairs} if name)
    step = 1 if several else max(1, len(pairs) // SAMPLE)
    chosen = pairs[::step][:SAMPLE]
    late = max(
        (pair for pair in pairs if pair[0].times),
        key=lambda pair: max(pair[0].times.values()),
        default=None,
    )
    if late is not None and late not in chosen and not several:
        chosen.append(late)
    samples: dict[Any, list[tuple[RawClip, Row, Unit]]] = {}
    beyond, broken, spans = False, 0, []
    for row, unit in chosen:
        try:
            raw = source.raw(unit)
            with damaged_alone():
                key = _shape_key(raw, source.options)
                far = np.abs(raw.points.astype(np.float64, copy=False)) > FARTHEST
                sound = np.isfinite(raw.points).any() and not far.any()
            if sound:  # one that is empty or beyond all numbers says nothing of the others
                samples.setdefault(key, []).append((raw, row, unit))
        except UNREADABLE:
            continue  # said when the clip is read
        times = [row.times[name] for name in ("start", "end") if name in row.times]
        beyond |= any(time > len(raw.points) for time in times)
        if times:
            broken += any(time != int(time) for time in times)
            spans.append(row.times.get("end", 0) - row.times.get("start", 0))
    cut = {unit.reader for _, unit in pairs if unit.reader and READERS.get(unit.reader).cut_already}
    source.times = source.options.times or ("none" if cut else unit_of(spans, broken, beyond))
    if source.times == "none":
        source.tally.uncut = sum(bool(row.times) for row, _ in pairs)
    elif any("start" in row.times or "end" in row.times for row, _ in pairs):
        source.why.append(f"start and end of the table: {source.times}")
    for key, clips in samples.items():
        source.make_plan(
            key,
            [raw for raw, _, _ in clips],
            [_size(row) or _stated(source.options) for _, row, _ in clips],
        )
        first = clips[0][2]
        plan = source.plans[key]
        reader = first.reader or source.options.format or _reason(source, first)
        lines = plan.why if isinstance(plan, Plan) else [f"cannot be read: {plan}"]
        source.why.append(f"{first.name} and the like: {reader}; {'; '.join(lines)}.")


def _reason(source: Opened, unit: Unit) -> str:
    try:
        reader, why = recognised(unit.files[0], source.members.read(unit.files[0])[:4096])
    except UserError as error:
        return str(error)
    return f"{reader.name} ({why})"


def _stated(options: Conversion) -> tuple[float, float] | None:
    return (options.width, options.height) if options.width and options.height else None


def first_clip(source: Opened) -> tuple[str, np.ndarray, float | None] | None:
    """Id, keypoints and aspect of the first clip that can be read, to look at."""
    for row in source.rows:
        if not row.fault:
            try:
                clip = source.clip(row)
            except UNREADABLE:
                continue
            return row.clip_id, clip["keypoints"], clip["aspect"]
    return None
