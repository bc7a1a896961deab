"""Probes on few labels: a share of each class's clips, or k clips a class (`shared/paper.md`).

The encoder is frozen and was pretrained without labels; the probe sees the labels of a stratified
subset (:mod:`._subsets`). Several draws of the subset, each with all amounts nested, because at
one clip a class the luck of the draw exceeds most differences between methods. `probe_seed` of a
prediction is the draw; draws do not depend on the method, so that methods are compared on the same
labels.

All amounts and draws are problems on the same features and are fitted together, as one batch or,
where memory or wasted work forbid it, in a few (:func:`batches`).
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from sslslr.config import LinearConfig
from sslslr.protocols import Prediction, Predictions, Task, register
from sslslr.protocols._heads import StackedHeads, fit_heads, linear_decay_with_warmup
from sslslr.protocols._logistic import fit_logistic, in_span, softmax_strength, standardised
from sslslr.protocols._subsets import stratified_subset
from sslslr.seeds import derive, generator
from sslslr.strict import Strict

MAX_BYTES = 1_000_000_000
MAX_WASTE = 2.0  # work of a batch over that of its problems alone


class SemiSupervisedConfig(Strict):
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
    max_iter: int = Field(500, ge=1, description="Iterations of the logistic probe.")
    linear: LinearConfig = Field(
        LinearConfig(), description="Options of the linear probe; its seeds are the draws."
    )

    @model_validator(mode="after")
    def _amounts_differ(self) -> "SemiSupervisedConfig":
        for name in ("fractions", "shots"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} {values} names an amount twice")
        if not self.fractions and not self.shots:
            raise ValueError("both fractions and shots are empty; name an amount of labels")
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


@register
class SemiSupervised:
    """Predictions come with the fewest labels first."""

    Options = SemiSupervisedConfig

    def run(self, task: Task, options: SemiSupervisedConfig, say) -> Predictions:
        found = problems(task, options)
        fit, n_bytes = (
            (_logistic, _logistic_bytes)
            if options.probe == "logistic"
            else (_linear, _linear_bytes)
        )
        width, n_classes = task.features.shape[1], len(task.classes)
        for batch in batches(found, lambda h, n: n_bytes(options, h, n, width, n_classes)):
            for problem, scores in zip(batch, fit(task, options, batch), strict=True):
                yield Prediction(
                    scores.float().cpu().numpy(),
                    n_train=int(problem.mask.sum()),
                    label_fraction=problem.fraction,
                    shots=problem.shots,
                    probe_seed=problem.draw,
                )


def problems(task: Task, options: SemiSupervisedConfig) -> list[Problem]:
    """All amounts of all draws; within a draw a larger amount contains the smaller ones."""
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


def _logistic_bytes(options, heads: int, n: int, width: int, n_classes: int) -> int:
    # Double precision: logits, probabilities, residual and its weighted copy; curvature, its
    # factor and one copy; five copies of the weights.
    width = min(width, n) + 1
    return 8 * heads * (4 * n * n_classes + 3 * width**2 + 5 * width * n_classes)


def _linear_bytes(options, heads: int, n: int, width: int, n_classes: int) -> int:
    # Single precision: weights with their gradient; activations of a batch with theirs.
    widths = [width, *options.linear.hidden, n_classes]
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    return 4 * heads * (2 * weights + 3 * min(n, options.linear.batch_size) * sum(widths))


def _logistic(task: Task, options: SemiSupervisedConfig, batch: list[Problem]) -> Tensor:
    """Scores (problems, n_test, classes) of logistic regressions.

    Features are standardised over all training clips: that needs no labels.
    """
    train, test = torch.as_tensor(task.train), torch.as_tensor(task.test)
    masks = torch.stack([problem.mask for problem in batch])
    seen = masks.any(dim=0)
    features = standardised(torch.as_tensor(task.features).to(task.device), train)
    fitted, scored = in_span(features[train[seen]], features[test])
    weights = masks[:, seen].to(features)
    strength = softmax_strength(options.C, len(task.classes))
    strengths = weights.new_full((len(batch),), strength)
    labels = torch.as_tensor(task.labels)[train[seen]].to(task.device)
    w, b = fit_logistic(fitted, labels, len(task.classes), weights, strengths, options.max_iter)
    return scored @ w + b


def _linear(task: Task, options: SemiSupervisedConfig, batch: list[Problem]) -> Tensor:
    """Scores (problems, n_test, classes) of the paper's head (:mod:`.linear`)."""
    head = options.linear
    features = torch.as_tensor(task.features).to(task.device)
    labels = torch.as_tensor(task.labels).to(task.device)
    seeds = [derive(task.seed, "semi_supervised", problem.draw) for problem in batch]
    heads = StackedHeads([features.shape[1], *head.hidden, len(task.classes)], seeds)
    heads = heads.to(task.device)
    fit_heads(
        heads,
        features,
        labels,
        [torch.as_tensor(task.train)[problem.mask] for problem in batch],
        seeds,
        head.epochs,
        head.batch_size,
        lambda epoch: (
            head.learning_rate * linear_decay_with_warmup(epoch, head.warmup_epochs, head.epochs)
        ),
    )
    with torch.no_grad():
        test = features[torch.as_tensor(task.test).to(task.device)]
        return heads(test.expand(len(batch), -1, -1))
