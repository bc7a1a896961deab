"""SimSiam: the loss against its formula, and where the gradient stops.

That it collapses without the stop-gradient is shown in test_all_methods.py.
"""

import math

import pytest
import torch
from torch import nn

from sslslr.methods.simsiam import negative_cosine
from tiny_methods import build, step, unlike_views


def test_loss_is_the_negative_cosine():
    p, z = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    expected = 0.0
    for x, y in zip(p.tolist(), z.tolist(), strict=True):
        dot = sum(a * b for a, b in zip(x, y, strict=True))
        expected -= dot / (math.hypot(*x) * math.hypot(*y))
    assert negative_cosine(p, z).item() == pytest.approx(expected / 6, rel=1e-5)
    assert negative_cosine(p, 3 * p).item() == pytest.approx(-1, rel=1e-6)


def test_forward_is_the_mean_of_predicting_each_view_from_the_other():
    method, (clip, a, b) = build("simsiam"), unlike_views()
    output = method(clip, a, b, torch.Generator())
    z_a, z_b = (method.projector(method.encoder(x.keypoints, x.lengths)) for x in (a, b))
    p_a, p_b = method.predictor(z_a), method.predictor(z_b)
    expected = {
        "a_to_b": negative_cosine(p_a, z_b).item(),
        "b_to_a": negative_cosine(p_b, z_a).item(),
    }
    found = {name: term.item() for name, term in output.terms.items()}
    assert found == pytest.approx(expected, rel=1e-4)
    assert output.loss.item() == pytest.approx(sum(expected.values()) / 2, rel=1e-4)


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
