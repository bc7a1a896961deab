"""Barlow Twins: the cross-correlation of two views' projections is to be the identity.

Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML 2021,
equations 1 and 2. With C (d, d) the correlation, over the batch, of each dimension of z_a with each
dimension of z_b:

    L = sum over i of (1 - C_ii)^2 + lambda * sum over i != j of C_ij^2

What keeps it from collapsing: the standardisation in C. A constant z has correlation 0 and costs
d; a z of one repeated dimension has C_ij = 1 everywhere and costs lambda d (d - 1).

    method = BarlowTwins(encoder, BarlowTwins.Options())
    loss, terms = method(clip, view_a, view_b, generator)
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch
from sslslr.encoders._base import Encoder
from sslslr.methods import register
from sslslr.methods._base import Method, MethodOutput, encode_together, full_precision, mlp

EPSILON = 1e-5  # under the root of the standard deviation, as batch norm has it (authors' code)


@full_precision
def cross_correlation(z_a: Tensor, z_b: Tensor) -> Tensor:
    """(d, d): correlation over the batch of each column of z_a (N, d) with each of z_b (N, d)."""
    z_a, z_b = (
        (z - z.mean(dim=0)) / torch.sqrt(z.var(dim=0, unbiased=False) + EPSILON) for z in (z_a, z_b)
    )
    return z_a.T @ z_b / len(z_a)


def barlow_terms(correlation: Tensor) -> tuple[Tensor, Tensor]:
    """Of C (d, d): the sums of (1 - C_ii)^2 and of C_ij^2, i != j."""
    diagonal = correlation.diagonal()
    return (1 - diagonal).square().sum(), correlation.square().sum() - diagonal.square().sum()


@register
class BarlowTwins(Method):
    """Without negative pairs, momentum or stop-gradient."""

    title = "Barlow Twins"
    line = (3, 0)

    class Options(Settings):
        w_redundancy: float = Field(
            0.0051, ge=0, description="lambda, the weight of the off-diagonal (paper)."
        )
        projector: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)] = Field(
            [2048, 2048, 2048],
            description="Widths of the projector's layers; the paper's 8192 is four times its encoder's "
            "2048, and 2048 is four times our 512.",
        )
        batch_norm: bool = Field(True, description="Batch norm in the hidden layers (paper).")

    def __init__(self, encoder: Encoder, options: "BarlowTwins.Options"):
        super().__init__(encoder, options)
        # The last layer has no bias (the paper's code): the correlation does not see it.
        self.projector = mlp(
            encoder.width, *options.projector, batch_norm=options.batch_norm, last_bias=False
        )

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        z_a, z_b = encode_together(self.encoder, [view_a, view_b], generator, self.projector)
        invariance, redundancy = barlow_terms(cross_correlation(z_a, z_b))
        loss = invariance + self.options.w_redundancy * redundancy
        terms = {"invariance": invariance.detach(), "redundancy": redundancy.detach()}
        return MethodOutput(loss, terms)
