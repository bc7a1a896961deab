"""Linear evaluation as the paper does it (`docs/paper.md`, "Evaluation").

Frozen encoder; head LayerNorm, Linear 512-1024, Linear 1024-500, Linear 500-C with no
non-linearity between; SGD with learning rate 0.01, 20 warm-up epochs, linear decay to epoch 1000,
batch 512. Whether the authors used momentum is unknown; none is used here. At a small budget, or on
features of a small spread, this head does not reach what the features hold (:mod:`._fit` tells).
"""

import itertools
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from sslslr.config.settings import FASTEST, MOST, Seeds, Settings
from sslslr.evaluation.protocols import Prediction, Predictions, Protocol, Task, register
from sslslr.evaluation.protocols._fit import of_head, reference_accuracy
from sslslr.evaluation.protocols._heads import StackedHeads, fit_heads, linear_decay_with_warmup
from sslslr.utils.seeds import derive


class LinearConfig(Settings):
    """The paper's linear evaluation: three linear layers without a non-linearity between."""

    hidden: list[Annotated[int, Field(ge=1, le=MOST)]] = Field(
        [1024, 500], description="Widths between features and classes."
    )
    epochs: int = Field(1000, ge=1, le=MOST, description="Passes over the labelled clips.")
    warmup_epochs: int = Field(20, ge=0, description="Epochs of linear warm-up, then linear decay.")
    learning_rate: float = Field(0.01, gt=0, le=FASTEST, description="SGD.")
    batch_size: int = Field(512, ge=1, le=MOST, description="Clips a step.")
    seeds: Seeds = Field([0], description="Probe seeds, fitted at once.")

    @model_validator(mode="after")
    def _warm_up_ends(self) -> "LinearConfig":
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs} is above epochs {self.epochs}: the learning rate would "
                "never be reached. Lower `warmup_epochs` (the paper has 20 of 1000)"
            )
        return self


@register
class Linear(Protocol):
    """All probe seeds are fitted at once on the cached features."""

    title = "linear"
    sentence = "the paper's three-layer head without non-linearity"
    order = 1
    Options = LinearConfig

    @staticmethod
    def cost(options: LinearConfig, width: int, n_classes: int) -> tuple[float, float]:
        weights = sum(a * b for a, b in itertools.pairwise([width, *options.hidden, n_classes]))
        return 0.0, 3.0 * weights * options.epochs * len(options.seeds)

    def run(self, task: Task, options: LinearConfig, say) -> Predictions:
        seeds = [derive(task.seed, "linear", seed) for seed in options.seeds]
        train = torch.as_tensor(task.train)
        heads = fitted_heads(task, self.seen(task), [train] * len(seeds), seeds, options)
        reference = reference_accuracy(task, train)
        for seed, (scores, end) in zip(options.seeds, heads, strict=True):
            fit = of_head(*end, reference)
            yield Prediction(scores, n_train=len(train), probe_seed=seed, fit=fit)

    @staticmethod
    def seen(task: Task) -> torch.Tensor:
        """Features as the head sees them."""
        return torch.as_tensor(task.features)


def fitted_heads(
    task: Task, features: Tensor, rows: list[Tensor], seeds: list[int], options: LinearConfig
) -> Iterator[tuple[Iterator[np.ndarray], tuple[float, float]]]:
    """Heads fitted together, one a seed on its own rows: scores of the test clips, and how it ended."""
    features, labels = features.to(task.device), torch.as_tensor(task.labels).to(task.device)
    widths = [features.shape[1], *options.hidden, len(task.classes)]
    heads = StackedHeads(widths, seeds).to(task.device)

    def rate(epoch: int) -> float:
        share = linear_decay_with_warmup(epoch, options.warmup_epochs, options.epochs)
        return options.learning_rate * share

    fit_heads(heads, features, labels, rows, seeds, options.epochs, options.batch_size, rate)
    for head, own in enumerate(rows):
        scores = heads.scores(head, features, torch.as_tensor(task.test))
        yield scores, heads.fit(head, features, labels, own)
