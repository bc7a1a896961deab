"""The linear-evaluation table: scores with n, seeds and intervals, for machines and for people.

Two uncertainties stand side by side, and they are not the same: `mean ± std` and the interval of the
mean (Student's t) are over encoder seeds (probe seeds are averaged first), the other interval is a
95 % bootstrap over test clips of the seed-averaged score. With a single encoder seed there is neither
std nor interval over seeds, and the cell says so.

No row is bold: a difference that the intervals do not carry should not look like a winner.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslslr import statistics
from sslslr.errors import UserError
from sslslr.files import write_text
from sslslr.report.collect import RUN
from sslslr.report.wording import (
    LINEAR_CAPTION,
    METHOD_NAMES,
    METRIC_NAMES,
    NOTE,
    PROTOCOLS,
)

__all__ = ["LINEAR_CAPTION", "METHOD_NAMES", "METRIC_NAMES", "NOTE", "PROTOCOLS"]

METRICS = ("top1", "top3", "top5", "top10", "balanced_accuracy")
KEY = ["dataset", *RUN[1:], "protocol"]
CEILING = "supervised"
FLOOR = ("raw_keypoints", "random")
# metrics.csv may be rounded; half of one clip in a thousand is not a disagreement.
ROUNDING = 5e-4
# Of the CSV, which the page is made of: with four, a percentage would be rounded twice.
DECIMALS = 6


def linear_table(
    metrics: pd.DataFrame,
    predictions: pd.DataFrame,
    paper_numbers: Iterable[Mapping[str, Any]] = (),
) -> pd.DataFrame:
    """One row a combination of `KEY`, scored with all labels.

    Args:
        metrics: of :func:`sslslr.report.collect.read_metrics`; other protocols and label fractions
            are left out.
        predictions: of :func:`sslslr.report.collect.read_predictions`, for the intervals.
        paper_numbers: of :func:`sslslr.report.collect.read_paper_numbers` (percent).

    Returns:
        Columns KEY; METRIC_mean, METRIC_std (NaN for one encoder seed) of each of `METRICS`;
        top1_seeds_low, top1_seeds_high (over seeds; NaN for one);
        top1_low, top1_high, balanced_accuracy_low, balanced_accuracy_high (over clips); seeds, probe_seeds,
        n_test, n_train, n_classes, n_joints, n_joints_masked, chance; paper (NaN if unknown), paper_sureness. Scores,
        `paper` included, in 0..1.

    Raises:
        UserError: no row to show; predictions are absent, differ in their clips between seeds, or
            contradict metrics.csv.
    """
    shown = metrics[metrics["protocol"].isin(PROTOCOLS) & _all_labels(metrics)]
    if shown.empty:
        raise UserError(
            "metrics: no row of protocol " + ", ".join(PROTOCOLS) + " with all labels, so there is "
            "nothing to tabulate. Add one of them to `evaluate.protocols` and evaluate again."
        )
    guessed = predictions[_all_labels(predictions)]
    guesses = dict(list(guessed.groupby(["run_id", "dataset", "protocol"])))
    paper = list(paper_numbers)
    rows = [
        {**dict(zip(KEY, key, strict=True)), **_row(group, guesses)}
        for key, group in shown.groupby(KEY)
    ]
    for row in rows:
        row["paper"], row["paper_sureness"] = _paper_number(row, paper)
    return pd.DataFrame(sorted(rows, key=_order)).reset_index(drop=True)


def _all_labels(frame: pd.DataFrame) -> pd.Series:
    return (frame["label_fraction"] == 1) & (frame["shots"] == 0)


def _row(group: pd.DataFrame, guesses: dict[tuple, pd.DataFrame]) -> dict[str, Any]:
    """The scores of one row: `group` holds its metrics, one line a seed, probe seed and metric."""
    row: dict[str, Any] = {}
    for metric in METRICS:
        values = group[group["metric"] == metric].groupby("seed")["value"].mean().dropna()
        mean_std = statistics.mean_std(values) if len(values) else (np.nan, np.nan)
        row[f"{metric}_mean"], row[f"{metric}_std"] = mean_std
        if metric == "top1":
            found = statistics.t_interval(values) if len(values) else (np.nan, np.nan)
            row["top1_seeds_low"], row["top1_seeds_high"] = np.clip(found, 0, 1).tolist()
    row |= _intervals(group, guesses)
    row["seeds"] = group["seed"].nunique()
    row["probe_seeds"] = group["probe_seed"].nunique()
    for count in ("n_test", "n_train", "n_classes", "n_joints", "n_joints_masked"):
        row[count] = _one(group, count)
    row["chance"] = 1 / row["n_classes"]
    return row


def _one(group: pd.DataFrame, column: str) -> int:
    found = group[column].unique()
    if len(found) != 1 or np.isnan(found[0]):
        first = group.iloc[0]
        raise UserError(
            f"metrics: {column} of {first.method!r} on {first.dataset!r} ({first.protocol}) is "
            f"{' and '.join(f'{value:g}' for value in found)} in runs "
            f"{', '.join(sorted(group['run_id'].unique()))}; they were not scored on the same "
            "data. Evaluate them again."
        )
    return int(found[0])


def _intervals(group: pd.DataFrame, guesses: dict[tuple, pd.DataFrame]) -> dict[str, float]:
    first = group.iloc[0]
    tables = []
    for run_id in sorted(group["run_id"].unique()):
        where = f"predictions of run {run_id!r} on {first.dataset!r} ({first.protocol})"
        found = guesses.get((run_id, first.dataset, first.protocol))
        if found is None:
            raise UserError(f"{where}: none found. Give the run's predictions.parquet as well.")
        _check_agreement(where, found, group[group["run_id"] == run_id])
        tables += [(where, part) for _, part in found.groupby("probe_seed")]
    labels, predicted = _aligned(tables)
    right = predicted == labels
    low, high = statistics.bootstrap_interval(right)
    balanced = statistics.bootstrap_balanced_accuracy(labels, predicted)
    if right.all() or not right.any():  # resampling what is all alike would be sure of it
        low, high = map(float, statistics.wilson_interval(right[0].sum(), len(labels)))
        balanced = low, high
    return {
        "top1_low": low,
        "top1_high": high,
        "balanced_accuracy_low": balanced[0],
        "balanced_accuracy_high": balanced[1],
    }


def _check_agreement(where: str, found: pd.DataFrame, stated: pd.DataFrame) -> None:
    """The two files must be of one evaluation: same top-1, probe seed by probe seed."""
    correct = pd.Series(
        statistics.topk_correct(found["label"].to_numpy(), found["best"].tolist(), 1), found.index
    )
    measured = correct.groupby(found["probe_seed"].astype(float)).mean()
    top1 = stated[stated["metric"] == "top1"].set_index("probe_seed")["value"]
    difference = (top1 - measured).abs()
    if difference.isna().any() or (difference > ROUNDING).any():
        raise UserError(
            f"{where}: top-1 {dict(measured.round(4))} by probe seed, but metrics.csv says "
            f"{dict(top1.round(4))}; the files are of different evaluations. "
            "Evaluate the run again."
        )


def _aligned(tables: list[tuple[str, pd.DataFrame]]) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and first guesses (encoder and probe seeds, n), clips in the same order."""
    labels, predicted = None, []
    for where, table in tables:
        table = table.set_index("clip_id").sort_index()
        if not table.index.is_unique:
            raise UserError(f"{where}: a clip occurs twice. Evaluate the run again.")
        if labels is not None and not table["label"].equals(labels):
            raise UserError(
                f"{where}: other test clips or labels than the seed before ({tables[0][0]}). "
                "Evaluate both runs again on the same data."
            )
        labels = table["label"]
        predicted.append([best[0] for best in table["best"]])
    return labels.to_numpy(dtype=object), np.array(predicted, dtype=object)


def _paper_number(row: dict[str, Any], paper: list[Mapping[str, Any]]) -> tuple[float, str]:
    """The paper's top-1 (0..1) and how sure it is; NaN and "" where it is unknown.

    An ablation (a tag) has none; other rows must agree with every column that an entry states.
    """
    for entry in paper:
        stated = [column for column in KEY if column in entry]
        comparable = entry["metric"] == "top1" and entry.get("label_fraction", 1) == 1
        if comparable and not row["tag"] and all(row[column] == entry[column] for column in stated):
            return entry["value"] / 100, str(entry["sureness"])
    return np.nan, ""


def _order(row: dict[str, Any]) -> tuple:
    """Within a target: floors first, ceiling last, each protocol's rows together."""
    ceiling, protocol = row["method"] == CEILING, list(PROTOCOLS).index(row["protocol"])
    rank = FLOOR.index(row["method"]) if row["method"] in FLOOR else len(FLOOR)
    names = ("pretrain_dataset", "method", "augmentation", "variant", "tag")
    return (row["dataset"], ceiling, protocol, rank, *(row[name] for name in names))


def percent(value: float) -> str:
    """`62.1`; "n/a" for NaN."""
    return "n/a" if pd.isna(value) else f"{100 * value:.1f}"


def score(row: Mapping[str, Any], metric: str) -> str:
    """`62.1 ± 0.8`; without the spread where there is only one encoder seed."""
    mean, std = row[f"{metric}_mean"], row[f"{metric}_std"]
    spread = "" if pd.isna(mean) or pd.isna(std) else f" ± {percent(std)}"
    return percent(mean) + spread


def bracket(low: float, high: float) -> str:
    """`[60.0, 64.2]`; "n/a" for NaN."""
    return "n/a" if pd.isna(low) else f"[{percent(low)}, {percent(high)}]"


def joints(row: Mapping[str, Any]) -> str:
    """`42`, or `42 (33 masked)` where the target has joints that the encoder was not given."""
    masked = int(row["n_joints_masked"])
    return str(int(row["n_joints"])) + (f" ({masked} masked)" if masked else "")


def display(table: pd.DataFrame) -> pd.DataFrame:
    """The table as people read it: strings, human names, percent with one decimal."""
    rows = []
    for row in table.to_dict("records"):
        name = METHOD_NAMES.get(row["method"], row["method"])
        alone = " (1 seed)" if row["seeds"] == 1 else ""
        rows.append(
            {
                "Target": row["dataset"],
                "Method": name,
                "Pretrained on": _or_dash(row["pretrain_dataset"]),
                "Views": _or_dash(row["augmentation"]),
                "Encoder": _or_dash("" if row["variant"] == "raw" else row["variant"]),
                "Tag": _or_dash(row["tag"]),
                "Protocol": PROTOCOLS[row["protocol"]],
                "Top-1": score(row, "top1") + alone,
                "95 % over clips": bracket(row["top1_low"], row["top1_high"]),
                "95 % over seeds": bracket(row["top1_seeds_low"], row["top1_seeds_high"]),
                **{METRIC_NAMES[metric]: score(row, metric) for metric in METRICS[1:]},
                "Chance": percent(row["chance"]),
                "n test": str(row["n_test"]),
                "n train": str(row["n_train"]),
                "Classes": str(row["n_classes"]),
                "Joints": joints(row),
                "Seeds": str(row["seeds"]),
                "Paper": _paper(row),
            }
        )
    return pd.DataFrame(rows)


def _or_dash(name: Any) -> str:
    return "–" if pd.isna(name) or name in ("", "none") else str(name)


def _paper(row: Mapping[str, Any]) -> str:
    # The paper prints two decimals; rounding its number again would make it ours.
    return "n/a" if pd.isna(row["paper"]) else f"{100 * row['paper']:.2f} ({row['paper_sureness']})"


def read_table(path: str | Path) -> pd.DataFrame:
    """A table that :func:`render` wrote as CSV; empty names stay empty names.

    Raises:
        UserError: the file is absent or is not CSV.
    """
    try:
        # A data set may be called 007, and a tag 1e5.
        names = dict.fromkeys([*KEY, "paper_sureness"], str)
        frame = pd.read_csv(path, dtype=names, keep_default_na=False, na_values={})
    except FileNotFoundError:
        raise UserError(
            f"{path}: there is no such file. Run `sslslr report table` first."
        ) from None
    except ValueError as error:
        raise UserError(f"{path}: cannot be read as CSV ({error}).") from None
    for column in frame.columns[~frame.columns.isin([*KEY, "paper_sureness"])]:
        numbers = pd.to_numeric(frame[column].replace("", np.nan), errors="coerce")
        if numbers.notna().sum() == (frame[column].astype(str) != "").sum():
            frame[column] = numbers
    return frame


def render(
    table: pd.DataFrame,
    stem: str | Path,
    caption: str,
    formats: Iterable[str] = ("csv", "md", "tex"),
    note: str = "",
) -> list[Path]:
    """Write STEM.csv (machine form, `DECIMALS`), STEM.md and STEM.tex (human form), atomically.

    Args:
        table: of :func:`linear_table`; another frame is shown as it is.
        caption: plain text; escaped where the format needs it. The LaTeX label is `tab:STEM`.
        note: ends the caption.

    Returns:
        The files written.

    Raises:
        UserError: an unknown format, or the folder cannot be written.
    """
    from sslslr.report import markup

    shown = display(table) if "top1_mean" in table else table.astype(str)
    caption = f"{caption} {NOTE}{note}" if "top1_mean" in table else caption + note
    writers = {
        "csv": lambda: table.round(DECIMALS).to_csv(index=False, lineterminator="\n"),
        "md": lambda: markup.markdown(shown, caption),
        "tex": lambda: markup.latex(shown, caption, f"tab:{Path(stem).name}"),
    }
    written = []
    for name in formats:
        if name not in writers:
            raise UserError(f"unknown table format {name!r}; known: {', '.join(writers)}.")
        path = Path(f"{stem}.{name}")
        write_text(path, writers[name]())
        written.append(path)
    return written
