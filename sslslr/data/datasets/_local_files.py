"""Where the data sets that a person must obtain lie: outside the repository, never in it."""

import csv
import os
from pathlib import Path

import numpy as np
import pandas as pd

from sslslr.data.readers.npz import NpzClips
from sslslr.utils.errors import UserError
from sslslr.utils.tables import read_table

NPZ, TABLE = "clips.npz", "instances.csv"

VARIABLE = "SSLSLR_SHARED_DATA"
DEFAULT = Path("..", "shared", "data")


def rows_of_table(folder: str | None, name: str, column: str = "clip_id") -> int | None:
    """Clips of a set's `instances.csv` that have a value in `column`; None where it cannot be read."""
    try:
        with open(shared_files(folder, name)[1], newline="", encoding="utf-8") as stream:
            return sum(bool(row[column]) for row in csv.DictReader(stream))
    except (UserError, OSError, KeyError, UnicodeError, csv.Error):
        return None  # building it says what is wrong


def shared_files(folder: str | None, name: str) -> list[Path]:
    """`clips.npz` and `instances.csv` of a data set.

    Args:
        folder: where they lie; None: in `name` under $SSLSLR_SHARED_DATA, else ../shared/data.

    Raises:
        UserError: they are not there; says where it looked.
    """
    base = Path(os.environ.get(VARIABLE) or DEFAULT)
    place = Path(folder) if folder is not None else base / name
    files = [place / NPZ, place / TABLE]
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        raise UserError(
            f"data set {name!r}: {' and '.join(absent)} not found in {place.absolute()}. Set "
            f"options.folder to where they lie, or {VARIABLE} to the folder that holds {name}/."
        )
    return files


def read_instances(
    npz: str | Path, table: str | Path, extra: tuple[str, ...] = ()
) -> tuple[NpzClips, pd.DataFrame]:
    """Open `clips.npz` and its table, and check that they name the same clips in the same order.

    Args:
        extra: columns that the table must have besides clip_id and gloss.

    Raises:
        UserError: see :class:`NpzClips` and :func:`read_table`; or the two differ.
    """
    clips, rows = NpzClips(npz), read_table(table, required=("clip_id", "gloss", *extra))
    if len(clips) != len(rows):
        raise UserError(
            f"{table}: {len(rows)} rows, but {npz} holds {len(clips)} clips; they must match row "
            "by row."
        )
    differing = np.flatnonzero(rows["clip_id"].to_numpy() != np.array(clips.ids, dtype=object))
    if len(differing):
        row = int(differing[0])
        raise UserError(
            f"{table}, row {row + 2}: clip_id {rows['clip_id'][row]!r}, but clip {row} of {npz} is "
            f"{clips.ids[row]!r}; both must have the same clips in the same order."
        )
    return clips, rows
