"""SIGReg and VISReg against plain computations in double precision."""

import itertools
import math
import statistics

import numpy as np
import pytest
import torch

from sslslr.methods._coding_rate import feature_rate
from sslslr.methods._gaussian import directions, invariance
from sslslr.methods.sigreg import epps_pulley
from sslslr.methods.visreg import shape_term
from tiny_methods import build, unlike_views


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_epps_pulley_is_the_integral_of_the_published_formula():
    x = torch.randn(7, 3, generator=draws()).double() * 1.5 + 0.3
    knots = np.linspace(0, 3, 17)
    for column in range(3):
        samples = x[:, column].tolist()
        heights = []
        for t in knots:
            phi = math.exp(-t * t / 2)
            empirical = sum(complex(math.cos(t * s), math.sin(t * s)) for s in samples) / 7
            heights.append(phi * abs(empirical - phi) ** 2)
        half = sum((a + b) / 2 * (3 / 16) for a, b in itertools.pairwise(heights))
        assert epps_pulley(x)[column].item() == pytest.approx(7 * 2 * half, rel=1e-9)


def test_epps_pulley_is_small_for_normal_samples_and_grows_with_the_batch_for_a_constant():
    normal = epps_pulley(torch.randn(4000, 20, generator=draws())).mean()
    assert normal < 1.5
    assert epps_pulley(torch.zeros(4000, 1)).item() > 1000
    once, twice = (epps_pulley(torch.zeros(n, 1)).item() for n in (100, 200))
    assert twice == pytest.approx(2 * once)


def test_shape_is_the_sorted_distance_from_the_normal_quantiles():
    z = torch.randn(9, 4, generator=draws(1)).double() * torch.tensor([1.0, 5.0, 0.1, 2.0])
    slices = directions(z, 6, draws(2))
    total = 0.0
    array = z.numpy()
    scaled = (array - array.mean(axis=0)) / (array.std(axis=0) + 1e-4)
    for m in range(6):
        column = sorted(scaled @ slices[:, m].numpy())
        for i, value in enumerate(column, start=1):
            total += (value - statistics.NormalDist().inv_cdf(i / 10)) ** 2
    assert shape_term(z, slices).item() == pytest.approx(total / (6 * 9), rel=1e-6)


def test_the_shape_does_not_see_the_scale_and_its_gradient_leaves_it_alone():
    z = torch.randn(64, 5, generator=draws(3)).double().requires_grad_()
    slices = directions(z, 16, draws(4))
    assert shape_term(3 * z, slices).item() == pytest.approx(shape_term(z, slices).item(), rel=1e-3)
    torch.testing.assert_close(slices.norm(dim=0), torch.ones(16).double())


def test_invariance_is_the_mean_squared_distance_from_the_branches_mean():
    z = torch.randn(3, 5, 4, generator=draws(5)).double()
    expected = np.mean([((z[v] - z.mean(dim=0)) ** 2).mean().item() for v in range(3)])
    assert invariance(z).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["sigreg", "visreg"])
def test_the_loss_is_the_weighted_sum_of_its_terms_and_the_features_rate_is_taken_off(name):
    tiny = build(name, projector=[16, 8], slices=32, w_features=0.3, w_regularisation=0.25).double()
    clips = [_double(view) for view in unlike_views()]
    loss, terms = tiny(*clips, draws(7))
    weights = {"shape": 0.05}  # tests/tiny_methods.py; the others' is 1
    parts = {k: v for k, v in terms.items() if k not in ("invariance", "feature_rate")}
    penalty = sum(weights.get(name, 1.0) * part for name, part in parts.items())
    expected = 0.75 * terms["invariance"] + 0.25 * penalty - 0.3 * terms["feature_rate"]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    features = [tiny.encoder(clip.keypoints, clip.lengths) for clip in clips]
    assert terms["feature_rate"].item() == pytest.approx(feature_rate(features, 0.2).item())


def _double(batch):
    return type(batch)(batch.keypoints.double(), batch.lengths, batch.present)
