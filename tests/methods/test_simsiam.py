"""SimSiam: the loss against its formula, and where the gradient stops.

That it collapses without the stop-gradient is shown in test_all_methods.py.
"""

import math

import pytest
import torch
from torch import nn

from sslslr.methods.simsiam import negative_cosine
from tiny_methods import build, step
from toys import random_batch


def test_loss_is_the_negative_cosine():
    p, z = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    expected = 0.0
    for x, y in zip(p.tolist(), z.tolist(), strict=True):
        dot = sum(a * b for a, b in zip(x, y, strict=True))
        expected -= dot / (math.hypot(*x) * math.hypot(*y))
    assert negative_cosine(p, z).item() == pytest.approx(expected / 6, rel=1e-5)
    assert negative_cosine(p, 3 * p).item() == pytest.approx(-1, rel=1e-6)


def test_forward_is_the_mean_of_both_directions():
    output = step(build("simsiam"))
    a, b = output.terms["a_to_b"].item(), output.terms["b_to_a"].item()
    assert output.loss.item() == pytest.approx((a + b) / 2)
    method, clip = build("simsiam"), random_batch(clips=8, frames=12)
    found = method(clip, clip, clip, torch.Generator()).loss.item()
    z = method.projector(method.encoder(clip.keypoints, clip.lengths))
    assert found == pytest.approx(negative_cosine(method.predictor(z), z).item(), abs=1e-5)


def test_the_gradient_stops_at_the_target():
    """With a predictor that gives a constant, only the target's side could reach the encoder."""
    for stop in (True, False):
        method = build("simsiam", stop_gradient=stop)
        nn.init.zeros_(method.predictor[-1].weight)
        step(method).loss.backward()
        reached = method.encoder.embed.weight.grad.abs().sum().item()
        assert (reached == 0) is stop


def test_the_projection_is_standardised_as_in_the_authors_code():
    method = build("simsiam")
    z = method.projector(torch.randn(64, 32))
    torch.testing.assert_close(z.mean(dim=0), torch.zeros(32), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.std(dim=0, unbiased=False), torch.ones(32), atol=1e-2, rtol=0)
