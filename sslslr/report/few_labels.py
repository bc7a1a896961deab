"""Scores with few labels as a table: the numbers behind the curves of `results.py`."""

from pathlib import Path

import pandas as pd

from sslslr.report.results import SEMI_SUPERVISED
from sslslr.report.tables import METHOD_NAMES, percent, render
from sslslr.statistics import t_interval

CAPTION = (
    "Few labels: top-1 in percent of a probe on the frozen encoder that saw a share of each class's "
    "labels, or so many clips a class; mean over encoder seeds, each the mean over its draws of the "
    "labels, with a 95 % interval (Student's t) over encoder seeds where there are two or more."
)
KEY = ["dataset", "method", "augmentation", "variant", "tag", "pretrain_dataset"]
COLUMNS = [*KEY, "label_fraction", "shots", "top1", "low", "high", "seeds", "draws", "n_train",
           "n_test"]  # fmt: skip


def few_labels(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row an encoder group, target and amount of labels; `COLUMNS`, scores in 0..1.

    Args:
        metrics: of :func:`sslslr.report.collect.read_metrics`; other protocols are left out.
    """
    scores = metrics[(metrics["protocol"] == SEMI_SUPERVISED) & (metrics["metric"] == "top1")]
    scores = scores.dropna(subset=["value"]).fillna({"tag": ""})
    rows = []
    for key, group in scores.groupby([*KEY, "label_fraction", "shots"]):
        by_seed = group.groupby("seed")["value"].mean()
        low, high = t_interval(by_seed)
        rows.append(
            {
                **dict(zip([*KEY, "label_fraction", "shots"], key, strict=True)),
                "top1": by_seed.mean(),
                "low": low,
                "high": high,
                "seeds": len(by_seed),
                "draws": group.groupby("seed")["probe_seed"].nunique().max(),
                "n_train": int(group["n_train"].max()),
                "n_test": int(group["n_test"].max()),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def display(table: pd.DataFrame) -> pd.DataFrame:
    """Strings for people: a row an encoder group and target, a column an amount."""
    if table.empty:
        return pd.DataFrame(columns=["Target", "Method"])
    amounts = [
        *(("label_fraction", share) for share in sorted(set(table["label_fraction"]) - {0})),
        *(("shots", shots) for shots in sorted(set(table["shots"]) - {0})),
    ]
    rows = []
    for key, group in table.groupby(KEY, sort=False):
        named = dict(zip(KEY, key, strict=True))
        tag = f" ({named['tag']})" if named["tag"] else ""
        cells = {
            "Target": named["dataset"],
            "Method": METHOD_NAMES.get(named["method"], named["method"]) + tag,
            "Pretrained on": "–"
            if named["pretrain_dataset"] == "none"
            else named["pretrain_dataset"],
            "Views": "–" if named["augmentation"] == "none" else named["augmentation"],
            "Encoder": "–" if named["variant"] == "raw" else named["variant"],
        }
        for column, amount in amounts:
            shares = column == "label_fraction"
            name = f"{100 * amount:.4g} %" if shares else f"{amount:g} a class"
            found = group[group[column] == amount].to_dict("records")
            cells[name] = _score(found[0]) if found else "–"
        cells["Seeds"] = str(group["seeds"].max())
        cells["n test"] = str(group["n_test"].max())
        rows.append(cells)
    return pd.DataFrame(rows)


def _score(row: dict) -> str:
    text = percent(row["top1"])
    if pd.isna(row["low"]):
        return text
    return f"{text} [{percent(max(0.0, row['low']))}, {percent(min(1.0, row['high']))}]"


def write(table: pd.DataFrame, stem: str | Path, note: str = "") -> list[Path]:
    """STEM.csv (numbers), STEM.md and STEM.tex (for people).

    Args:
        note: ends the caption.
    """
    return [
        *render(table, stem, CAPTION + note, ["csv"]),
        *render(display(table), stem, CAPTION + note, ["md", "tex"]),
    ]
