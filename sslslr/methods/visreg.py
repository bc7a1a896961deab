"""VISReg: views agree; projections are centred, of unit scale, and shaped like a normal distribution.

Wu, Balestriero, Levine, "VISReg", 2026 (arXiv 2606.02572). For the projections z (N, d) of a branch
with mean mu and standard deviation sigma by dimension, sg the stop-gradient, a_m random unit vectors
and q_i the standard normal's quantile of i / (N + 1),

    centre = mean_j mu_j^2              scale = mean_j (1 - sigma_j)^2
    shape  = mean_m,i (sort(a_m . (z - mu) / (sg[sigma] + 1e-4))_i - q_i)^2
    L = (1 - w) mean_v |z_v - mean_u z_u|^2 / d  +  w mean_v (scale + shape + centre)

What keeps it from collapsing: scale. Its gradient does not vanish as sigma goes to 0, and shape,
which leaves sigma out, keeps the dimensions from repeating one another. A batch must be large: the
quantiles of N samples spread by less than 1 (0.81 for 12, 0.98 for 256), and where sigma is small the
gradient of shape, divided by it, then shrinks z faster than scale can widen it.

    method = Visreg(encoder, Visreg.Options())
    loss, terms = method(clip, view_a, view_b, generator)
"""

import torch
from pydantic import Field
from torch import Generator, Tensor

from sslslr.methods import register
from sslslr.methods._gaussian import GaussianMethod, GaussianOptions, directions

EPSILON = 1e-4


def shape_term(z: Tensor, slices: Tensor) -> Tensor:
    """The sliced squared distance of (..., N, d), standardised, from a normal; slices (d, M)."""
    n = z.shape[-2]
    deviation = z.std(dim=-2, unbiased=False, keepdim=True).detach()
    sketched = ((z - z.mean(dim=-2, keepdim=True)) / (deviation + EPSILON)) @ slices
    share = torch.arange(1, n + 1, device=z.device, dtype=z.dtype) / (n + 1)
    quantiles = torch.special.ndtri(share)[:, None]
    return (sketched.sort(dim=-2).values - quantiles).square().mean()


@register
class Visreg(GaussianMethod):
    """Negative-free: centre, scale and shape of the projections are regulated each by itself."""

    title = "VISReg"
    line = (3, 2)

    class Options(GaussianOptions):
        w_regularisation: float = Field(
            0.6,
            ge=0,
            le=1,
            description="lambda, 0.6 on small data (paper); the rest is invariance.",
        )
        w_scale: float = Field(1.0, ge=0, description="Weight of the scale within it.")
        w_shape: float = Field(1.0, ge=0, description="Weight of the shape within it.")
        w_centre: float = Field(1.0, ge=0, description="Weight of the centre within it.")

    def regularisation(self, z: Tensor, generator: Generator) -> dict[str, Tensor]:
        slices = directions(z, self.options.slices, generator)
        deviation = z.std(dim=-2, unbiased=False)
        return {
            "scale": (1 - deviation).square().mean(),
            "shape": shape_term(z, slices),
            "centre": z.mean(dim=-2).square().mean(),
        }
