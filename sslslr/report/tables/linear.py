"""The linear-evaluation table: scores with n, seeds and intervals.

Two uncertainties stand side by side, and they are not the same: `mean ± std` and the interval of the
mean (Student's t) are over encoder seeds (probe seeds are averaged first), the other interval is a
95 % bootstrap over test clips of the seed-averaged score. With a single encoder seed there is neither
std nor interval over seeds, and the cell says so.

No row is bold: a difference that the intervals do not carry should not look like a winner.
"""

from typing import Any

import numpy as np
import pandas as pd

from sslslr.evaluation.protocols import PROTOCOLS
from sslslr.report.names import (
    CEILING,
    METRIC_TITLES,
    NO_DATA,
    UNTRAINED,
    few_labels,
    protocol_title,
    protocols_in_order,
    trait,
)  # fmt: skip
from sslslr.report.results import PAPER, Results
from sslslr.report.tables import register
from sslslr.report.tables._base import Column, Row, Table
from sslslr.report.tables._cells import SCORED, bracket, percent, read_out_of
from sslslr.statistics import intervals
from sslslr.statistics.correctness import Guesses, keys_of, with_labels
from sslslr.utils.errors import UserError

METRICS = tuple(METRIC_TITLES)
COUNTS = ("n_test", "n_train", "n_classes", "n_joints", "n_joints_masked")


def score(row: Row, metric: str) -> str:
    """`62.1 ± 0.8`; without the spread where there is only one encoder seed."""
    mean, std = row[f"{metric}_mean"], row[f"{metric}_std"]
    spread = "" if pd.isna(mean) or pd.isna(std) else f" ± {percent(std)}"
    return percent(mean) + spread


def joints(row: Row) -> str:
    """`42`, or `42 (33 masked)` where the target has joints that the encoder was not given."""
    masked = int(row["n_joints_masked"])
    return str(int(row["n_joints"])) + (f" ({masked} masked)" if masked else "")


def _paper(row: Row) -> str:
    # The paper prints two decimals; rounding its number again would make it ours.
    return "n/a" if pd.isna(row["paper"]) else f"{100 * row['paper']:.2f} ({row['paper_sureness']})"


def _training(row: Row) -> str:
    return percent(row["train_accuracy"]) + (" (not fitted)" if row["fitted"] == 0 else "")


def _score_column(metric: str) -> Column:
    about = {"balanced_accuracy": "mean of the per-class recalls"}.get(metric, "")
    title, source = METRIC_TITLES[metric], f"{metric}_mean"
    return Column(title, source, lambda row: score(row, metric), about)


@register
class Linear(Table):
    title = "Linear evaluation"
    caption = (
        "Scores of frozen encoders under each protocol, in percent: mean ± standard deviation over "
        "encoder seeds, each the mean over its probe seeds. No encoder, a randomly initialised encoder "
        "and supervised training from scratch (fine-tuned, not frozen) stand beside them."
    )
    reads = ("metrics", "predictions", "paper")
    key = ("dataset", "method", "augmentation", "variant", "tag", "pretrain_dataset", "protocol")
    words = ("read_out", "paper_sureness")
    place = 10
    columns = (
        *SCORED,
        Column("Top-1", "top1_mean",
               lambda row: score(row, "top1") + (" (1 seed)" if row["seeds"] == 1 else "")),
        Column("95 % over clips", "top1_low", lambda row: bracket(row["top1_low"], row["top1_high"]),
               "bootstrap interval of the seed-averaged top-1 over test clips (Wilson's where all "
               "clips or none are right)"),
        Column("95 % over seeds", "top1_seeds_low",
               lambda row: bracket(row["top1_seeds_low"], row["top1_seeds_high"]),
               "interval of the mean top-1 over encoder seeds (Student's t)"),
        *(_score_column(metric) for metric in METRICS[1:]),
        Column("Training top-1", "train_accuracy", _training,
               "of the probe, over its training clips; one that is not fitted decides no claim (the rule "
               "is in docs/design.md)"),
        Column("Chance", "chance", lambda row: percent(row["chance"]), "one over the number of classes"),
        Column("n test", "n_test"),
        Column("n train", "n_train"),
        Column("Classes", "n_classes"),
        Column("Joints", "n_joints", joints,
               "joints of the target that the encoder was given; masked are those that its "
               "pretraining clips, or another encoder's, did not have"),
        Column("Seeds", "seeds"),
        Column("Paper", "paper", _paper, "the paper's top-1, and how sure it is (n/a: not known)"),
    )  # fmt: skip

    def rows(self, results: Results) -> pd.DataFrame:
        return linear_table(results.metrics, results.predictions, results.paper)

    def about(self, rows: pd.DataFrame) -> str:
        """The caption, with a sentence on each protocol that has one."""
        said = [super().about(rows)]
        for name in rows["protocol"].unique():
            if sentence := trait(PROTOCOLS, name, "sentence"):
                said.append(f"{protocol_title(name).capitalize()}: {sentence.rstrip('.')}.")
        return " ".join(said)

    def own(self, results: Results) -> pd.DataFrame:
        return with_labels(results.metrics)

    def how(self, column: str, results: Results) -> str:
        metric = next((name for name in METRICS if column.startswith(f"{name}_")), "")
        if column.startswith("paper"):
            return f"the paper's number, as {PAPER} has it"
        over = f"over encoder seeds of {metric}, each seed averaged over its probe seeds first"
        bound = f"quantile of a bootstrap over test clips (predictions.parquet) of {metric}"
        said = {
            "mean": f"mean {over}",
            "std": f"standard deviation (n - 1) {over}; empty for one seed",
            "low": f"2.5 % {bound}",
            "high": f"97.5 % {bound}",
        }
        return said.get(column.rpartition("_")[2] if metric else "", super().how(column, results))


def linear_table(
    metrics: pd.DataFrame, predictions: pd.DataFrame, paper: list[dict[str, Any]] | None = None
) -> pd.DataFrame:
    """One row a combination of `Linear.key`, scored with all labels.

    Args:
        metrics: of every protocol but that of few labels; other label fractions are left out.
        predictions: for the intervals.
        paper: the paper's numbers, in percent.

    Returns:
        Columns `Linear.key`; METRIC_mean, METRIC_std (NaN for one encoder seed) of each of `METRICS`;
        top1_seeds_low, top1_seeds_high (over seeds; NaN for one);
        top1_low, top1_high, balanced_accuracy_low, balanced_accuracy_high (over clips);
        train_accuracy (mean), gradient (largest), fitted (1 if all probes are, 0 if one is not; NaN
        where the protocol has no rule); seeds,
        probe_seeds, `COUNTS`, chance; paper (NaN if unknown), paper_sureness. Scores in 0..1.

    Raises:
        UserError: no row to show; predictions are absent, differ in their clips between seeds, or
            contradict metrics.csv.
    """
    shown = with_labels(metrics[~few_labels(metrics)])
    if shown.empty:
        raise UserError(
            "metrics: no protocol learnt from all labels, so there is nothing to tabulate. Add one, "
            "for example `linear`, to `evaluate.protocols` and evaluate again."
        )
    guesses = Guesses(predictions, shown)
    rows = [
        {**dict(zip(Linear.key, key, strict=True)), **_row(group, guesses)}
        for key, group in shown.groupby(list(Linear.key))
    ]
    for row in rows:
        row["paper"], row["paper_sureness"] = _paper_number(row, paper or [])
    protocols = protocols_in_order(shown["protocol"])
    return pd.DataFrame(sorted(rows, key=lambda row: (row["dataset"], *order(row, protocols))))


def _row(group: pd.DataFrame, guesses: Guesses) -> dict[str, Any]:
    """The scores of one row: `group` holds its metrics, one line a seed, probe seed and metric."""
    row: dict[str, Any] = {}
    seeds = group.groupby(["metric", "seed"])["value"].mean().dropna()
    for metric in METRICS:
        values = seeds.get(metric, ())
        mean_std = intervals.mean_std(values) if len(values) else (np.nan, np.nan)
        row[f"{metric}_mean"], row[f"{metric}_std"] = mean_std
        if metric == "top1":
            over_seeds = intervals.t_interval(values) if len(values) else (np.nan, np.nan)
            row["top1_seeds_low"], row["top1_seeds_high"] = np.clip(over_seeds, 0, 1).tolist()
    row |= _over_clips(group, guesses)
    ends = group[group["metric"] == "top1"].reindex(
        columns=["train_accuracy", "gradient", "fitted"]
    )
    row["train_accuracy"] = ends["train_accuracy"].mean()
    row["gradient"], row["fitted"] = ends["gradient"].max(), ends["fitted"].min()
    row["seeds"] = group["seed"].nunique()
    row["probe_seeds"] = group["probe_seed"].nunique()
    row |= {count: _one(group, count) for count in COUNTS}
    row["chance"] = 1 / row["n_classes"]
    row["read_out"] = read_out_of(group)
    return row


def _one(group: pd.DataFrame, column: str) -> int:
    values = group[column].unique()
    if len(values) != 1 or np.isnan(values[0]):
        first = group.iloc[0]
        raise UserError(
            f"metrics: {column} of {first.method!r} on {first.dataset!r} ({first.protocol}) is "
            f"{' and '.join(f'{value:g}' for value in values)} in runs "
            f"{', '.join(sorted(group['run_id'].unique()))}; they were not scored on the same "
            "data. Evaluate them again."
        )
    return int(values[0])


def _over_clips(group: pd.DataFrame, guesses: Guesses) -> dict[str, float]:
    """Intervals over test clips, of top-1 and of balanced accuracy."""
    named, frames = guesses.same_clips(keys_of(group))
    labels = named.to_numpy(dtype=object)
    predicted = np.concatenate([frame.to_numpy(dtype=object).T for frame in frames])
    right = predicted == labels
    low, high = intervals.bootstrap_interval(right)
    balanced = intervals.bootstrap_balanced_accuracy(labels, predicted)
    if right.all() or not right.any():  # resampling what is all alike would be sure of it
        low, high = map(float, intervals.wilson_interval(right[0].sum(), len(labels)))
        balanced = low, high
    return {
        "top1_low": low,
        "top1_high": high,
        "balanced_accuracy_low": balanced[0],
        "balanced_accuracy_high": balanced[1],
    }


def _paper_number(row: dict[str, Any], paper: list[dict[str, Any]]) -> tuple[float, str]:
    """The paper's top-1 (0..1) and how sure it is; NaN and "" where it is unknown.

    An ablation (a tag) has none; other rows must agree with every column that an entry states.
    """
    for entry in paper:
        stated = [column for column in Linear.key if column in entry]
        comparable = entry["metric"] == "top1" and entry.get("label_fraction", 1) == 1
        if comparable and not row["tag"] and all(_named(row[c], entry[c]) for c in stated):
            reserve = f"; {entry['reserve']}" if "reserve" in entry else ""
            return entry["value"] / 100, f"{entry['sureness']}{reserve}"
    return np.nan, ""


def _named(value: str, stated: str | list[str]) -> bool:
    return value in stated if isinstance(stated, list) else value == stated


def order(row: dict[str, Any], protocols: list[str]) -> tuple:
    """Place within a target: floors first, ceiling last, each protocol's rows together."""
    floor = row["pretrain_dataset"] == NO_DATA
    rank = 1 if row["method"] == UNTRAINED else 0 if floor else 2
    names = ("pretrain_dataset", "method", "augmentation", "variant", "tag")
    place = (row["method"] == CEILING, protocols.index(row["protocol"]), rank)
    return (*place, *(row[name] for name in names))
