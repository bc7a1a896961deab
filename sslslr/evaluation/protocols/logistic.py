"""A plain logistic probe: L2-regularised logistic regression on standardised features.

It minimises what scikit-learn's LogisticRegression does (a test compares), but on the task's device
and without the import. Of several strengths of regularisation the best is found on a part of the
training clips, the strongest first, each fit beginning where the one before ended; the scored clips
have no say in it.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from sslslr.config.settings import Settings
from sslslr.evaluation.protocols import Prediction, Predictions, Protocol, Task, register
from sslslr.evaluation.protocols._fit import of_logistic
from sslslr.evaluation.protocols._logistic import (
    FIT_PASSES,
    Fitted,
    fit_logistic,
    linear_scores,
    principal_axes,
    standardised,
)
from sslslr.evaluation.protocols._subsets import stratified_subset
from sslslr.utils.errors import UserError
from sslslr.utils.seeds import derive, generator

FITTED_SHARE = 0.8  # of each class's training clips, where a strength is chosen
Strength = Annotated[float, Field(gt=0)]


class LogisticConfig(Settings):
    """A plain logistic regression on standardised features."""

    C: Strength | Annotated[list[Strength], Field(min_length=1)] = Field(
        1.0,
        description="Inverse L2 strength (scikit-learn's default). Of a list the best is taken, by a fifth "
        "of each class's training clips that the others are fitted without.",
    )
    max_iter: int = Field(100, ge=1, description="Steps of Newton's method at most.")


@register
class Logistic(Protocol):
    """The probe that needs no tuning; deterministic, so it has no seed of its own."""

    title = "logistic"
    sentence = "logistic regression on standardised features"
    order = 2
    Options = LogisticConfig

    @staticmethod
    def cost(options: LogisticConfig, width: int, n_classes: int) -> tuple[float, float]:
        fits = 1 + FITTED_SHARE * len(options.C) if isinstance(options.C, list) else 1
        return 0.0, float(FIT_PASSES * fits * width * n_classes)

    def run(self, task: Task, options: LogisticConfig, say) -> Predictions:
        rows, test = torch.as_tensor(task.train), torch.as_tensor(task.test)
        c = self._chosen(task, options, say) if isinstance(options.C, list) else options.C
        ((scored, fitted),) = _fits(task, rows, test, [c], options.max_iter)
        yield Prediction(linear_scores(scored, fitted), len(rows), fit=of_logistic(fitted))

    def _chosen(self, task: Task, options: LogisticConfig, say) -> float:
        """The C with the best top-1 on held-out training clips; of equal ones the smallest."""
        candidates = sorted(set(options.C))
        labels, rows = torch.as_tensor(task.labels), torch.as_tensor(task.train)
        # As of the few labels, the draw does not depend on the method.
        draw = generator(derive(task.seed, "strength"))
        inner = stratified_subset(labels[rows], draw, fraction=FITTED_SHARE)
        if inner.all():
            raise UserError(
                f"evaluate.protocols.logistic.C: {task.dataset!r} has at most 2 training clips of a gloss, too "
                f"few to hold one out and choose among {len(candidates)} values. Name one value."
            )
        held_out = rows[~inner]
        truth, right = labels[held_out].numpy(), []
        for scored, fitted in _fits(task, rows[inner], held_out, candidates, options.max_iter):
            guesses = [block.argmax(axis=1) for block in linear_scores(scored, fitted)]
            right.append(int((np.concatenate(guesses) == truth).sum()))
        best = max(range(len(candidates)), key=lambda number: (right[number], -number))
        shown = ", ".join(f"{c:g}: {n}" for c, n in zip(candidates, right, strict=True))
        say(
            f"{task.dataset} logistic: C = {candidates[best]:g}, by {len(held_out)} held-out training clips "
            f"(right at {shown})"
        )
        return candidates[best]


def _fits(
    task: Task, fitted_rows: Tensor, scored_rows: Tensor, strengths: list[float], max_iter: int
) -> Iterator[tuple[Tensor, Fitted]]:
    """The clips to score (clips, d), and a probe of them fitted on other rows, for each C."""
    features = torch.as_tensor(task.features).to(task.device)
    labels = torch.as_tensor(task.labels).to(task.device)[fitted_rows]
    scaled = standardised(features, fitted_rows)
    train, test = principal_axes(scaled[fitted_rows], scaled[scored_rows])
    n_classes, start = len(task.classes), None
    for c in strengths:
        start = fit_logistic(train, labels, n_classes, c, max_iter, start=start)
        yield test, start
