"""NT-Xent against equation 1 of the paper in plain Python."""

import math

import pytest
import torch

from sslslr.methods.simclr import nt_xent
from tiny_methods import build, unlike_views


def plain_nt_xent(z_a, z_b, temperature: float) -> float:
    rows = [*z_a.tolist(), *z_b.tolist()]
    n = len(z_a)

    def similarity(x, y) -> float:
        dot = sum(a * b for a, b in zip(x, y, strict=True))
        return dot / math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))

    total = 0.0
    for i, row in enumerate(rows):
        weights = {
            k: math.exp(similarity(row, other) / temperature)
            for k, other in enumerate(rows)
            if k != i
        }
        total -= math.log(weights[(i + n) % (2 * n)] / sum(weights.values()))
    return total / (2 * n)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("n", [2, 7])
def test_loss_is_the_formula(n, temperature):
    z_a, z_b = torch.randn(2, n, 5, dtype=torch.double, generator=torch.Generator().manual_seed(n))
    expected = plain_nt_xent(z_a, z_b, temperature)
    assert nt_xent(z_a, z_b, temperature).item() == pytest.approx(expected)
    assert nt_xent(z_b, z_a, temperature).item() == pytest.approx(expected)
    assert nt_xent(3 * z_a, z_b / 7, temperature).item() == pytest.approx(expected)


@pytest.mark.parametrize("n", [2, 16])
def test_equal_projections_cost_the_log_of_the_number_of_candidates(n):
    same = torch.ones(n, 4)
    assert nt_xent(same, same, 0.5).item() == pytest.approx(math.log(2 * n - 1), rel=1e-6)


def test_twins_at_right_angles_to_all_others_reach_the_closed_form():
    # One candidate at similarity 1, 2N - 2 at 0: log(1 + (2N - 2) exp(-1/T)).
    unit = torch.eye(4)
    expected = math.log(1 + 6 * math.exp(-1 / 0.5))
    assert nt_xent(unit, unit, 0.5).item() == pytest.approx(expected, rel=1e-6)


def test_autocast_does_not_touch_it():
    z_a, z_b = torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = nt_xent(z_a, z_b, 0.1)
    assert torch.equal(mixed, nt_xent(z_a.float(), z_b.float(), 0.1))


def test_forward_contrasts_the_two_views():
    method, (clip, a, b) = build("simclr", temperature=0.3), unlike_views()
    found = method(clip, a, b, torch.Generator()).loss.item()
    z_a, z_b = (method.projector(method.encoder(x.keypoints, x.lengths)) for x in (a, b))
    assert found == pytest.approx(plain_nt_xent(z_a.detach(), z_b.detach(), 0.3), rel=1e-4)
