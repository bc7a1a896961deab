"""From a probe's scores to the rows of metrics.csv and predictions.parquet."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslslr.config.run import RunSpec
from sslslr.evaluation.protocols import PROTOCOLS, Prediction, Task
from sslslr.statistics.intervals import (
    balanced_accuracy,
    bootstrap_balanced_accuracy,
    wilson_interval,
)
from sslslr.utils.errors import UserError
from sslslr.utils.files import atomic_file

BEST = 10  # labels kept of each prediction
TOP = (1, 3, 5, 10)
METRICS, PREDICTIONS = "metrics.csv", "predictions.parquet"
# Of metrics.csv, behind those of the run.
COLUMNS = (
    *("dataset", "target_dataset", "protocol", "label_fraction", "shots", "seed", "probe_seed"),
    *("metric", "value", "low", "high", "n_train", "n_test", "n_classes", "n_joints"),
    *("n_joints_masked", "train_accuracy", "gradient", "fitted"),
)
MAX_VALUES = 4_000_000  # scores that are ranked at once


def best_classes(scores: Any) -> np.ndarray:
    """Classes of the `BEST` highest scores of each clip, best first; ties in the order of classes.

    Args:
        scores: (n, classes), or an iterable of such blocks of clips.

    Raises:
        FloatingPointError: a score that is not finite.
    """
    return np.concatenate([_best_of_block(block) for block in _blocks(scores)])


def _blocks(scores: Any) -> Iterator[np.ndarray]:
    """Arrays of at most `MAX_VALUES` scores, in order."""
    for given in [scores] if hasattr(scores, "shape") else scores:
        array = np.asarray(given)
        size = max(1, MAX_VALUES // array.shape[1])
        for start in range(0, len(array), size):
            yield array[start : start + size]


def _best_of_block(scores: np.ndarray) -> np.ndarray:
    if not np.isfinite(scores).all():
        raise FloatingPointError
    costs, kept = -scores, min(BEST, scores.shape[1])
    # A whole sort of 10,000 classes for ten of them would be most of the work of a protocol.
    limit = np.partition(costs, kept - 1, axis=1)[:, kept - 1 : kept]
    better, level = costs < limit, costs == limit
    room = kept - better.sum(axis=1, keepdims=True)
    chosen = better | (level & (level.cumsum(axis=1) <= room))
    classes = np.nonzero(chosen)[1].reshape(len(scores), kept)
    order = np.take_along_axis(costs, classes, axis=1).argsort(axis=1, kind="stable")
    return np.take_along_axis(classes, order, axis=1)


def score(
    task: Task, protocol: str, prediction: Prediction, clip_ids: np.ndarray
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """A prediction's rows of metrics.csv, one a metric, and of predictions.parquet, one a test clip.

    Args:
        clip_ids: of all clips of the data set.

    Raises:
        UserError: scores that are not finite.
    """
    try:
        best = best_classes(prediction.scores)
    except FloatingPointError:
        rated = "learning_rate" in PROTOCOLS.get(protocol).Options.model_fields
        where = f"`evaluate.protocols.{protocol}"
        advice = f"Lower {where}.learning_rate`." if rated else f"Change the settings of {where}`."
        raise UserError(
            f"{task.dataset}, protocol {protocol}: the probe's scores are not finite; it diverged. "
            f"{advice}"
        ) from None
    about = {
        "dataset": task.dataset,
        "protocol": protocol,
        "label_fraction": prediction.label_fraction,
        "shots": prediction.shots,
        "probe_seed": prediction.probe_seed,
    }
    task = prediction.task or task
    return _metrics(task, prediction, best, about), _predictions(task, best, about, clip_ids)


def _metrics(
    task: Task, prediction: Prediction, best: np.ndarray, about: dict[str, Any]
) -> list[dict[str, Any]]:
    truth = task.labels[task.test]
    about = about | {
        "n_train": prediction.n_train,
        "n_test": len(truth),
        "n_classes": len(task.classes),
        **end_of_fit(prediction),
    }
    values = {}
    for k in TOP:
        hits = int((best[:, :k] == truth[:, None]).any(axis=1).sum())
        values[f"top{k}"] = hits / len(truth), *wilson_interval(hits, len(truth))
    interval = bootstrap_balanced_accuracy(truth, best[:, 0], seed=0)
    values["balanced_accuracy"] = balanced_accuracy(truth, best[:, 0]), *interval
    values |= {name: (value, np.nan, np.nan) for name, value in prediction.metrics.items()}
    return [
        {**about, "metric": metric, "value": value, "low": float(low), "high": float(high)}
        for metric, (value, low, high) in values.items()
    ]


def end_of_fit(prediction: Prediction) -> dict[str, Any]:
    """How far a probe was trained; None for what a protocol does not state."""
    fit = prediction.fit
    if fit is None:
        return {"train_accuracy": None, "gradient": None, "fitted": None}
    return {
        "train_accuracy": fit.train_accuracy,
        "gradient": None if np.isnan(fit.gradient) else float(f"{fit.gradient:.2e}"),
        "fitted": None if fit.fitted is None else int(fit.fitted),
    }


def _predictions(
    task: Task, best: np.ndarray, about: dict[str, Any], clip_ids: np.ndarray
) -> pd.DataFrame:
    names = np.array(task.classes, dtype=object)
    return pd.DataFrame(
        {
            **about,
            "clip_id": clip_ids[task.test].astype(str),
            "label": names[task.labels[task.test]].astype(str),
            "best": [[str(name) for name in row] for row in names[best]],
        }
    )


def probes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the rows of metrics.csv, what each trained probe says of itself."""
    names = ["dataset", "protocol", "label_fraction", "shots", "probe_seed", "n_train"]
    names += ["train_accuracy", "gradient", "fitted"]
    own = (row for row in rows if row["metric"] == "top1" and row["train_accuracy"] is not None)
    return [{name: row[name] for name in names} for row in own]


def headline(rows: list[dict[str, Any]], dataset: str, protocol: str) -> str:
    """Top-1 of a protocol, in words for the log."""
    own = [
        r for r in rows if (r["dataset"], r["protocol"], r["metric"]) == (dataset, protocol, "top1")
    ]
    if len(own) > 4:  # many amounts of labels: their average over draws
        table = pd.DataFrame(own).groupby(["label_fraction", "shots"])["value"].mean()
        shown = ", ".join(
            f"{value:.1%} ({f'{shots} a class' if shots else f'{fraction:.0%} of labels'})"
            for (fraction, shots), value in table.items()
        )
    else:
        shown = ", ".join(f"{row['value']:.1%}" for row in own)
    poor = [row["train_accuracy"] for row in own if row["fitted"] == 0]
    end = (
        f"; {len(poor)} of {len(own)} probes not fitted (training {min(poor):.1%})" if poor else ""
    )
    return f"top-1 {shown} of n = {own[0]['n_test']} (chance {1 / own[0]['n_classes']:.1%}){end}"


def write(run: RunSpec, rows: list[dict], predictions: list[pd.DataFrame], out: Path) -> None:
    """Write metrics.csv and predictions.parquet of a run's encoder into `out`."""
    about = {
        "run_id": run.run_id,
        "method": run.method,
        "augmentation": run.augmentation,
        "variant": run.encoder.variant,
        "tag": run.tag or "",
        "pretrain_dataset": run.dataset,
    }
    metrics = pd.DataFrame(rows).assign(**about, seed=run.seed)[[*about, *COLUMNS]]
    metrics["fitted"] = metrics["fitted"].astype("Int64")
    metrics["gradient"] = [None if pd.isna(g) else f"{g:.2e}" for g in metrics["gradient"]]
    table = pd.concat(predictions, ignore_index=True)
    table.insert(0, "run_id", run.run_id)
    with atomic_file(out / PREDICTIONS) as temporary:
        table.to_parquet(temporary, index=False)
    with atomic_file(out / METRICS) as temporary:
        metrics.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
