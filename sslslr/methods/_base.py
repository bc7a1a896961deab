"""What a pretraining method is: a module that owns the encoder and turns views into a loss."""

import itertools
from typing import NamedTuple

from torch import Generator, Tensor, nn

from sslslr.batch import Batch
from sslslr.config import Strict


class MethodOutput(NamedTuple):
    """Of one step: the loss (scalar) and its parts, detached, by name."""

    loss: Tensor
    terms: dict[str, Tensor]


class Method(nn.Module):
    """Base of all methods.

    Args:
        encoder: maps (B, T, 75, 2) and lengths to (B, encoder.width).
        options: an instance of the method's `Options`.
    """

    name: str
    TRAITS: dict

    class Options(Strict):
        """No settings."""

    def __init__(self, encoder: nn.Module, options: Strict):
        super().__init__()
        self.encoder, self.options = encoder, options

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        """The loss of one step; `clip` is the original, the views are augmented copies of it."""
        raise NotImplementedError

    def project(self, embedding: Tensor) -> Tensor:
        """The space that the loss acts in, whose collapse is watched; the embedding by default."""
        return embedding

    def after_step(self, progress: float) -> None:
        """Called after each optimiser step with the share of training done (for momentum encoders)."""


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers of these widths with ReLU between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Untrained(Method):
    """Base of the methods that learn nothing before evaluation."""

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        raise RuntimeError(f"method {self.name!r} does not pretrain; its `epochs` must be 0")
