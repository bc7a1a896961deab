"""Scores with few labels: the numbers behind the curves of the figure of that name."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from sslslr.report.names import few_labels as by_few
from sslslr.report.results import Results
from sslslr.report.tables import register
from sslslr.report.tables._base import Table
from sslslr.report.tables._cells import (
    ENCODER,
    PROTOCOL,
    READ_OUT,
    SOURCE,
    TAGGED_METHOD,
    TARGET,
    VIEWS,
    percent,
    read_out_of,
)  # fmt: skip
from sslslr.statistics.intervals import t_interval

RUN = ["dataset", "method", "augmentation", "variant", "tag", "pretrain_dataset", "protocol"]
AMOUNT = ["label_fraction", "shots"]
FIELDS = [
    *RUN,
    *AMOUNT,
    "read_out",
    "top1",
    "low",
    "high",
    "seeds",
    "draws",
    "n_train",
    "n_test",
    "n_classes",
]


@register
class FewLabels(Table):
    title = "Few labels"
    caption = (
        "Top-1 in percent of a probe on the frozen encoder that saw a share of each class's labels, or "
        "so many clips a class. Mean over encoder seeds, each the mean over its draws of the labels, "
        "with a 95 % interval over encoder seeds (Student's t) where there are two or more."
    )
    reads = ("metrics",)
    key = (*RUN, *AMOUNT)
    words = ("read_out",)
    place = 20
    plain = False
    # And one an amount of labels.
    columns = (TARGET, TAGGED_METHOD, SOURCE, VIEWS, ENCODER, READ_OUT, PROTOCOL)

    def rows(self, results: Results) -> pd.DataFrame:
        return few_labels(results.metrics)

    def shown(self, rows: pd.DataFrame) -> pd.DataFrame:
        """A row an encoder group and target, a column an amount."""
        amounts = {
            (column, float(amount)): f"{100 * float(amount):.4g} %"
            if column == "label_fraction"
            else f"{float(amount):g} a class"
            for column in AMOUNT
            for amount in sorted(set(rows[column].astype(float)) - {0})
        }
        table = []
        for _, group in rows.groupby(RUN, sort=False):
            first = group.iloc[0].to_dict()
            cells = {column.title: column.cell(first) for column in self.columns}
            for (column, amount), title in amounts.items():
                here = group[group[column].astype(float) == amount].to_dict("records")
                cells[title] = _score(here[0]) if here else "–"
            cells["Seeds"], cells["n test"] = (str(group[n].max()) for n in ("seeds", "n_test"))
            table.append(cells)
        return pd.DataFrame(table) if table else pd.DataFrame(columns=["Target", "Method"])

    def own(self, results: Results) -> pd.DataFrame:
        few = results.metrics[by_few(results.metrics)]
        return few[few["metric"] == "top1"]

    def how(self, column: str, results: Results) -> str:
        return "mean over encoder seeds of top-1, each seed averaged over its draws of the labels first"


def few_labels(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row an encoder group, target and amount of labels; `FIELDS`, scores in 0..1."""
    scores = metrics[by_few(metrics) & (metrics["metric"] == "top1")]
    rows = []
    for key, group in scores.dropna(subset=["value"]).groupby([*RUN, *AMOUNT]):
        by_seed = group.groupby("seed")["value"].mean()
        low, high = t_interval(by_seed)
        rows.append(
            {
                **dict(zip([*RUN, *AMOUNT], key, strict=True)),
                "read_out": read_out_of(group),
                "top1": by_seed.mean(),
                "low": low,
                "high": high,
                "seeds": len(by_seed),
                "draws": group.groupby("seed")["probe_seed"].nunique().max(),
                "n_train": int(group["n_train"].max()),
                "n_test": int(group["n_test"].max()),
                "n_classes": int(group["n_classes"].max()),
            }
        )
    return pd.DataFrame(rows, columns=FIELDS)


def _score(row: Mapping[str, Any]) -> str:
    text = percent(row["top1"])
    if pd.isna(row["low"]):
        return text
    return f"{text} [{percent(max(0.0, row['low']))}, {percent(min(1.0, row['high']))}]"
