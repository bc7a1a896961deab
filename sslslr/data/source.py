"""A folder or archive of keypoints and its table: which clips there are, and which row is which file."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from sslslr.config.settings import SPLITS
from sslslr.data.finder import VIDEOS, Finder, stem_of
from sslslr.data.readers import READERS, ClipError, Unit, damaged_alone, endings, readers
from sslslr.utils.archives import Members
from sslslr.utils.errors import UserError
from sslslr.utils.tables import (
    SPLIT_NAMES,
    near_equal,
    plain_path,
    read_table,
    without_suffix,
)
from sslslr.utils.user_files import shown

TABLES = ("labels.csv", "instances.csv", "train.csv", "index.csv")
PARTICIPANT = re.compile(r"\d{4,}/\d{5,}\.parquet")  # and the number of a sequence
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
    """

    number: int
    clip_id: str
    unit: Unit | None
    fault: str = ""
    found: bool = True
    columns: dict[str, Any] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)


def units_of(members: Members, table: str | None = None) -> tuple[list[Unit], dict[str, str]]:
    """The clips of a folder or an archive, and why each format of several files was taken for one.

    Args:
        table: the member that is the table of labels, which is no clip.
    """
    names = [name for name in members.names if name != table and not _hidden(name)]
    found, why = [], {}
    for reader in readers():
        try:
            with damaged_alone():
                claimed = reader.gather(members, names)
        except ClipError as error:  # each file says for itself what is wrong with it
            why[reader.name] = str(error).removesuffix(".")
            continue
        if claimed:
            found += claimed
            why[reader.name] = reader.why
            used = {file for unit in claimed for file in unit.files}
            names = [name for name in names if name not in used]
    found += [Unit(name, (name,)) for name in names if name.lower().endswith(endings())]
    return found, why


def _hidden(name: str) -> bool:
    return name.startswith(".") or "/." in name or "__MACOSX" in name.split("/")


def table_of(folder: Path, table: str | None) -> Path | None:
    """The table of labels: the one that was named, or one of `TABLES` in the folder."""
    if table is not None:
        return Path(table).expanduser()
    if folder.is_dir():
        return next((folder / name for name in TABLES if (folder / name).is_file()), None)
    return None


def holds_clips(members: Members, name: str) -> bool:
    """Whether a csv that is called as a table of labels (train.csv) holds the clips themselves."""
    return bool(READERS.get("spoter").gather(members, [name]))


def table_inside(members: Members, folder: Path) -> str | None:
    """The table of labels within an archive, or in the one folder within a folder.

    Raises:
        UserError: several folders have one each.
    """
    near = [name for name in members.names if name.count("/") < 2 and not _hidden(name)]
    for wanted in (wanted for depth in (0, 1) for wanted in ((depth, name) for name in TABLES)):
        found = [n for n in near if (n.count("/"), n.rpartition("/")[2].lower()) == wanted]
        found = [name for name in found if not holds_clips(members, name)]
        if len(found) > 1:
            raise UserError(
                f"{folder}: several tables of labels, {shown(', '.join(found[:3]))}. Import each folder by "
                "itself, or name one table for all: --csv (table)."
            )
        if found:
            return found[0]
    return None


def rows_of(
    units: list[Unit], table: Path | None, folder: Path, data: bytes | None = None
) -> tuple[list[Row], Finder, list[str], str]:
    """A row a clip; what no row names is not among them. The columns that have no meaning, and what
    is said of the frames' numbers (or "").

    Args:
        data: the table's bytes, where it lies in an archive.

    Raises:
        UserError: the table cannot be read, or has no column for the clip; without a table, a clip that
            lies in no folder of its gloss.
    """
    finder = Finder(units)
    if table is None:
        return [_of_folder(unit, folder) for unit in units], finder, [], ""
    stated = all(unit.columns.get("gloss") for unit in units) and bool(units)
    frame = read_table(table, required=() if stated else ("gloss",), data=data)
    if "file" not in frame and "clip_id" not in frame:
        raise UserError(f"{table}: needs a column 'file' or 'clip_id'; found {', '.join(frame)}.")
    rows: list[Row] = []
    seen: dict[str, Any] = {}
    files: dict[str, int] = {}
    names = list(frame)
    cells = zip(*(frame[name].tolist() for name in names), strict=True)
    for number, of_row in enumerate(cells, start=frame.attrs["line"]):
        values = {k: v for k, v in zip(names, of_row, strict=True) if v is not None}
        if not values:  # cells without anything, which spreadsheets write below the last row
            continue
        row = _of_table(number, values, finder, table.name)
        first = seen.setdefault(row.clip_id, number)
        if (
            row.unit is not None and not values.get("file") and not row.times
        ):  # c0 and C0 of one file
            first = min(first, files.setdefault(row.unit.name, number))
        if first != number and "clip_id" not in values and row.times:
            row.clip_id += f"@{'-'.join(f'{time:g}' for time in row.times.values())}"
            first = seen.setdefault(row.clip_id, number)
        if first != number:
            row.clip_id, row.fault = (
                f"{row.clip_id} (row {number} of {table.name})",
                "clip_id occurs twice",
            )
            row.found = row.unit is not None
        rows.append(row)
    said = "frame_start of the table counts from 1, as WLASL's list does: frame_end is included"
    return rows, finder, frame.attrs["unused"], said if frame.attrs["from_one"] else ""


def _of_table(number: int, values: dict[str, Any], finder: Finder, table: str) -> Row:
    file, stated = values.get("file"), values.get("clip_id")
    text: str = file or stated or ""
    clip_id = stated or (text and without_suffix(text))
    columns = {key: value for key, value in values.items() if key not in NO_COLUMNS}
    times = {key: values[key] for key in TIMES if key in values}
    if not clip_id:
        return Row(
            number, f"row {number} of {table}", None, "neither clip_id nor file", False, columns
        )
    units = finder(text)
    if not units and file and stated:
        units = finder(stated)
    row = Row(number, clip_id, units[0] if len(units) == 1 else None, columns=columns, times=times)
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


def _of_folder(unit: Unit, folder: Path) -> Row:
    """A clip of a set without a table: its folder is its gloss, and a folder of a split around it."""
    name = stem_of(unit.name)
    if "gloss" in unit.columns:
        return Row(0, name, unit, columns=dict(unit.columns))
    path = PurePosixPath(unit.name)
    if len(path.parts) < 2:
        others = [
            file.name
            for file in sorted(folder.glob("*"))
            if file.suffix in (".csv", ".tsv") and file.is_file()
        ]
        is_it = f" Is it {shown(others[0])}? Name it: --csv (table)." if others else ""
        raise UserError(
            f"{folder}: no table of labels, and {unit.name} lies in no folder that could be its gloss. Add "
            f"{TABLES[0]} with the columns file and gloss, name a table, or sort the clips into a folder a "
            f"gloss.{is_it}"
        )
    if PARTICIPANT.fullmatch(f"{path.parent.name}/{path.name}"):
        raise UserError(
            f"{folder}: {shown(unit.name)} lies in a folder that is a participant's number, as Google ISLR has them. "
            "Its glosses stand in train.csv: put that beside the folders, or name it: --csv (table)."
        )
    outer = [SPLIT_NAMES.get(part.lower(), part.lower()) for part in path.parts[:-2]]
    split = next((part for part in outer if part in SPLITS), None)
    return Row(0, name, unit, columns={"gloss": path.parent.name, "split": split})


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


def unnamed(units: Sequence[Unit], rows: Sequence[Row]) -> Iterator[Unit]:
    """Clips that no row means."""
    named = {row.unit.name for row in rows if row.unit is not None}
    return (unit for unit in units if unit.name not in named)


def refuse_videos(folder: Path, members: Members, units: Sequence[Unit]) -> None:
    """Raise UserError where there are videos and no keypoints."""
    if not units and any(name.lower().endswith(VIDEOS) for name in members.names):
        raise UserError(
            f"{folder}: holds videos. Name it as `source: videos` instead: their keypoints are estimated "
            "first, by what `make pose` installs."
        )
