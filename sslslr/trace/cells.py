"""Finding a cell of a table: `FILE:ROW:COLUMN`.

FILE is a table below `results/tables` (.csv, .md and .tex of one stem are one table); ROW is its
number, 1 for the first below the header, or words that occur in it (`sl_fpn,synthetic,linear`), of
which some may name their column (`method=sl_fpn,dataset=synthetic,tag=,protocol=linear`);
COLUMN is its number, from 1, or its name, as in the CSV or as people read it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sslslr.errors import UserError, nearest
from sslslr.report import few_labels, tables

ENDINGS = (".csv", ".md", ".tex")
KEYS = {
    "linear": tables.KEY,
    "verdicts": ["claim"],
    "verdicts_comparisons": ["claim", "dataset", "pretrain_dataset", "subject", "opponent"],
    "ablations": [
        "tag", "method", "augmentation", "variant", "pretrain_dataset", "dataset", "protocol",
    ],
    "signer_gap": [
        "dataset", "method", "augmentation", "variant", "tag", "pretrain_dataset", "protocol",
        "known_signers",
    ],
    "few_labels": [*few_labels.KEY, "label_fraction", "shots"],
}  # fmt: skip
# What people read, and the column of the CSV that it is made of (in the first place).
SHOWN = {
    "linear": {
        "Target": "dataset", "Pretrained on": "pretrain_dataset", "Method": "method",
        "Views": "augmentation", "Encoder": "variant", "Tag": "tag", "Protocol": "protocol",
        "95 % over clips": "top1_low", "95 % over seeds": "top1_seeds_low", "Chance": "chance",
        "n test": "n_test", "n train": "n_train", "Classes": "n_classes", "Joints": "n_joints",
        "Seeds": "seeds", "Paper": "paper",
        **{name: f"{metric}_mean" for metric, name in tables.METRIC_NAMES.items()},
    },
    "verdicts": {
        "Claim": "claim", "Claimed by": "source", "Verdict": "verdict", "Worst against": "opponent",
        "Difference": "difference", "p": "p_corrected", "n test": "n_test",
        "Detectable": "smallest_difference", "Comparisons": "comparisons", "Missing": "missing",
    },
    "verdicts_comparisons": {
        "Claim": "claim", "Target": "dataset", "Pretrained on": "pretrain_dataset",
        "Subject": "subject", "Opponent": "opponent", "Subject top-1": "subject_accuracy",
        "Opponent top-1": "opponent_accuracy", "Difference": "difference", "p": "p_corrected",
        "n test": "n_test", "Seeds": "subject_seeds", "Detectable": "smallest_difference",
        "Outcome": "outcome",
    },
    "ablations": {
        "Ablation": "tag", "Method": "method", "Views": "augmentation", "Encoder": "variant",
        "Pretrained on": "pretrain_dataset", "Target": "dataset", "Protocol": "protocol",
        "Top-1": "accuracy", "Unchanged": "untagged_accuracy", "Difference": "difference", "p": "p",
        "n test": "n_test", "Detectable": "smallest_difference", "Seeds": "seeds",
    },
    "signer_gap": {
        "Target": "dataset", "Method": "method", "Pretrained on": "pretrain_dataset",
        "Views": "augmentation", "Encoder": "variant", "Tag": "tag", "Protocol": "protocol",
        "New signers": "independent", "Known signers": "dependent", "Gap": "difference",
        "n test": "n_independent", "Seeds": "seeds",
    },
    "few_labels": {},
}  # fmt: skip
WIDE = ("few_labels",)  # for people a column an amount of labels, so their cells are not the CSV's


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        table: name of the table, a key of `KEYS`.
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
    if path.suffix in ENDINGS and path.stem == "cost":
        raise UserError(
            f"{path}: its numbers are those of each run's run.json, below `cost` in it."
        )
    if path.suffix in ENDINGS[1:] and path.stem in WIDE:
        raise UserError(
            f"{path}: has a column for each amount of labels; name the cell as it stands in "
            f"{path.with_suffix('.csv').name}, a row for each."
        )
    if path.suffix not in ENDINGS or path.stem not in KEYS:
        raise UserError(f"{path}: not a table that can be traced. {nearest(path.stem, KEYS)}")
    csv = path.with_suffix(".csv")
    frame = read(csv)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file.")
    if lacking := [name for name in KEYS[path.stem] if name not in frame]:
        raise UserError(
            f"{csv}: has no column {lacking[0]!r}; it is of another version. Build the report again."
        )
    row = _row(csv, frame, path.stem, parts[1])
    column = _column(path, frame, parts[2])
    key = {name: frame[name].iloc[row] for name in KEYS[path.stem]}
    return Cell(path.stem, csv, row, column, frame[column].iloc[row], key)


def read(csv: Path) -> pd.DataFrame:
    """A table's CSV as text.

    Raises:
        UserError: absent or not CSV.
    """
    try:
        return pd.read_csv(csv, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise UserError(f"{csv}: there is no such file. Build the report first.") from None
    except ValueError as error:
        raise UserError(f"{csv}: cannot be read as CSV ({error}).") from None


def describe(frame: pd.DataFrame, table: str, row: int) -> str:
    """A row by its keys: `synthetic,sl_fpn,temporal_permutation,paper,synthetic,linear`."""
    return ",".join(str(frame[name].iloc[row]) for name in KEYS[table] if frame[name].iloc[row])


def _row(csv: Path, frame: pd.DataFrame, table: str, asked: str) -> int:
    if frame.empty:
        raise UserError(f"{csv}: this table has no rows.")
    if asked.isdigit():
        if not 1 <= int(asked) <= len(frame):
            raise UserError(f"{csv}: row {asked} of {len(frame)}; rows count from 1.")
        return int(asked) - 1
    found = list(range(len(frame)))
    for word in filter(None, map(str.strip, asked.split(","))):
        column, named, value = word.partition("=")
        columns = [column] if named else KEYS[table]
        if column not in frame and named:
            raise UserError(f"{csv}: no column {column!r}. {nearest(column, frame.columns)}")
        value = value if named else word
        if not any((frame[name] == value).any() for name in columns):
            known = {text for name in columns for text in frame[name]} - {""}
            raise UserError(f"{csv}: no row is about {word!r}. {nearest(value, known)}")
        found = [r for r in found if any(frame[name].iloc[r] == value for name in columns)]
    if len(found) == 1:
        return found[0]
    listed = "\n".join(
        f"  {r + 1}  {describe(frame, table, r)}" for r in found or range(len(frame))
    )
    many = f"{len(found)} rows are" if found else "no row is"
    raise UserError(f"{csv}: {many} about {asked!r}; name one by its number:\n{listed}")


def _column(path: Path, frame: pd.DataFrame, asked: str) -> str:
    shown = SHOWN[path.stem]
    if asked.isdigit():
        readers = {".csv": lambda _: list(frame.columns), ".tex": _read_in_latex}
        names = readers.get(path.suffix, _read_by_people)(path)
        if not 1 <= int(asked) <= len(names):
            raise UserError(f"{path}: column {asked} of {len(names)}; columns count from 1.")
        asked = names[int(asked) - 1]
    column = shown.get(asked, asked)
    if column not in frame:
        hint = nearest(asked, [*frame.columns, *(name for name in shown if path.suffix != ".csv")])
        raise UserError(f"{path}: no column {asked!r}. {hint}")
    return column


def _read_by_people(path: Path) -> list[str]:
    """Column names of a table as Markdown."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("| "):
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            return [cell.strip().replace("\\", "") for cell in cells]
    raise UserError(f"{path}: holds no table.")


def _read_in_latex(path: Path) -> list[str]:
    """Column names of a table as LaTeX: the line below the first \\toprule."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if "\\toprule" not in lines[:-1]:
        raise UserError(f"{path}: holds no table.")
    header = lines[lines.index("\\toprule") + 1].removesuffix("\\\\")
    return [cell.strip().replace("\\", "") for cell in header.split(" & ")]
