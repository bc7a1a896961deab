"""Leave one signer out: each signer's clips are scored by a probe that learnt from all others.

The split of the data set plays no part: its training and test clips together are dealt by signer, so
every clip is scored once. The probe is the logistic one. No label of the signer is seen; of the frozen
encoder it is said whether its pretraining saw clips of that signer (without labels).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from pydantic import Field

from sslslr.config.settings import Settings
from sslslr.evaluation.protocols import Fit, Prediction, Predictions, Protocol, Task, register
from sslslr.evaluation.protocols._fit import GRADIENT
from sslslr.evaluation.protocols._logistic import (
    Fitted,
    fit_logistic,
    linear_scores,
    principal_axes,
    standardised,
)
from sslslr.evaluation.protocols._signers import folds, named_rows, seen_in_pretraining


class LeaveOneSignerOutConfig(Settings):
    """A logistic probe for each signer."""

    C: float = Field(1.0, gt=0, description="Inverse L2 strength of the logistic probe.")
    max_iter: int = Field(100, ge=1, description="Steps of Newton's method at most.")


@register
class LeaveOneSignerOut(Protocol):
    """One prediction of all clips; beside top-1 over clips the mean, spread and least over signers."""

    title = "leave one signer out"
    sentence = "each signer's clips by a logistic probe of all other signers'"
    order = 7
    Options = LeaveOneSignerOutConfig

    def run(self, task: Task, options: LeaveOneSignerOutConfig, say) -> Predictions:
        rows, labels = named_rows(task, self.name), np.asarray(task.labels)
        parts = {signer: (others, own) for signer, others, own in folds(task, rows)}
        found = by_parts(task, list(parts.values()), options)
        right = found.scores.argmax(axis=1) == labels[found.task.test]
        ends = np.cumsum([len(own) for _, own in parts.values()])
        of_signers = zip(parts, np.split(right, ends[:-1]), strict=True)
        by_signer = {signer: float(hits.mean()) for signer, hits in of_signers}
        seen, top1 = seen_in_pretraining(task), np.array(list(by_signer.values()))
        known = "not known" if seen is None else f"{len(seen & set(by_signer))} of {len(by_signer)}"
        say(
            f"{task.dataset} leave_one_signer_out: {len(by_signer)} signers, {top1.min():.1%} to "
            f"{top1.max():.1%}; signers of whose clips pretraining saw some (without labels): {known}"
        )
        yield replace(
            found,
            metrics={
                "signer_mean": top1.mean(),
                "signer_std": top1.std(ddof=1) if len(top1) > 1 else float("nan"),
                "signer_worst": top1.min(),
                "signers_pretrained": float("nan")
                if seen is None
                else float(np.mean([signer in seen for signer in by_signer])),
            },
            details={
                "top1_by_signer": by_signer,
                "signers_pretrained": None if seen is None else sorted(seen & set(by_signer)),
            },
        )


def by_parts(
    task: Task, parts: Sequence[tuple[np.ndarray, np.ndarray]], options: LeaveOneSignerOutConfig
) -> Prediction:
    """One prediction of all parts' own rows, each by a probe of the part's other rows.

    Args:
        parts: the rows that a probe learns from, and those that it scores.
    """
    scores, fits = zip(*(probe(task, *part, options) for part in parts), strict=True)
    gradient = max(fitted.gradient for fitted in fits)
    accuracy = float(np.mean([fitted.accuracy for fitted in fits]))
    return Prediction(
        np.concatenate(scores),
        n_train=min(len(others) for others, _ in parts),
        fit=Fit(accuracy, gradient, gradient <= GRADIENT),
        task=replace(task, test=np.concatenate([own for _, own in parts])),
    )


def probe(
    task: Task, fitted_rows: np.ndarray, scored_rows: np.ndarray, options: LeaveOneSignerOutConfig
) -> tuple[np.ndarray, Fitted]:
    """Scores (clips, classes) of some rows by a probe of others, and that probe.

    A class that no fitted clip shows scores below all others.
    """
    features = torch.as_tensor(task.features).to(task.device)
    rows = torch.as_tensor(fitted_rows)
    scaled = standardised(features, rows)
    clips, scored = principal_axes(scaled[rows], scaled[torch.as_tensor(scored_rows)])
    shown, labels = np.unique(np.asarray(task.labels)[fitted_rows], return_inverse=True)
    labels = torch.as_tensor(labels).to(task.device)
    fitted = fit_logistic(clips, labels, len(shown), options.C, options.max_iter)
    found = np.concatenate(list(linear_scores(scored, fitted)))
    scores = np.full((len(scored_rows), len(task.classes)), found.min() - 1, np.float32)
    scores[:, shown] = found
    return scores, fitted
