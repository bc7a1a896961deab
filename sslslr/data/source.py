"""A folder or archive of keypoints and its table: which clips there are, and which row is which file."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from sslslr.config.settings import SPLITS
from sslslr.data.finder import VIDEOS, Finder, stem_of
from sslslr.data.gloss_folders import in_folders, of_folders, outer_folders, split_among
from sslslr.data.label_tables import Table
from sslslr.data.readers import (
    ClipError,
    Unit,
    damaged_alone,
    endings,
    hidden,
    readers,
)
from sslslr.utils.archives import Members
from sslslr.utils.errors import UserError
from sslslr.utils.tables import (
    near_equal,
    plain_path,
    read_table,
    without_suffix,
)
from sslslr.utils.user_files import shown

TIMES = ("start", "start_frame", "start_ms", "start_s", "end", "end_frame", "end_ms", "end_s")
NO_COLUMNS = frozenset((*TIMES, "file", "clip_id"))  # what a row states of a clip besides


@dataclass(slots=True)
class Row:
    """A clip that a table names (or a folder holds), and its file.

    Attributes:
        number: of the table's row, 0 without a table.
        unit: where it is read from; None where it is not there.
        fault: why it cannot be had; "" where nothing is wrong.
        found: whether a file is there.
        columns: gloss, signer, split, language, fps, width, height, aspect.
        times: start and end as the table has them.
        table: that names it.
    """

    number: int
    clip_id: str
    unit: Unit | None
    fault: str = ""
    found: bool = True
    columns: dict[str, Any] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    table: Path | None = None


def units_of(members: Members, tables: Collection[str] = ()) -> tuple[list[Unit], dict[str, str]]:
    """The clips of a folder or an archive, and why each format of several files was taken for one.

    Args:
        tables: the members that are tables of labels, which are no clips.
    """
    names = [name for name in members.names if name not in tables and not hidden(name)]
    found, why = [], {}
    for reader in readers():
        try:
            with damaged_alone():
                claimed = reader.gather(members, names)
        except ClipError as error:  # each file says for itself what is wrong with it
            why[reader.name] = str(error).removesuffix(".")
            continue
        if claimed:
            found += _apart(claimed) if reader.together else claimed
            why[reader.name] = reader.why
            used = {file for unit in claimed for file in unit.files}
            names = [name for name in names if name not in used]
    found += [Unit(name, (name,)) for name in names if name.lower().endswith(endings())]
    return found, why


def _apart(units: list[Unit]) -> list[Unit]:
    """The clips of one or more files that hold several, under names that occur once and in the splits of their files.

    Of `train.npz` and `test.npz`, or of an X.npy in folders of those names, each file is a split, where every file
    is called like one. A clip that is called like another's is `train/x_0`.
    """
    files = {unit.files[0]: without_suffix(unit.files[0]) for unit in units}
    if len(files) < 2:
        return units
    words = {file: re.split(r"[^a-z]+", stem.lower()) for file, stem in files.items()}
    splits = {file: split_among(each[::-1]) for file, each in words.items()}
    of_files = splits if all(splits.values()) and len(set(splits.values())) > 1 else {}
    often = Counter(unit.name for unit in units)
    return [
        replace(
            unit,
            name=unit.name if often[unit.name] == 1 else f"{files[unit.files[0]]}/{unit.name}",
            columns={**({"split": of_files[unit.files[0]]} if of_files else {}), **unit.columns},
        )
        for unit in units
    ]


def rows_of(
    units: list[Unit],
    tables: Sequence[Table],
    folder: Path,
    absent: str = "",
    names: Sequence[str] = (),
) -> tuple[list[Row], Finder, list[str], str]:
    """A row a clip; what no row names is not among them. The columns that have no meaning, and what
    is said of the frames' numbers, or of folders (or "").

    Args:
        absent: said of a file that is missing.
        names: of all files, whether they are clips or not.

    Raises:
        UserError: the table cannot be read, or has no column for the clip; without a table, a clip that
            lies in no folder of its gloss.
    """
    finder, rows = Finder(units, names), []
    if not tables:
        own = in_folders(units)
        columns = of_folders(own, folder)
        rows = [Row(0, stem_of(u.name), u, columns=c) for u, c in zip(own, columns, strict=True)]
        return rows, finder, [], outer_folders(own, [row.columns["gloss"] for row in rows])
    stated = all(unit.columns.get("gloss") for unit in units) and bool(units)
    seen: dict[str, tuple] = {}
    files: dict[str, tuple] = {}
    unused: dict[str, None] = {}
    from_one = False
    frames = [read_table(table.path, required=(), data=table.data) for table in tables]
    labelled = len(tables) if stated else sum("gloss" in frame for frame in frames)
    if not labelled:
        read_table(tables[0].path, data=tables[0].data)  # says what is missing
    notes = []
    for table, frame in zip(tables, frames, strict=True):
        if not stated and "gloss" not in frame:  # as the test set of a competition
            notes.append(f"{table.path.name} has no column gloss: not used")
            continue
        if "file" not in frame and "clip_id" not in frame:
            raise UserError(
                f"{table.path}: needs a column 'file' or 'clip_id'; found {', '.join(frame)}."
            )
        for one, other in (("width", "height"), ("height", "width")):
            if one in frame and other not in frame:
                notes.append(f"{table.path.name} has a column {one} and no {other}: not used")
        unused.update(dict.fromkeys(frame.attrs["unused"]))
        from_one |= frame.attrs["from_one"]
        names = list(frame)
        cells = zip(*(frame[name].tolist() for name in names), strict=True)
        for number, of_row in enumerate(cells, start=frame.attrs["line"]):
            values = {k: v for k, v in zip(names, of_row, strict=True) if v is not None}
            if not values:  # cells without anything, which spreadsheets write below the last row
                continue
            if table.split and labelled > 1:  # of one alone the splits are dealt
                values.setdefault("split", table.split)
            row = _of_table(number, values, finder, table.path)
            if not row.found and absent:
                row.fault += f"; {absent}"
            _first_of_its_name(row, values, seen, files)
            rows.append(row)
    if from_one:
        notes.append(
            "frame_start of the table counts from 1, as WLASL's list does: frame_end is included; one that "
            "counts from 0 is called start_frame"
        )
    return rows, finder, list(unused), "; ".join(notes)


def _first_of_its_name(
    row: Row, values: dict[str, Any], seen: dict[str, tuple], files: dict[str, tuple]
) -> None:
    """Give a row whose clip another names already an id of its own, or a fault."""
    place = (row.table, row.number)
    first = seen.setdefault(row.clip_id, place)
    if row.unit is not None and not values.get("file") and not row.times:  # c0 and C0 of one file
        other = files.setdefault(row.unit.name, place)
        first = other if first == place else first
    if first != place and "clip_id" not in values and row.times:
        row.clip_id += f"@{'-'.join(f'{time:g}' for time in row.times.values())}"
        first = seen.setdefault(row.clip_id, place)
    if first != place:
        assert row.table is not None
        row.clip_id = f"{row.clip_id} (row {row.number} of {row.table.name})"
        row.fault, row.found = "clip_id occurs twice", row.unit is not None


def _of_table(number: int, values: dict[str, Any], finder: Finder, table: Path) -> Row:
    file, stated = values.get("file"), values.get("clip_id")
    text: str = file or stated or ""
    clip_id = stated or (text and without_suffix(text))
    columns = {key: value for key, value in values.items() if key not in NO_COLUMNS}
    times = {key: values[key] for key in TIMES if key in values}
    if not clip_id:
        return Row(
            number,
            f"row {number} of {table.name}",
            None,
            "neither clip_id nor file",
            False,
            columns,
            table=table,
        )
    units = finder(text)
    if not units and file and stated:
        units = finder(stated)
    unit = units[0] if len(units) == 1 else None
    row = Row(number, clip_id, unit, columns=columns, times=times, table=table)
    if not units:
        hint = finder.hint(text)
        row.fault, row.found = f"its file is missing{hint}", False
        if not hint and text.lower().endswith(VIDEOS):
            row.fault += (
                "; of videos the keypoints are estimated first (`make pose`, then source: videos)"
            )
    elif len(units) > 1:
        row.fault = "several files of this name"
    else:
        row.columns = {**units[0].columns, **columns}
        exact = text == units[0].name or plain_path(text) == plain_path(units[0].name)
        if not stated and not exact:
            row.clip_id = without_suffix(units[0].name)
    split = row.columns.get("split")
    if not row.fault and split is not None and split not in SPLITS:
        row.fault = _split_fault(split)
    return row


def _split_fault(split: str) -> str:
    return f"split {split!r} is not one of {', '.join(SPLITS)}"


def forget_splits(rows: list[Row]) -> dict[str, int]:
    """Take splits that are none of the three from rows that have no other fault; how many had each."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        split = row.columns.get("split")
        if split is not None and row.fault == _split_fault(split):
            row.fault, row.columns["split"] = "", None
            counts[split] += 1
    return dict(counts)


def fold(rows: list[Row]) -> int:
    """Give near-equal glosses their usual spelling; how many rows changed."""
    spelling = {
        other: group[0]
        for group in near_equal([row.columns.get("gloss") for row in rows])
        for other in group[1:]
    }
    changed = 0
    for row in rows:
        if row.columns.get("gloss") in spelling:
            row.columns["gloss"], changed = spelling[row.columns["gloss"]], changed + 1
    return changed


def linked(members: Members) -> str:
    """What is said of links that lead out of a folder; "" where there are none."""
    few = shown(", ".join(members.links[:3]))
    return (
        f"links that lead out of the folder are not followed ({few}): copy what they lead to, or name its folder"
        if members.links
        else ""
    )


def unnamed(units: Sequence[Unit], rows: Sequence[Row]) -> Iterator[Unit]:
    """Clips that no row means."""
    named = {row.unit.name for row in rows if row.unit is not None}
    return (unit for unit in units if unit.name not in named)


def refuse_none(folder: Path, members: Members, units: Sequence[Unit]) -> None:
    """Raise UserError where there are no keypoints: says what there is, and what to do."""
    if units:
        return
    if any(name.lower().endswith(VIDEOS) for name in members.names):
        raise UserError(
            f"{folder}: holds videos. Name it as `source: videos` instead: their keypoints are estimated "
            "first, by what `make pose` installs."
        )
    counts = Counter(PurePosixPath(name).suffix.lower() or "no ending" for name in members.names)
    found = ", ".join(f"{count} x {shown(ending)}" for ending, count in counts.most_common(4))
    advice = (
        linked(members)
        or "`sslslr data formats` lists what is read; arrays of other tools: write them by numpy.save"
    )
    raise UserError(
        f"{folder}: holds no keypoints that are known (found: {found or 'no file'}); {advice}."
    )
