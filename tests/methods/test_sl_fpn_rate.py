"""The coding rate against its formula, and the values that theory gives."""

import math
import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sslslr.methods.sl_fpn_rate import SlFpnRate, coding_rate
from tiny_methods import build, step
from toys import ROOT, random_batch


@pytest.mark.parametrize("shape", [(40, 6), (5, 12)])  # more clips than dimensions, and fewer
def test_rate_is_half_the_log_determinant(shape):
    z = F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(0)).double(), dim=1)
    b, d = shape
    plain = torch.eye(d, dtype=torch.double)
    for row in z:
        plain += d / (b * 0.2) * torch.outer(row, row)
    expected = 0.5 * math.log(torch.det(plain).item())
    assert coding_rate(z, 0.2).item() == pytest.approx(expected)


def test_a_constant_embedding_has_the_rate_of_one_direction_and_an_even_one_the_most():
    d, eps2 = 8, 0.2
    constant = F.normalize(torch.ones(64, d).double(), dim=1)
    assert coding_rate(constant, eps2).item() == pytest.approx(0.5 * math.log(1 + d / eps2))
    even = torch.eye(d).double().repeat(8, 1)
    most = 0.5 * d * math.log(1 + 1 / eps2)
    assert coding_rate(even, eps2).item() == pytest.approx(most)
    some = F.normalize(
        torch.randn(64, d, generator=torch.Generator().manual_seed(1)).double(), dim=1
    )
    assert coding_rate(constant, eps2) < coding_rate(some, eps2) < most


def plain_code(branches: list[np.ndarray], eps2: float) -> tuple[float, float]:
    """1 - the mean cosine of the branches (B, d) to their mean, and the rate of that mean over d."""
    unit = [branch / np.linalg.norm(branch, axis=1, keepdims=True) for branch in branches]
    mean = sum(unit) / len(unit)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    b, d = mean.shape
    _, log_det = np.linalg.slogdet(np.eye(d) + d / (b * eps2) * mean.T @ mean)
    return 1 - np.mean([(u * mean).sum(axis=1) for u in unit]), log_det / 2 / d


def test_loss_is_the_formula_over_projections_and_features():
    weights = {"w_invariance": 2, "w_rate": 3, "w_features": 5}
    method = build("sl_fpn_rate", batch_norm=False, projection=8, eps2=0.3, **weights)
    clip = random_batch(clips=8, frames=12)
    views = [clip.with_keypoints(scale * clip.keypoints) for scale in (1, 1.5, 0.5)]
    output = method(*views, torch.Generator())
    with torch.no_grad():
        features = [method.encoder(x.keypoints, x.lengths) for x in views]
        projections = [method.project(h).double().numpy() for h in features]
    stacked = torch.stack(features).double().numpy()
    invariance, rate = plain_code(projections, 0.3)
    _, feature_rate = plain_code(list(stacked - stacked.mean(axis=(0, 1))), 0.3)
    expected = {"invariance": invariance, "rate": rate, "feature_rate": feature_rate}
    found = {name: term.item() for name, term in output.terms.items()}
    assert found == pytest.approx(expected, rel=1e-4)
    assert output.loss.item() == pytest.approx(
        2 * invariance - 3 * rate - 5 * feature_rate, rel=1e-4
    )


def test_without_its_weight_the_features_are_left_alone():
    alone = step(build("sl_fpn_rate", w_features=0))
    assert "feature_rate" not in alone.terms
    both = step(build("sl_fpn_rate", w_features=0.5))
    expected = alone.loss - 0.5 * both.terms["feature_rate"]
    torch.testing.assert_close(both.loss.detach(), expected.detach())


def test_features_in_one_direction_are_driven_apart():
    """The projector alone would do: its space is filled from features that hardly differ."""
    gradients = {}
    for weight in (0.0, 1.0):
        method = build("sl_fpn_rate", w_features=weight, w_rate=0, w_invariance=0)
        step(method).loss.backward()
        gradients[weight] = method.encoder.embed.weight.grad.abs().sum()
    assert gradients[0.0] == 0 < gradients[1.0]


def test_the_default_weight_is_the_one_that_the_measurements_are_told_of():
    """They once were told of another: a run's settings name no default."""
    text = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    said = re.findall(r"default\w*(?: is|,) `w_features: ([\d.]+)`", text)
    assert [float(weight) for weight in said] == [SlFpnRate.Options().w_features] * 2
