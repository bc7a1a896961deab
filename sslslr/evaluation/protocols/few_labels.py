"""Probes on few labels: a share of each class's clips, or k clips a class (`docs/paper.md`).

The encoder is frozen and was pretrained without labels; the probe sees the labels of a stratified
subset (:mod:`._subsets`). Several draws of the subset, each with all amounts nested, because at
one clip a class the luck of the draw exceeds most differences between methods. `probe_seed` of a
prediction is the draw; draws do not depend on the method, so that methods are compared on the same
labels.

All amounts and draws are problems on the same features. The paper's heads are fitted together, as one
batch or, where memory or wasted work forbid it, in a few (:func:`batches`).
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from sslslr.config.settings import Settings
from sslslr.evaluation.protocols import Fit, Prediction, Predictions, Protocol, Task, register
from sslslr.evaluation.protocols._fit import of_head, of_logistic, reference_accuracy
from sslslr.evaluation.protocols._logistic import (
    FIT_PASSES,
    fit_logistic,
    linear_scores,
    principal_axes,
    standardised,
)
from sslslr.evaluation.protocols._subsets import check_amounts, stratified_subset
from sslslr.evaluation.protocols.linear import Linear, LinearConfig, fitted_heads
from sslslr.utils.seeds import derive, generator

MAX_BYTES = 1_000_000_000
MAX_WASTE = 2.0  # work of a batch over that of its problems alone


class FewLabelsConfig(Settings):
    """Few labels: fractions and clips per class, several draws of each."""

    fractions: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.01, 0.05, 0.1, 0.3, 0.5],
        description="Shares of each class's training clips (paper: 0.3); at least one clip a class.",
    )
    shots: list[Annotated[int, Field(ge=1)]] = Field(
        [1, 3, 5], description="Training clips per class; all of them where a class has fewer."
    )
    draws: int = Field(3, ge=1, description="Random draws of the labelled clips.")
    probe: Literal["linear", "logistic"] = Field(
        "logistic", description="linear: the paper's head. logistic: cheaper by far."
    )
    C: float = Field(1.0, gt=0, description="Inverse L2 strength of the logistic probe.")
    max_iter: int = Field(100, ge=1, description="Steps of Newton's method at most.")
    linear: LinearConfig = Field(
        LinearConfig(), description="Options of the linear probe; its seeds are the draws."
    )

    @model_validator(mode="after")
    def _amounts_differ(self) -> "FewLabelsConfig":
        check_amounts(self.fractions, self.shots)
        if "seeds" in self.linear.model_fields_set:
            raise ValueError("linear.seeds has no effect here; set draws instead")
        return self


@dataclass(frozen=True)
class Problem:
    """One probe to fit: its amount of labels, its draw and a mask (n_train,) of its clips."""

    fraction: float
    shots: int
    draw: int
    mask: Tensor


# A problem, its scores in blocks (clips, classes), and how far its training has come.
Ends = Iterator[tuple[Problem, Iterator[np.ndarray], Fit]]


@register
class FewLabels(Protocol):
    """Predictions come with the fewest labels first."""

    title = "few labels"
    sentence = "a probe on a part of the labels"
    order = 6
    all_labels = False
    Options = FewLabelsConfig

    @staticmethod
    def cost(options: FewLabelsConfig, width: int, n_classes: int) -> tuple[float, float]:
        clips = sum(options.fractions) * options.draws
        if options.probe == "linear":
            return 0.0, clips * Linear.cost(options.linear, width, n_classes)[1]
        return 0.0, float(clips * FIT_PASSES * width * n_classes)

    def run(self, task: Task, options: FewLabelsConfig, say) -> Predictions:
        found = sorted(problems(task, options), key=lambda problem: int(problem.mask.sum()))
        fit = _logistic if options.probe == "logistic" else _linear
        for problem, scores, end in fit(task, options, found):
            yield Prediction(
                scores,
                n_train=int(problem.mask.sum()),
                label_fraction=problem.fraction,
                shots=problem.shots,
                probe_seed=problem.draw,
                fit=end,
            )


def problems(task: Task, options: Any) -> list[Problem]:
    """All amounts (`fractions`, `shots`) of all `draws`; within a draw a larger amount contains the smaller ones."""
    labels = torch.as_tensor(task.labels)[torch.as_tensor(task.train)]
    found = []
    for draw in range(options.draws):
        seed = derive(task.seed, "labels", draw)
        for fraction in options.fractions:
            mask = stratified_subset(labels, generator(seed), fraction=fraction)
            found.append(Problem(fraction, 0, draw, mask))
        for shots in options.shots:
            mask = stratified_subset(labels, generator(seed), shots=shots)
            found.append(Problem(0.0, shots, draw, mask))
    return found


def batches(found: list[Problem], n_bytes: Callable[[int, int], int]) -> Iterator[list[Problem]]:
    """Problems in groups to fit at once, the smallest first.

    A group computes on all clips that any of its problems sees. It closes when one more problem
    would exceed `MAX_BYTES`, or would make the group compute on `MAX_WASTE` times the clips that
    its problems have: a probe of one clip a class should not drag half the data set along.

    Args:
        n_bytes: memory of fitting h problems on n clips.
    """
    group: list[Problem] = []
    seen, own = None, 0
    for problem in sorted(found, key=lambda p: int(p.mask.sum())):
        size = int(problem.mask.sum())
        union = problem.mask if seen is None else seen | problem.mask
        heads, clips = len(group) + 1, int(union.sum())
        if group and (
            n_bytes(heads, clips) > MAX_BYTES or heads * clips > MAX_WASTE * (own + size)
        ):
            yield group
            group, union, own = [], problem.mask, 0
        group, seen, own = [*group, problem], union, own + size
    if group:
        yield group


def _linear_bytes(head: LinearConfig, heads: int, n: int, widths: list[int]) -> int:
    # Single precision: weights with their gradient; activations of a batch with theirs.
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    return 4 * heads * (2 * weights + 3 * min(n, head.batch_size) * sum(widths))


def _logistic(task: Task, options: FewLabelsConfig, found: list[Problem]) -> Ends:
    """Each problem's logistic regression.

    Features are standardised over all training clips: that needs no labels.
    """
    train, test = torch.as_tensor(task.train), torch.as_tensor(task.test)
    features = standardised(torch.as_tensor(task.features).to(task.device), train)
    labels = torch.as_tensor(task.labels).to(task.device)
    n_classes = len(task.classes)
    for problem in found:
        rows = train[problem.mask]
        clips, scored = principal_axes(features[rows], features[test])
        fitted = fit_logistic(clips, labels[rows], n_classes, options.C, options.max_iter)
        yield problem, linear_scores(scored, fitted), of_logistic(fitted)


def _linear(task: Task, options: FewLabelsConfig, found: list[Problem]) -> Ends:
    """Each problem's head, the paper's (:mod:`.linear`)."""
    head, features = options.linear, torch.as_tensor(task.features)
    widths = [features.shape[1], *head.hidden, len(task.classes)]
    for batch in batches(found, lambda heads, clips: _linear_bytes(head, heads, clips, widths)):
        # The protocol's former name is part of the seed, so that results stay what they were.
        seeds = [derive(task.seed, "semi_supervised", problem.draw) for problem in batch]
        rows = [torch.as_tensor(task.train)[problem.mask] for problem in batch]
        heads = fitted_heads(task, features, rows, seeds, head)
        for problem, own, (scores, end) in zip(batch, rows, heads, strict=True):
            yield problem, scores, of_head(*end, reference_accuracy(task, own))
