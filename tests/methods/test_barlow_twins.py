"""Barlow Twins against equations 1 and 2 of the paper in NumPy."""

import numpy as np
import pytest
import torch

from sslslr.methods.barlow_twins import barlow_terms, cross_correlation
from tiny_methods import build, step, unlike_views

# Four clips whose two dimensions have mean 0, standard deviation 1 and no correlation.
DECORRELATED = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])


def plain_terms(z_a, z_b) -> tuple[float, float]:
    d = z_a.shape[1]
    on = off = 0.0
    for i in range(d):
        for j in range(d):
            c = np.corrcoef(z_a[:, i], z_b[:, j])[0, 1]
            if i == j:
                on += (1 - c) ** 2
            else:
                off += c**2
    return on, off


def test_terms_are_the_formula():
    z_a, z_b = 2 + 3 * torch.randn(
        2, 9, 4, dtype=torch.double, generator=torch.Generator().manual_seed(0)
    )
    found = barlow_terms(cross_correlation(z_a, z_b))
    expected = plain_terms(z_a.numpy(), z_b.numpy())
    assert [term.item() for term in found] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("z_a", "z_b", "expected"),
    [
        (DECORRELATED, DECORRELATED, (0, 0)),  # equal and decorrelated: the minimum
        (DECORRELATED, -DECORRELATED, (8, 0)),  # (1 - -1)^2 for each of two dimensions
        (DECORRELATED, DECORRELATED.flip(1), (2, 2)),
        (torch.ones(4, 2), torch.ones(4, 2), (2, 0)),  # constant: d
        (DECORRELATED[:, [0, 0]], DECORRELATED[:, [0, 0]], (0, 2)),  # repeated: d (d - 1)
    ],
)
def test_known_values(z_a, z_b, expected):
    on, off = barlow_terms(cross_correlation(z_a, z_b))
    assert (on.item(), off.item()) == pytest.approx(expected, abs=1e-3)


def test_forward_weighs_the_terms():
    output = step(build("barlow_twins", w_redundancy=0.5))
    expected = output.terms["invariance"] + 0.5 * output.terms["redundancy"]
    torch.testing.assert_close(output.loss.detach(), expected)


def test_forward_correlates_one_view_with_the_other():
    method, (clip, a, b) = build("barlow_twins", batch_norm=False), unlike_views()
    found = method(clip, a, b, torch.Generator()).terms
    z_a, z_b = (
        method.project(method.encoder(x.keypoints, x.lengths)).detach().double() for x in (a, b)
    )
    # Exactly as the loss has it: the root is of the variance and a small number.
    z_a, z_b = (
        ((z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt()).numpy() for z in (z_a, z_b)
    )
    correlation = np.einsum("ni,nj->ij", z_a, z_b) / len(z_a)
    expected = ((1 - np.diag(correlation)) ** 2).sum()
    assert found["invariance"].item() == pytest.approx(expected, rel=1e-3)
    expected = (correlation**2).sum() - (np.diag(correlation) ** 2).sum()
    assert found["redundancy"].item() == pytest.approx(expected, rel=1e-3)
