"""What a pretraining method is: a module that owns the encoder and turns views into a loss."""

import functools
import itertools
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch, concatenate
from sslslr.encoders._base import Encoder


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

    name: ClassVar[str]
    title: ClassVar[str]  # in tables and figures
    # Colour and dash in figures (report/figures/_style).
    line: ClassVar[tuple[int, ...] | None] = None
    pretrains: ClassVar[bool] = True  # False: nothing is learnt before evaluation
    # Settings that the method fixes; a mapping as a value changes what it names, and leaves the rest.
    encoder_settings: ClassVar[dict[str, Any]] = {}
    protocols: ClassVar[tuple[str, ...]] = ()  # the only ones that make sense; (): the study's
    skips: ClassVar[tuple[str, ...]] = ()  # protocols that would repeat another row of the tables
    unit_length: ClassVar[bool] = False  # whether the loss compares directions of projections alone

    encoder: Encoder
    options: Any  # an instance of `Options`
    projector: nn.Module  # of a method whose loss acts on projections

    class Options(Settings):
        """No settings."""

    def __init__(self, encoder: Encoder, options: Any):
        super().__init__()
        self.encoder, self.options = encoder, options

    @staticmethod
    def concern(options: Any, clips: int) -> str:
        """What speaks against these options on so many clips, in words; empty if nothing."""
        return ""

    def prepare(self, clips: Batch) -> None:
        """Called once with all clips to pretrain on, before the first step."""

    def kept(self) -> dict[str, Tensor]:
        """What is saved beside the encoder, of what the method learnt (targets, say)."""
        return {}

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        """The loss of one step; `clip` is the original, the views are augmented copies of it."""
        raise NotImplementedError

    def project(self, embedding: Tensor) -> Tensor:
        """The space that the loss acts in, whose collapse is watched: what `self.projector` gives.

        The embedding itself for a method without one; scaled to unit length where the loss does so.
        """
        if not hasattr(self, "projector"):
            return embedding
        projection = self.projector(embedding)
        return F.normalize(projection, dim=1) if self.unit_length else projection

    def projections(self, embedding: Tensor) -> list[Tensor]:
        """What is watched for collapse, each by itself: of a committee one for each member."""
        return [self.project(embedding)]

    def after_step(self, progress: float) -> None:
        """Called after each optimiser step with the share of training done (for momentum encoders)."""


def mlp(*widths: int, batch_norm: bool = False, last_bias: bool = True) -> nn.Sequential:
    """Linear layers of these widths with ReLU, and batch norm if asked for, between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths[:-1]):
        # Batch norm subtracts the mean, and with it a bias.
        layers.append(nn.Linear(n_in, n_out, bias=not batch_norm))
        layers += [nn.BatchNorm1d(n_out), nn.ReLU()] if batch_norm else [nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1], bias=last_bias))


def encode_together(
    encoder: nn.Module, batches: list[Batch], generator: Generator, *heads: nn.Module
) -> list[Tensor]:
    """Features (B, width) of each batch, in one pass: without batch norm this equals several.

    Args:
        heads: what each batch's features go through by themselves, so that batch norm sees one view at
            a time, as in the papers.
    """
    together = concatenate(batches)
    features = encoder(together.keypoints, together.lengths, generator)
    return [nn.Sequential(*heads)(part) for part in features.chunk(len(batches))]


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


class Branches(Method):
    """Base of the methods with `projector` and the option `original`: is the clip a branch as well?"""

    def branches(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Features (B, width) and projections (B, d) of each branch."""
        inputs = [clip, view_a, view_b] if self.options.original else [view_a, view_b]
        features = encode_together(self.encoder, inputs, generator)
        return features, [self.projector(h) for h in features]


class Untrained(Method):
    """Base of the methods that learn nothing before evaluation."""

    pretrains = False

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        raise RuntimeError(f"method {self.name!r} does not pretrain; its `epochs` must be 0")
