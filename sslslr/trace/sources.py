"""The rows of the metrics behind a cell, and the cell computed from them again.

Only what a table reads is read: metrics.csv and predictions.parquet of the study's runs, the paper's
numbers and the claims.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslslr import claims as deciding
from sslslr.claims import matching
from sslslr.claims.schema import label
from sslslr.config import StudyConfig
from sslslr.errors import UserError, nearest
from sslslr.files import read_json
from sslslr.grid import runs as runs_of
from sslslr.report import collect, differences, few_labels, tables
from sslslr.report.results import SEMI_SUPERVISED
from sslslr.strict import parse
from sslslr.trace.cells import Cell

PROVENANCE = "provenance.json"
PAPER, CLAIMS = Path("config/paper_numbers.yaml"), Path("config/claims.yaml")


@dataclass
class Sources:
    """What a cell was made of.

    Attributes:
        groups: what the runs are in it (`subject`, `opponent`, ...) and their rows of metrics.csv.
        computed: the whole row, from the metrics as they are now.
        how: how the cell follows from the rows, in words.
        files: further files that decide the cell.
    """

    groups: dict[str, pd.DataFrame]
    computed: dict[str, Any]
    how: str
    files: list[Path] = field(default_factory=list)

    @property
    def runs(self) -> list[str]:
        """The ids of all runs behind the cell, sorted."""
        return sorted({run for group in self.groups.values() for run in group["run_id"]})


def study_of(results: Path) -> StudyConfig | None:
    """The study that built a results folder, of its provenance.json; None where there is none."""
    path = Path(results) / PROVENANCE
    if not path.is_file():
        return None
    graph = read_json(path).get("@graph", [])
    for entity in graph:
        if entity.get("@id") == "#configuration":
            import json

            return parse(StudyConfig, json.loads(entity["text"]), f"{path}, #configuration")
    return None


def metrics_files(results: Path) -> list[Path]:
    """The metrics.csv of the study's runs; of all that are there where the study is not known.

    Raises:
        UserError: none there.
    """
    folder, study = Path(results) / "metrics", study_of(results)
    if study is not None:
        return [folder / run / "metrics.csv" for run in runs_of(study)]
    found = sorted(folder.glob("*/metrics.csv"))
    if not found:
        raise UserError(f"{folder}: holds no metrics. Evaluate the study first.")
    return found


def trace(cell: Cell) -> Sources:
    """What a cell was made of.

    Raises:
        UserError: the metrics have no row for it; they are of another study or newer.
    """
    files = metrics_files(cell.results)
    return TRACERS[cell.table](cell, collect.read_metrics(files), _Predictions(files))


class _Predictions:
    """predictions.parquet of runs, read when asked for."""

    def __init__(self, files: list[Path]):
        self._files = {path.parent.name: path.with_name("predictions.parquet") for path in files}

    def of(self, runs: Any) -> pd.DataFrame:
        return collect.read_predictions([self._files[run] for run in sorted(set(runs))])


def _matching(cell: Cell, frame: pd.DataFrame, **names: str) -> pd.DataFrame:
    for column, value in names.items():
        frame = frame[frame[column] == value]
    if frame.empty:
        wanted = ", ".join(f"{column} {value or '(empty)'}" for column, value in names.items())
        raise UserError(
            f"{cell}: the metrics have no row for it ({wanted}). The table is older than the "
            "metrics, or of another study; run the workflow again."
        )
    return frame


def _top1(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[
        (frame["metric"] == "top1") & (frame["label_fraction"] == 1) & (frame["shots"] == 0)
    ]


def _linear(cell: Cell, metrics: pd.DataFrame, predictions: _Predictions) -> Sources:
    rows = _matching(cell, metrics, **cell.key)
    rows = rows[(rows["label_fraction"] == 1) & (rows["shots"] == 0)]
    paper = collect.read_paper_numbers(PAPER) if PAPER.is_file() else []
    computed = tables.linear_table(rows, predictions.of(rows["run_id"]), paper).iloc[0].to_dict()
    metric = next((m for m in tables.METRICS if cell.column.startswith(f"{m}_")), "")
    how = {
        "mean": f"mean over encoder seeds of {metric}, each seed averaged over its probe seeds first",
        "std": f"standard deviation (n - 1) over encoder seeds of {metric}, each seed averaged "
        "over its probe seeds first; empty for one seed",
        "low": f"2.5 % quantile of a bootstrap over test clips (predictions.parquet) of {metric}",
        "high": f"97.5 % quantile of a bootstrap over test clips (predictions.parquet) of {metric}",
    }.get(cell.column.rpartition("_")[2] if metric else "", f"column {cell.column} of the metrics")
    if cell.column.startswith("paper"):
        how = f"the paper's number, as {PAPER} has it"
    shown = rows[rows["metric"] == metric] if metric else rows[rows["metric"] == "top1"]
    return Sources({"runs": shown}, computed, how, [PAPER])


def _comparisons(cell: Cell, metrics: pd.DataFrame, predictions: _Predictions) -> Sources:
    stated, claim = _claim(cell)
    key = cell.key
    cells = matching.cells_of(stated, claim, metrics)
    here = matching.at(cells, key["dataset"], key["pretrain_dataset"])
    groups = {
        side: _matching(cell, here.assign(name=_labels(here)), name=key[side]).drop(columns="name")
        for side in ("subject", "opponent")
    }
    table = _decide(stated, claim, metrics, predictions)
    row = _matching(cell, table, **key).iloc[0].to_dict()
    how = (
        "top-1 of the subject minus that of the opponent, clip by clip, averaged over encoder and "
        f"probe seeds; interval: {stated.resamples} bootstrap samples of clips and seeds; p: "
        f"{stated.flips} sign flips, Holm-corrected within the claim {claim.id!r}"
    )
    return Sources(groups, row, how, [CLAIMS])


def _verdicts(cell: Cell, metrics: pd.DataFrame, predictions: _Predictions) -> Sources:
    stated, claim = _claim(cell)
    cells = matching.cells_of(stated, claim, metrics)
    table = _decide(stated, claim, metrics, predictions)
    alone = stated.model_copy(update={"claims": [claim]})
    row = deciding.verdicts(alone, table, metrics).iloc[0].to_dict()
    decisive = table[table["decides"]]
    groups = {}
    for side in ("subject", "opponent"):
        found = [cells.iloc[:0]]
        for compared in decisive.to_dict("records"):
            here = matching.at(cells, compared["dataset"], compared["pretrain_dataset"])
            found.append(here[_labels(here) == compared[side]])
        groups[side] = pd.concat(found).drop_duplicates()
    how = (
        f"the verdict over {len(decisive)} comparisons, which verdicts_comparisons.csv lists; the "
        "numbers of the row are those of the worst comparison for the claim that gives the verdict"
    )
    return Sources(groups, row, how, [CLAIMS])


def _labels(cells: pd.DataFrame) -> pd.Series:
    """What the comparisons call each row's run."""
    return pd.Series([label(row) for row in cells.to_dict("records")], cells.index, dtype=object)


def _claim(cell: Cell) -> tuple[Any, Any]:
    stated = deciding.load(CLAIMS)
    for claim in stated.claims:
        if claim.id == cell.key["claim"]:
            return stated, claim
    hint = nearest(cell.key["claim"], [claim.id for claim in stated.claims])
    raise UserError(f"{cell}: {CLAIMS} no longer has this claim. {hint}")


def _decide(stated: Any, claim: Any, metrics: pd.DataFrame, predictions: _Predictions) -> Any:
    alone = stated.model_copy(update={"claims": [claim]})
    needed = matching.cells_of(stated, claim, metrics)["run_id"]
    guesses = predictions.of(needed if len(needed) else metrics["run_id"].iloc[:1])
    return deciding.decide(alone, metrics, guesses)


def _ablations(cell: Cell, metrics: pd.DataFrame, predictions: _Predictions) -> Sources:
    same = {name: cell.key[name] for name in differences.SAME}
    here = _top1(_matching(cell, metrics, **same))
    groups = {
        f"tagged {cell.key['tag']}": _matching(
            cell, here, tag=cell.key["tag"], variant=cell.key["variant"]
        ),
        "untagged": differences.untagged_of(here, cell.key["variant"]),
    }
    wanted = metrics if cell.column == "p" else here  # p is corrected within the whole table
    table = differences.ablations(wanted, predictions.of(wanted["run_id"]))
    row = _matching(cell, table, **cell.key).iloc[0].to_dict()
    if cell.column != "p":
        row["p"] = np.nan
    how = (
        "top-1 of the tagged runs minus that of the untagged ones, on the clips that both were "
        "scored on; p is Holm-corrected within the table"
    )
    return Sources(groups, row, how)


def _signer_gap(cell: Cell, metrics: pd.DataFrame, predictions: _Predictions) -> Sources:
    study = study_of(cell.results)
    if study is None:
        raise UserError(
            f"{cell.results / PROVENANCE}: absent, so the targets of the study are not known. "
            "Run the workflow again."
        )
    stated = {name: target.model_dump() for name, target in study.evaluate.targets.items()}
    pair = {"new signers": cell.key["dataset"], "known signers": cell.key["known_signers"]}
    key = {
        name: value for name, value in cell.key.items() if name not in ("dataset", "known_signers")
    }
    here = _top1(_matching(cell, metrics, **key))
    row = _matching(cell, differences.signer_gap(here, stated), **cell.key)
    groups = {side: _matching(cell, here, dataset=name) for side, name in pair.items()}
    how = "mean over encoder seeds of top-1 with known signers minus top-1 with new ones"
    return Sources(groups, row.iloc[0].to_dict(), how)


def _few_labels(cell: Cell, metrics: pd.DataFrame, predictions: _Predictions) -> Sources:
    names = {name: cell.key[name] for name in few_labels.KEY}
    rows = _matching(cell, metrics, **names, protocol=SEMI_SUPERVISED, metric="top1")
    amount = {name: float(cell.key[name]) for name in ("label_fraction", "shots")}
    # The table has six decimals of a share.
    near = [np.isclose(rows[name], value, atol=1e-6) for name, value in amount.items()]
    rows = _matching(cell, rows[np.logical_and(*near)], metric="top1")
    how = "mean over encoder seeds of top-1, each seed averaged over its draws of the labels first"
    return Sources({"runs": rows}, few_labels.few_labels(rows).iloc[0].to_dict(), how)


TRACERS: dict[str, Callable[[Cell, pd.DataFrame, _Predictions], Sources]] = {
    "linear": _linear,
    "verdicts": _verdicts,
    "verdicts_comparisons": _comparisons,
    "ablations": _ablations,
    "signer_gap": _signer_gap,
    "few_labels": _few_labels,
}


def as_text(value: Any) -> str:
    """A value as a table's CSV has it: its decimals, empty for nothing."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    frame = pd.DataFrame({"value": [value]}).round(tables.DECIMALS)
    return frame.to_csv(index=False, lineterminator="\n").split("\n", 1)[1].rstrip("\n").strip('"')


def same(text: str, value: Any) -> bool:
    """Is a cell of a CSV the value that was computed? Numbers to the table's decimals."""
    try:
        return abs(float(text) - float(value)) < 1e-9 + 0.5 * 10**-tables.DECIMALS
    except (TypeError, ValueError):
        return text == as_text(value)
