"""The rows of the metrics behind a cell, and the cell computed from them again.

Which rows those are, the table itself says (:meth:`sslslr.report.tables._base.Table.behind`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslslr.provenance.cells import Cell
from sslslr.report.results import Results, study_of
from sslslr.report.tables import TABLES
from sslslr.report.tables._base import DECIMALS, matching
from sslslr.utils.errors import UserError
from sslslr.workflow.grid import evaluations


@dataclass
class Sources:
    """What a cell was made of.

    Attributes:
        groups: what the runs are in it (`subject`, `opponent`, ...) and their rows of metrics.csv.
        computed: the whole row, from the metrics as they are now.
        how: how the cell follows from the rows, in words.
    """

    groups: dict[str, pd.DataFrame]
    computed: dict[str, Any]
    how: str

    @property
    def runs(self) -> list[str]:
        """The ids of all runs behind the cell, sorted."""
        return sorted({run for group in self.groups.values() for run in group["run_id"]})


def results_of(folder: Path) -> Results:
    """The results in a folder, by the study of its provenance.json.

    Raises:
        UserError: the folder has none.
    """
    study = study_of(folder)
    return Results(study, evaluations(study), folder)


def trace(cell: Cell) -> Sources:
    """What a cell was made of.

    Raises:
        UserError: the metrics have no row for it; they are of another study or newer.
    """
    table, results = TABLES.get(cell.table)(), results_of(cell.results)
    try:
        groups = table.behind(cell.key, results)
        whole = cell.column in table.whole
        part = results if whole else table.part(cell.key, groups, results)
        row = matching(table.rows(part), **cell.key).iloc[0].to_dict()
        how = table.how(cell.column, results)
    except UserError as error:
        raise UserError(f"{cell}: {error}") from None
    if not whole:
        row |= dict.fromkeys(table.whole, np.nan)
    return Sources(groups, row, how)


def as_text(value: Any) -> str:
    """A value as a table's CSV has it: its decimals, empty for nothing."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    frame = pd.DataFrame({"value": [value]}).round(DECIMALS)
    return frame.to_csv(index=False, lineterminator="\n").split("\n", 1)[1].rstrip("\n").strip('"')


def same(text: str, value: Any) -> bool:
    """Is a cell of a CSV the value that was computed? Numbers to the table's decimals."""
    try:
        return abs(float(text) - float(value)) < 1e-9 + 0.5 * 10**-DECIMALS
    except (TypeError, ValueError):
        return text == as_text(value)
