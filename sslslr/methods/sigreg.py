"""SIGReg (LeJEPA): views agree, and every direction of their projections looks normal.

Balestriero and LeCun, "LeJEPA: Provable and Scalable Self-Supervised Learning Without the
Heuristics", 2025 (arXiv 2511.08544). With z_v (N, d) the projections of branch v, a_m random unit
vectors and phi(t) = exp(-t^2 / 2) the characteristic function of a standard normal,

    L = (1 - w) mean_v |z_v - mean_u z_u|^2 / d  +  w mean_v,m E(z_v a_m)
    E(x) = N * integral from -3 to 3 of phi(t) |mean_n exp(i t x_n) - phi(t)|^2 dt

the integral, symmetric in t, by the trapezoid rule at 17 points from 0 to 3. (The factor 1 - w and
the statistic by branch are those of the authors' code; others leave the factor out or pool branches.)

What keeps it from collapsing: a constant z has a characteristic function of modulus 1 everywhere,
far from phi, along every direction; E then grows with the batch.

    method = Sigreg(encoder, Sigreg.Options())
    loss, terms = method(clip, view_a, view_b, generator)
"""

import torch
from pydantic import Field
from torch import Generator, Tensor

from sslslr.methods import register
from sslslr.methods._gaussian import GaussianMethod, GaussianOptions, directions

KNOTS, LARGEST = 17, 3.0


def epps_pulley(x: Tensor) -> Tensor:
    """E of samples (..., N, slices): how far each column is from a standard normal, (..., slices)."""
    knots = torch.linspace(0, LARGEST, KNOTS, device=x.device, dtype=x.dtype)
    normal = torch.exp(-knots.square() / 2)
    angles = x[..., None] * knots  # (..., N, slices, knots)
    real, imaginary = angles.cos().mean(dim=-3), angles.sin().mean(dim=-3)
    distance = (real - normal).square() + imaginary.square()
    return 2 * x.shape[-2] * torch.trapezoid(distance * normal, knots, dim=-1)


@register
class Sigreg(GaussianMethod):
    """Negative-free: the projections are asked to be an isotropic normal distribution."""

    title = "SIGReg (LeJEPA)"
    line = (1, 2)

    class Options(GaussianOptions):
        w_regularisation: float = Field(
            0.05,
            ge=0,
            le=1,
            description="lambda, 0.01 to 0.1 in the paper; the rest is invariance.",
        )

    def regularisation(self, z: Tensor, generator: Generator) -> dict[str, Tensor]:
        slices = directions(z, self.options.slices, generator)
        return {"normality": epps_pulley(z @ slices).mean()}
