"""What a pretraining method is: a module that owns the encoder and turns views into a loss."""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from sslslr.batch import Batch, concatenate
from sslslr.strict import Strict


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


def mlp(*widths: int, batch_norm: bool = False, last_bias: bool = True) -> nn.Sequential:
    """Linear layers of these widths with ReLU, and batch norm if asked for, between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths[:-1]):
        # Batch norm subtracts the mean, and with it a bias.
        layers.append(nn.Linear(n_in, n_out, bias=not batch_norm))
        layers += [nn.BatchNorm1d(n_out), nn.ReLU()] if batch_norm else [nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(*widths[-2:], bias=last_bias))


def encode_together(encoder: nn.Module, batches: list[Batch], generator: Generator) -> list[Tensor]:
    """Features (B, width) of each batch, in one pass: without batch norm this equals several."""
    together = concatenate(batches)
    features = encoder(together.keypoints, together.lengths, generator)
    return list(features.chunk(len(batches)))


def full_precision(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a loss: outside autocast, and bfloat16 or float16 arguments as float32.

    Autocast would run a loss's matrix products in bfloat16, whose three digits are too few for a
    covariance or for similarities divided by a small temperature.
    """

    @functools.wraps(loss)
    def in_full(*arguments: Any, **settings: Any) -> Any:
        device = next(a.device for a in arguments if isinstance(a, Tensor))
        with torch.autocast(device.type, enabled=False):
            return loss(*(full(argument) for argument in arguments), **settings)

    return in_full


def full(argument: Any) -> Any:
    """A bfloat16 or float16 tensor as float32; anything else, float64 too, as it is."""
    half = isinstance(argument, Tensor) and argument.dtype in (torch.bfloat16, torch.float16)
    return argument.float() if half else argument


class Untrained(Method):
    """Base of the methods that learn nothing before evaluation."""

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        raise RuntimeError(f"method {self.name!r} does not pretrain; its `epochs` must be 0")
