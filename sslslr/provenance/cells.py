"""Finding a cell of a table: `FILE:ROW:COLUMN`.

FILE is a table below `results/tables` (.csv, .md and .tex of one stem are one table); ROW is its
number, 1 for the first below the header, or words that occur in it (`sl_fpn,synthetic,linear`), of
which some may name their column (`method=sl_fpn,dataset=synthetic,tag=,protocol=linear`);
COLUMN is its name, as in the CSV or as people read it, or in the CSV its number, from 1.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sslslr.report.tables import TABLES
from sslslr.report.tables._base import Table
from sslslr.utils.errors import UserError, nearest
from sslslr.utils.tables import read_written
from sslslr.utils.user_files import UserFileError

ENDINGS = (".csv", ".md", ".tex")
MOST_LISTED = 100  # rows that an error names


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        table: name of the table.
        csv: its machine form; `row` is the number of the row in it, from 0.
        text: the cell as the CSV has it.
        key: the row's values of the table's key columns.
    """

    table: str
    csv: Path
    row: int
    column: str
    text: str
    key: dict[str, str]

    @property
    def results(self) -> Path:
        """The results folder: the table lies in its `tables`."""
        return self.csv.parent.parent

    def __str__(self) -> str:
        said = ", ".join(f"{name} {value}" for name, value in self.key.items() if value)
        return f"{self.csv}, row {self.row + 1} ({said}), column {self.column}"


def find(reference: str) -> Cell:
    """The cell that `FILE:ROW:COLUMN` names.

    Raises:
        UserError: no such file, row or column; the nearest known one is named.
    """
    parts = reference.rsplit(":", 2)
    if len(parts) < 3 or not all(parts):
        raise UserError(
            f"{reference!r}: name a cell as FILE:ROW:COLUMN, for example "
            "results/tables/linear.csv:1:top1_mean."
        )
    path = Path(parts[0])
    if path.suffix not in ENDINGS or path.stem not in TABLES.names():
        raise UserError(
            f"{path}: not a table that can be traced. {nearest(path.stem, TABLES.names())}"
        )
    table = TABLES.get(path.stem)()
    if path.suffix != ".csv" and not titles(table):
        raise UserError(
            f"{path}: its columns are not those of the CSV; name the cell as it stands in "
            f"{path.with_suffix('.csv').name}."
        )
    csv = path.with_suffix(".csv")
    frame = read(csv)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file.")
    if lacking := [name for name in table.key if name not in frame]:
        raise UserError(
            f"{csv}: has no column {lacking[0]!r}; it is of another version. Build the report again."
        )
    row = _row(csv, frame, path.stem, parts[1])
    column = _column(path, frame, parts[2])
    key = {name: frame[name].iloc[row] for name in table.key}
    return Cell(path.stem, csv, row, column, frame[column].iloc[row], key)


def titles(table: type[Table] | Table) -> dict[str, str]:
    """What people read, and the column of the CSV that it is made of; none of a table of other cells."""
    return {column.title: column.source for column in table.columns} if table.plain else {}


def read(csv: Path) -> pd.DataFrame:
    """A table's CSV as text.

    Raises:
        UserError: absent or not CSV.
    """
    try:
        return read_written(csv)
    except UserFileError as error:
        raise UserError(f"{error} Build the report first.") from None
    except ValueError as error:
        said = " ".join(str(error).split())
        raise UserError(f"{csv}: cannot be read as CSV ({said}).") from None


def describe(frame: pd.DataFrame, table: str, row: int) -> str:
    """A row by its keys: `synthetic,sl_fpn,temporal_permutation,paper,synthetic,linear`."""
    return ",".join(
        str(frame[name].iloc[row]) for name in TABLES.get(table).key if frame[name].iloc[row]
    )


def _is_number(asked: str) -> bool:
    """A number of a row or column: not `²`, and none of more digits than Python converts."""
    return asked.isdecimal() and len(asked) < 19


def _row(csv: Path, frame: pd.DataFrame, table: str, asked: str) -> int:
    if frame.empty:
        raise UserError(f"{csv}: this table has no rows.")
    if _is_number(asked):
        if not 1 <= int(asked) <= len(frame):
            raise UserError(f"{csv}: row {asked} of {len(frame)}; rows count from 1.")
        return int(asked) - 1
    found = pd.Series(True, index=frame.index)
    for word in filter(None, map(str.strip, asked.split(","))):
        column, named, value = word.partition("=")
        columns = [column] if named else list(TABLES.get(table).key)
        if column not in frame and named:
            raise UserError(f"{csv}: no column {column!r}. {nearest(column, frame.columns)}")
        value = value if named else word
        about = (frame[columns] == value).any(axis=1)
        if not about.any():
            known = {text for name in columns for text in frame[name]} - {""}
            raise UserError(f"{csv}: no row is about {word!r}. {nearest(value, known)}")
        found &= about
    rows = found.to_numpy().nonzero()[0].tolist()
    if len(rows) == 1:
        return rows[0]
    named = rows or range(len(frame))
    listed = "\n".join(f"  {r + 1}  {describe(frame, table, r)}" for r in named[:MOST_LISTED])
    listed += "\n  ..." * (len(named) > MOST_LISTED)
    many = f"{len(rows)} rows are" if rows else "no row is"
    raise UserError(f"{csv}: {many} about {asked!r}; name one by its number:\n{listed}")


def _column(path: Path, frame: pd.DataFrame, asked: str) -> str:
    shown = titles(TABLES.get(path.stem))
    if _is_number(asked) and path.suffix == ".csv":
        if not 1 <= int(asked) <= len(frame.columns):
            raise UserError(
                f"{path}: column {asked} of {len(frame.columns)}; columns count from 1."
            )
        return frame.columns[int(asked) - 1]
    column = shown.get(asked, asked)
    if column not in frame:
        hint = nearest(asked, [*frame.columns, *(name for name in shown if path.suffix != ".csv")])
        raise UserError(f"{path}: no column {asked!r}. {hint}")
    return column
