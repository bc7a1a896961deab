"""Reading `clips.parquet` and `card.json` of a clip store: quickly, and trusting neither.

Types and rules are checked on Arrow's columns, before they become a table of pandas.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from sslslr.config.settings import SPLITS, parse
from sslslr.data.writer import (
    ASPECTS,
    CLIPS,
    COLUMNS,
    KEYPOINTS,
    LAYOUT_VERSION,
    LONGEST_TEXT,
    SPEEDS,
)
from sslslr.utils.errors import StoreError, UserError, first_line
from sslslr.utils.files import read_json
from sslslr.utils.user_files import shown

AGAIN = "Build it again."
MOST_COLUMNS = 500
# Of a card: a large set may drop a hundred thousand clips, each with its reason.
MOST_VALUES = 10**7
# Bytes of all texts. One that stands once in the file may fill millions of rows.
LARGEST_TABLE = 512 << 20
LARGEST_COLUMN = 64 << 20  # of predictions, as parquet packs them: each different text is an object
ARROW = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}
KINDS = {"string": "text", "int64": "whole numbers", "float64": "numbers"}

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
DATASET = r"^\w[\w .+()-]{0,199}$"  # it becomes part of files' names
Count = Annotated[int, Field(ge=0, lt=2**63)]


class Shape(BaseModel):
    """What is read of a JSON file; what is not named here may be anything."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class _Clip(Shape):
    clip_id: str
    reason: str


class _Dropped(Shape):
    count: Count = 0
    by_reason: dict[str, Count] = {}
    clips: list[_Clip] = []


class Member(Shape):
    """A data set of a pool."""

    clips: Count
    share: Annotated[float, Field(ge=0, le=1)]
    signers: Count | None = None
    languages: list[str] = []
    licence: str | None = None
    joints_masked: dict[str, Count] = {}


class Counts(Shape):
    split: str
    expected: Count
    found: Count
    kept: Count
    dropped: dict[str, Count]


class _Split(Shape):
    n: Count
    sha256: Sha256


class Card(Shape):
    """What `card.json` must look like for those who read it."""

    layout_version: int
    dataset: str = Field(pattern=DATASET)
    sha256: dict[str, Sha256]
    joints: dict[str, Annotated[float, Field(ge=0, le=1)]]
    dropped: _Dropped
    licence: str | None = None
    citation: str | None = None
    origin: str | None = None
    split_rule: str | None = None
    languages: list[str] | None = None
    inputs: dict[str, str] | None = None
    n_clips: Count | None = None
    n_frames: Count | None = None
    counts: list[Counts] | None = None
    splits: dict[str, _Split] | None = None
    extraction: dict[str, Any] | None = None
    members: dict[str, Member] | None = None


def read_card(file: Path) -> dict[str, Any]:
    """A card, checked.

    Raises:
        StoreError: not JSON, of another layout, or of another shape.
    """
    try:
        card = read_json(file)
    except UserError as error:
        raise StoreError(file, str(error).removeprefix(f"{file}: "), advice=AGAIN) from None
    if not isinstance(card, dict):
        raise StoreError(file, "must be a JSON object.", advice=AGAIN)
    if card.get("layout_version") != LAYOUT_VERSION:
        found = json.dumps(card.get("layout_version"))[:40]
        rule = f"layout version {found}, this package reads {LAYOUT_VERSION}."
        raise StoreError(file, rule, advice=AGAIN)
    try:
        parse(Card, card, "", most_values=MOST_VALUES)
    except UserError as error:
        rule = str(error).splitlines()[0].removeprefix(": ")[:300]
        raise StoreError(file, rule, advice=AGAIN) from None
    for name in (KEYPOINTS, CLIPS):
        if name not in card["sha256"]:
            raise StoreError(file, f"key 'sha256.{name}' is missing.", advice=AGAIN)
    return card


def read_clips(file: Path, n_frames: int) -> pd.DataFrame:
    """The table of clips, one row a clip, checked against the number of frames that there are.

    Raises:
        StoreError: not parquet, or the first rule that is broken, with the clip.
    """
    try:
        with pq.ParquetFile(file) as opened:
            schema, about = opened.schema_arrow, opened.metadata
        _check_columns(file, schema, about.num_rows, n_frames)
        parts = (about.row_group(number).total_byte_size for number in range(about.num_row_groups))
        _check_size(file, sum(parts))
        texts = [field.name for field in schema if _is_text(field.type)]
        table = pq.read_table(file, read_dictionary=texts)  # each of their values once
        _check_size(file, sum(_size_of(table[name]) for name in texts))
        table = table.cast(schema)
    except StoreError:
        raise
    except Exception as error:  # pyarrow raises several kinds
        why = first_line(error, 200, type(error).__name__)
        raise StoreError(file, f"cannot be read as parquet ({why}).", advice=AGAIN) from None
    table = _cast(file, table).replace_schema_metadata()  # whatever pandas noted there
    _check_texts(file, table)
    _check_frames(file, table, n_frames)
    for column, bounds in (("aspect", ASPECTS), ("fps", SPEEDS)):
        _check_bounds(file, table, column, *bounds)
    strings = pd.StringDtype("pyarrow")
    try:
        return table.to_pandas(types_mapper=lambda kind: strings if kind == pa.string() else None)
    except Exception as error:  # a date of the year 10,000, a clock of no place on Earth
        raise StoreError(file, f"cannot be read as a table ({first_line(error)}).") from None


def _check_columns(file: Path, schema: pa.Schema, n_rows: int, n_frames: int) -> None:
    names = schema.names
    if len(names) > MOST_COLUMNS:
        raise StoreError(file, f"has {len(names)} columns; at most {MOST_COLUMNS} are read.")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise StoreError(file, f"two columns are called {twice!r}.")
    if absent := [column for column in COLUMNS if column not in names]:
        raise StoreError(file, f"column {absent[0]!r} is missing.")
    for field in schema:
        if pa.types.is_nested(field.type) or field.type in (pa.string_view(), pa.binary_view()):
            kind = str(field.type)[:60]
            raise StoreError(file, f"column {field.name!r} is nested ({kind}); cells are plain.")
    for column, kind in COLUMNS.items():
        found = schema.field(column).type
        found = found.value_type if pa.types.is_dictionary(found) else found
        if not _is_of_kind(found, kind):
            raise StoreError(file, f"column {column!r} must hold {KINDS[kind]}, found {found}.")
    if n_rows == 0:
        raise StoreError(file, "holds no clip.")
    if n_rows > n_frames:
        rule = f"names {n_rows} clips, but there are {n_frames} frames; a clip has at least one."
        raise StoreError(file, rule)


def _check_size(file: Path, size: int) -> None:
    if size > LARGEST_TABLE:
        raise StoreError(file, f"has {size} bytes of values; at most {LARGEST_TABLE} are read.")


def refuse_vast(file: Path, most_rows: int, most_values: int) -> None:
    """Raise StoreError where a small parquet file would fill the memory: rows without end, a vast text in each.

    Args:
        most_values: of a column, where a row holds a list.
    """
    with pq.ParquetFile(file) as opened:
        about, schema = opened.metadata, opened.schema
        if about.num_rows > most_rows:
            raise StoreError(file, f"has {about.num_rows} rows; at most {most_rows} are read.")
        if len(schema) > MOST_COLUMNS:
            raise StoreError(file, f"has {len(schema)} columns; at most {MOST_COLUMNS} are read.")
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        for place in range(len(schema)):
            name = schema.column(place).path.partition(".")[0]
            values = sum(group.column(place).num_values for group in groups)
            if values > most_values:
                rule = f"column {name!r} has {values} values; at most {most_values} are read."
                raise StoreError(file, rule)
            size = sum(group.column(place).total_uncompressed_size for group in groups)
            if size > LARGEST_COLUMN:  # few texts, however often they stand there, are far less
                rule = f"column {name!r} has {size} bytes; at most {LARGEST_COLUMN} are read."
                raise StoreError(file, rule)
        texts = [
            leaf.path
            for leaf in map(schema.column, range(len(schema)))
            if leaf.physical_type == "BYTE_ARRAY"
        ]
    names = list(dict.fromkeys(path.partition(".")[0] for path in texts))
    columns = pq.read_table(file, columns=names, read_dictionary=texts).columns
    size = 0
    for column in columns:
        while pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            column = pc.list_flatten(column)
        if not pa.types.is_dictionary(column.type):
            raise StoreError(file, f"a column is nested ({str(column.type)[:60]}).")
        size += _size_of(column)
    _check_size(file, size)


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())


def _size_of(column: pa.ChunkedArray) -> int:
    """Bytes that a column, read as a dictionary, needs where each row holds its text."""
    size = 0
    for chunk in column.chunks:
        lengths = pc.binary_length(chunk.dictionary).to_numpy(zero_copy_only=False)
        rows = np.bincount(chunk.indices.drop_null().to_numpy(), minlength=len(lengths))
        size += int(rows @ lengths.astype(float)) if len(lengths) else 0
    return size


def _is_of_kind(found: pa.DataType, kind: str) -> bool:
    if kind == "string":
        return (
            pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_null(found)
        )
    whole = pa.types.is_integer(found)
    return (
        whole
        if kind == "int64"
        else whole or pa.types.is_floating(found) or pa.types.is_null(found)
    )


def _cast(file: Path, table: pa.Table) -> pa.Table:
    """The columns of `COLUMNS` in the writer's types; the others as they are."""
    for column, kind in COLUMNS.items():
        try:
            values = table[column].cast(ARROW[kind])
        except pa.ArrowInvalid as error:  # an unsigned number beyond int64, bytes that are no text
            why = str(error).splitlines()[0][:120]
            raise StoreError(file, f"column {column!r} cannot be read ({why}).") from None
        table = table.set_column(table.schema.get_field_index(column), column, values)
    return table


def _check_texts(file: Path, table: pa.Table) -> None:
    ids = table["clip_id"]
    if (row := pc.index(pc.equal(pc.fill_null(ids, ""), ""), True).as_py()) >= 0:
        raise StoreError(file, f"row {row} has no clip_id.")
    try:
        table.select([name for name, kind in COLUMNS.items() if kind == "string"]).validate(
            full=True
        )
    except (UnicodeDecodeError, pa.ArrowInvalid):
        raise StoreError(file, "holds text that is not UTF-8.", advice=AGAIN) from None
    for column in (name for name, kind in COLUMNS.items() if kind == "string"):
        long = pc.greater(pc.utf8_length(table[column]), LONGEST_TEXT)
        rule = f"{column} has more than {LONGEST_TEXT} characters."
        if pc.any(long).as_py():
            raise StoreError(file, rule, shown(ids[pc.index(long, True).as_py()].as_py()))
    if len(pc.unique(ids)) != len(ids):
        twice = ids.to_pandas()
        rule = "clip_id occurs twice; ids must be unique."
        raise StoreError(file, rule, twice[twice.duplicated()].iloc[0])
    splits = pc.fill_null(table["split"], SPLITS[0])
    _refuse(
        file, table, pc.invert(pc.is_in(splits, value_set=pa.array(SPLITS))),
        f"split is not one of {', '.join(SPLITS)} or empty.",
    )  # fmt: skip
    _refuse(file, table, pc.equal(pc.fill_null(table["gloss"], ""), ""), "has no gloss.")


def _check_frames(file: Path, table: pa.Table, n_frames: int) -> None:
    for column in ("start", "n_frames"):
        _refuse(file, table, table[column].is_null(), f"has no {column}.")
    lengths, starts = (table[column].to_numpy() for column in ("n_frames", "start"))
    _refuse(file, table, lengths < 1, "has no frame.")
    rule = f"has more frames than the {n_frames} that there are."
    _refuse(file, table, lengths > n_frames, rule)  # so that no sum is beyond int64
    ends = np.cumsum(lengths)
    rule = "offsets are not contiguous: start is not the end of the clip before."
    _refuse(file, table, starts != np.concatenate([[0], ends[:-1]]), rule)
    if ends[-1] != n_frames:
        rule = f"holds {n_frames} frames, clips.parquet counts {ends[-1]}; one of the two was cut."
        raise StoreError(file.with_name(KEYPOINTS), rule, table["clip_id"][-1].as_py())


def _check_bounds(file: Path, table: pa.Table, column: str, low: float, high: float) -> None:
    values = table[column].to_numpy()
    with np.errstate(invalid="ignore"):
        bad = ~(np.isnan(values) | ((values >= low) & (values <= high)))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        rule = f"{column} is {values[row]:g}; it lies between {low:g} and {high:g}, or is empty."
        _refuse(file, table, bad, rule)


def _refuse(file: Path, table: pa.Table, bad: Any, rule: str) -> None:
    """Raise StoreError for the first row where `bad` is true."""
    bad = np.asarray(bad, dtype=bool)
    if bad.any():
        raise StoreError(file, rule, table["clip_id"][int(np.flatnonzero(bad)[0])].as_py())
