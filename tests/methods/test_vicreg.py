"""VICReg's terms against the formulas of the paper in NumPy."""

import numpy as np
import pytest
import torch

from sslslr.methods.vicreg import covariance_term, variance_term
from tiny_methods import build, step
from toys import random_batch


def sample(n: int = 9, d: int = 4, scale: float = 0.7) -> torch.Tensor:
    return scale * torch.randn(
        n, d, dtype=torch.double, generator=torch.Generator().manual_seed(n + d)
    )


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_variance_is_the_formula(gamma):
    z = sample()
    columns = [np.sqrt(np.var(z[:, j].numpy(), ddof=1) + 1e-4) for j in range(4)]
    expected = sum(max(0.0, gamma - s) for s in columns) / 4
    assert variance_term(z, gamma).item() == pytest.approx(expected)


def test_covariance_is_the_formula():
    z = sample()
    matrix = np.cov(z.numpy().T)
    expected = sum(matrix[i, j] ** 2 for i in range(4) for j in range(4) if i != j) / 4
    assert covariance_term(z).item() == pytest.approx(expected)


def test_known_values():
    constant = torch.full((5, 3), 7.0)
    assert variance_term(constant).item() == pytest.approx(1 - 0.01, rel=1e-6)  # sqrt(1e-4)
    assert covariance_term(constant).item() == 0
    wide = torch.tensor([[2.0, 2.0], [2.0, -2.0], [-2.0, 2.0], [-2.0, -2.0]])
    assert variance_term(wide).item() == 0
    assert covariance_term(wide).item() == pytest.approx(0, abs=1e-6)
    repeated = wide[:, [0, 0]]  # variance 16/3 = the covariance; two of them, over d = 2
    assert covariance_term(repeated).item() == pytest.approx((16 / 3) ** 2, rel=1e-6)


def test_forward_weighs_the_terms():
    output = step(build("vicreg", w_invariance=2, w_variance=3, w_covariance=5))
    terms = output.terms
    expected = 2 * terms["invariance"] + 3 * terms["variance"] + 5 * terms["covariance"]
    torch.testing.assert_close(output.loss.detach(), expected)


def test_forward_has_both_views_in_each_term():
    method, clip = build("vicreg", batch_norm=False), random_batch(clips=8, frames=12)
    other = clip.with_keypoints(2 * clip.keypoints)
    terms = method(clip, clip, other, torch.Generator()).terms
    z_a, z_b = (method.project(method.encoder(x.keypoints, x.lengths)) for x in (clip, other))
    assert terms["invariance"].item() == pytest.approx((z_a - z_b).square().mean().item(), rel=1e-4)
    expected = (variance_term(z_a) + variance_term(z_b)).item() / 2
    assert terms["variance"].item() == pytest.approx(expected, rel=1e-4)
    expected = (covariance_term(z_a) + covariance_term(z_b)).item()
    assert terms["covariance"].item() == pytest.approx(expected, rel=1e-3)
