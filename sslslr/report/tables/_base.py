"""What every table is: rows of numbers for machines, columns of text for people.

A table in a file of its own says its title, caption, key and columns, and makes its rows; the CSV,
Markdown and LaTeX, the page, the workflow's job and `sslslr why` follow from that (docs/extend.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pandas as pd

from sslslr.report.results import Results
from sslslr.report.tables import _markup as markup
from sslslr.utils.errors import UserError
from sslslr.utils.files import write_text
from sslslr.utils.tables import read_written
from sslslr.utils.user_files import UserFileError

Row = Mapping[str, Any]
FORMATS = ("csv", "md", "tex")
# Of the CSV, which the page is made of: with four, a percentage would be rounded twice.
DECIMALS = 6


@dataclass(frozen=True)
class Column:
    """A column for people.

    Attributes:
        title: what stands above it.
        source: column of the CSV that it shows, the first where it shows several.
        text: the cell from a row; None: the value as it is.
        about: what the number means, for the caption; empty where the title says it.
    """

    title: str
    source: str
    text: Callable[[Row], str] | None = None
    about: str = ""

    def cell(self, row: Row) -> str:
        """The text of a row's cell."""
        return self.text(row) if self.text else str(row[self.source])


class Table:
    """Base of all tables.

    Attributes:
        title, caption: for people who were not there; the columns' `about` follows the caption.
        reads: what of the results the rows are made of (:meth:`sslslr.report.results.Results.paths`).
        key: columns of the CSV that name a row.
        words: further columns of the CSV that hold text.
        columns: what people see.
        section: of the page: "main" (always open, methods by data sets), else folded away: "verdicts",
            "tables" or "budget".
        place: in its section, smallest first.
        whole: columns that hang on all rows of the table, such as a corrected p.
        plain: whether people see the rows of the CSV, a column for each of `columns`.
        narrow: whether the LaTeX is for one column of text.
        made_of: the frame of the results that :meth:`own` is a part of.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    caption: ClassVar[str]
    reads: ClassVar[tuple[str, ...]] = ("metrics", "predictions")
    key: ClassVar[Sequence[str]]
    words: ClassVar[Sequence[str]] = ()
    columns: ClassVar[Sequence[Column]] = ()
    section: ClassVar[str] = "tables"
    place: ClassVar[int] = 50
    whole: ClassVar[Sequence[str]] = ()
    plain: ClassVar[bool] = True
    narrow: ClassVar[bool] = False
    made_of: ClassVar[Literal["metrics", "scores"]] = "metrics"

    def rows(self, results: Results) -> pd.DataFrame:
        """The table for machines: scores in 0..1, NaN for what is not known."""
        raise NotImplementedError

    def shown(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The table for people, all text."""
        cells = [[column.cell(row) for column in self.columns] for row in rows.to_dict("records")]
        return pd.DataFrame(cells, columns=[column.title for column in self.columns])

    def about(self, rows: pd.DataFrame) -> str:
        """The caption of these rows."""
        said = [f"{c.title}: {c.about.rstrip('.')}." for c in self.columns if c.about]
        return " ".join([self.caption, *said])

    def own(self, results: Results) -> pd.DataFrame:
        """Rows of the metrics that the table is made of."""
        return results.metrics

    def behind(self, key: Mapping[str, str], results: Results) -> dict[str, pd.DataFrame]:
        """Rows of the metrics that a row is made of, by what their runs are in it.

        Args:
            key: the row's values of the columns `key`, as text.

        Raises:
            UserError: the metrics have none.
        """
        own = self.own(results)
        return {"runs": matching(own, **{k: v for k, v in key.items() if k in own})}

    def part(
        self, key: Mapping[str, str], groups: Mapping[str, pd.DataFrame], results: Results
    ) -> Results:
        """Results that are enough to make a row again, but for its columns `whole`."""
        own = pd.concat(groups.values()).drop_duplicates()
        return results.only(own["run_id"], **{self.made_of: own})

    def how(self, column: str, results: Results) -> str:
        """How a cell follows from the rows of :meth:`behind`, in words."""
        return f"column {column} of these rows of the metrics"

    def read(self, path: str | Path) -> pd.DataFrame:
        """The rows, of the CSV that :meth:`write` wrote; empty names stay empty names.

        Raises:
            UserError: the file is absent, is not CSV, or is of another table or version.
        """
        try:
            # A data set may be called 007, and a tag 1e5.
            frame = read_written(path)
        except UserFileError as error:
            raise UserError(f"{error} Build the report first.") from None
        except ValueError as error:
            raise UserError(f"{path}: cannot be read ({error}). Build the report first.") from None
        sources = [*self.key, *self.words, *(column.source for column in self.columns)]
        if absent := [name for name in sources if name not in frame]:
            raise UserError(
                f"{path}: column {absent[0]!r} is missing; it is another table, or of another "
                "version. Build the report again."
            )
        for name in frame.columns.difference([*self.key, *self.words]):
            if len(frame) and set(frame[name]) <= {"True", "False"}:
                frame[name] = frame[name] == "True"
                continue
            try:
                frame[name] = pd.to_numeric(frame[name].where(frame[name] != ""))
            except ValueError as error:
                raise UserError(f"{path}: column {name!r} holds text ({error}).") from None
        return frame

    def write(self, rows: pd.DataFrame, stem: str | Path, note: str = "") -> list[Path]:
        """Write STEM.csv (`rows`, `DECIMALS`), STEM.md and STEM.tex (for people), each atomically.

        Args:
            note: ends the caption. The LaTeX label is `tab:STEM`.

        Raises:
            UserError: the disk is full or the folder cannot be written.
        """
        shown, caption = self.shown(rows), self.about(rows) + note
        texts = {
            "csv": rows.round(DECIMALS).to_csv(index=False, lineterminator="\n"),
            "md": markup.markdown(shown, caption),
            "tex": markup.latex(shown, caption, f"tab:{Path(stem).name}", self.narrow),
        }
        for ending in FORMATS:
            write_text(f"{stem}.{ending}", texts[ending])
        return [Path(f"{stem}.{ending}") for ending in FORMATS]

    def render(self, results: Results) -> list[Path]:
        """Write the table of these results below their folder."""
        return self.write(self.rows(results), results.folder / "tables" / self.name, results.note)


def matching(frame: pd.DataFrame, **names: str) -> pd.DataFrame:
    """Rows that have these values, numbers to the table's decimals.

    Raises:
        UserError: there is none.
    """
    for column, value in names.items():
        if pd.api.types.is_numeric_dtype(frame[column]):
            frame = frame[(frame[column] - float(value)).abs() < 10**-DECIMALS]
        else:
            frame = frame[frame[column] == value]
    if frame.empty:
        wanted = ", ".join(f"{column} {value or '(empty)'}" for column, value in names.items())
        raise UserError(
            f"the metrics have no row for it ({wanted}). The table is older than the metrics, or of "
            "another study; run the workflow again."
        )
    return frame
