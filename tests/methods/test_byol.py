"""BYOL: the loss against its formula, and a target that no gradient reaches."""

import copy
import math

import pytest
import torch
from torch import nn

from sslslr.methods._momentum import cosine_momentum, follow, slow_copy
from sslslr.methods.byol import regression
from tiny_methods import build, step, unlike_views


def test_loss_is_two_minus_twice_the_cosine():
    p, t = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    expected = 0.0
    for x, y in zip(p.tolist(), t.tolist(), strict=True):
        dot = sum(a * b for a, b in zip(x, y, strict=True))
        expected += 2 - 2 * dot / (math.hypot(*x) * math.hypot(*y))
    assert regression(p, t).item() == pytest.approx(expected / 6, rel=1e-5)
    assert regression(p, 5 * p).item() == pytest.approx(0, abs=1e-6)
    assert regression(p, -p).item() == pytest.approx(4, rel=1e-6)


def test_no_gradient_flows_into_the_target():
    p, t = (x.requires_grad_() for x in torch.randn(2, 3, 2))
    regression(p, t).backward()
    assert t.grad is None
    assert p.grad.abs().sum() > 0


def test_forward_predicts_the_target_of_the_other_view():
    method, (clip, a, b) = build("byol").eval(), unlike_views()  # eval: clips do not mix
    with torch.no_grad():  # so that target and online differ, in the encoder and behind it
        method.target_projector[-1].weight.add_(0.1)
        method.target_encoder.embed.weight.add_(0.1)
    output = method(clip, a, b, torch.Generator())
    p_a, p_b = (
        method.predictor(method.projector(method.encoder(x.keypoints, x.lengths))) for x in (a, b)
    )
    t_a, t_b = (
        method.target_projector(method.target_encoder(x.keypoints, x.lengths)) for x in (a, b)
    )
    expected = {"a_to_b": regression(p_a, t_b).item(), "b_to_a": regression(p_b, t_a).item()}
    found = {name: term.item() for name, term in output.terms.items()}
    assert found == pytest.approx(expected, rel=1e-4)
    assert output.loss.item() == pytest.approx(sum(expected.values()), rel=1e-4)


def test_momentum_rises_along_half_a_cosine():
    assert cosine_momentum(0.996, 0) == pytest.approx(0.996)
    assert cosine_momentum(0.996, 0.5) == pytest.approx(0.998)
    assert cosine_momentum(0.996, 0.25) == pytest.approx(1 - 0.002 * (1 + math.sqrt(0.5)))
    assert cosine_momentum(0.996, 1) == pytest.approx(1)


def test_the_target_follows_by_the_momentum_of_the_moment():
    method = build("byol", momentum=0.6)
    before = method.target_encoder.embed.weight.clone()
    with torch.no_grad():
        method.encoder.embed.weight += 1.0
    method.after_step(0.5)  # momentum 0.8
    torch.testing.assert_close(method.target_encoder.embed.weight, before + 0.2)
    at_half = method.target_encoder.embed.weight.clone()
    method.after_step(1.0)  # momentum 1: it stands still
    assert torch.equal(method.target_encoder.embed.weight, at_half)


def test_following_leaves_the_targets_own_batch_statistics_alone():
    online = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    target = slow_copy(online)
    online(torch.randn(8, 2))
    follow(target, online, 0.5)
    assert torch.equal(target[1].running_mean, torch.zeros(2))
    assert not any(p.requires_grad for p in target.parameters())


def test_the_target_is_in_the_checkpoint():
    method, other = build("byol"), build("byol")
    with torch.no_grad():
        method.target_encoder.embed.weight += 1.0
    other.load_state_dict(copy.deepcopy(method.state_dict()))
    assert torch.equal(step(other).loss, step(method).loss)


def test_batch_norm_is_a_setting():
    assert any(isinstance(layer, nn.BatchNorm1d) for layer in build("byol").modules())
    plain = build("byol", batch_norm=False)
    assert not any(isinstance(layer, nn.BatchNorm1d) for layer in plain.modules())
    assert torch.isfinite(step(plain).loss)
