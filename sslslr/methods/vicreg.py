"""VICReg: views agree (invariance), no dimension dies (variance), none repeats another (covariance).

Bardes, Ponce, LeCun, "VICReg: Variance-Invariance-Covariance Regularization", ICLR 2022, as in its
code: with Z, Z' the (N, d) projections of two views, S the standard deviation and C the covariance
over the batch,

    L = w_i MSE(Z, Z') + w_v mean of v(Z), v(Z') + w_c (c(Z) + c(Z'))
    v(Z) = mean over j of max(0, gamma - sqrt(var(Z_j) + eps));  c(Z) = sum over i != j of C_ij^2 / d

What keeps it from collapsing: the variance term. A constant Z costs w_v (gamma - sqrt(eps)), while
projections that spread by gamma, agree and are uncorrelated cost nothing.

    method = Vicreg(encoder, Vicreg.Options())
    loss, terms = method(clip, view_a, view_b, generator)
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn import functional as F

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch
from sslslr.encoders._base import Encoder
from sslslr.methods import register
from sslslr.methods._base import Method, MethodOutput, encode_together, full, full_precision, mlp

EPSILON = 1e-4  # under the root of the standard deviation (the paper's section 4.1)


@full_precision
def variance_term(z: Tensor, gamma: float = 1.0) -> Tensor:
    """How far the standard deviations of (N, d) fall short of gamma; gamma - 0.01 if constant."""
    return F.relu(gamma - torch.sqrt(z.var(dim=0) + EPSILON)).mean()


@full_precision
def covariance_term(z: Tensor) -> Tensor:
    """The sum of the squared off-diagonal covariances of (N, d), over d."""
    n, d = z.shape
    centred = z - z.mean(dim=0)
    covariance = centred.T @ centred / (n - 1)  # (d, d)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / d


@register
class Vicreg(Method):
    """Without negative pairs, and still unable to collapse."""

    title = "VICReg"
    line = (3, 1)

    class Options(Settings):
        w_invariance: float = Field(
            25, ge=0, description="Weight of the MSE between views (paper)."
        )
        w_variance: float = Field(25, ge=0, description="Weight of the variance hinge (paper).")
        w_covariance: float = Field(1, ge=0, description="Weight of the covariance term (paper).")
        gamma: float = Field(1, gt=0, description="Standard deviation that is asked for (paper).")
        expander: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)] = Field(
            [2048, 2048, 2048],
            description="Widths of the expander's layers; the paper's 8192 is four times its encoder's "
            "2048, and 2048 is four times our 512.",
        )
        batch_norm: bool = Field(
            True, description="Batch norm in the expander's hidden layers (paper)."
        )

    def __init__(self, encoder: Encoder, options: "Vicreg.Options"):
        super().__init__(encoder, options)
        # The last layer has no bias (the paper's code): no term of the loss would see it.
        self.projector = mlp(
            encoder.width, *options.expander, batch_norm=options.batch_norm, last_bias=False
        )

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        options = self.options
        z_a, z_b = encode_together(self.encoder, [view_a, view_b], generator, self.projector)
        invariance = F.mse_loss(full(z_a), full(z_b))
        variance = (variance_term(z_a, options.gamma) + variance_term(z_b, options.gamma)) / 2
        covariance = covariance_term(z_a) + covariance_term(z_b)
        loss = (
            options.w_invariance * invariance
            + options.w_variance * variance
            + options.w_covariance * covariance
        )
        terms = {"invariance": invariance, "variance": variance, "covariance": covariance}
        return MethodOutput(loss, {name: term.detach() for name, term in terms.items()})
