"""SL-FPN's loss against the formula in plain Python, and what its variants do."""

import pytest
import torch
from torch import nn

from sslslr.augment import compose
from sslslr.config.settings import parse
from sslslr.config.study import EncoderConfig
from sslslr.encoders.build import build_encoder
from sslslr.methods import METHODS
from sslslr.methods.sl_fpn import SlFpn, sl_fpn_loss
from sslslr.utils.errors import UserError
from toys import random_batch

SMALL = EncoderConfig(depth=1, width=32, heads=4, dropout=0.0)


def plain_mse(x, y) -> float:
    pairs = [
        (a, b)
        for row_x, row_y in zip(x.tolist(), y.tolist(), strict=True)
        for a, b in zip(row_x, row_y, strict=True)
    ]
    return sum((a - b) ** 2 for a, b in pairs) / len(pairs)


@pytest.mark.parametrize(("w_o", "w_p"), [(1, 1), (0, 0.0022), (1, 0.5), (0, 0)])
def test_loss_is_the_formula(w_o, w_p):
    z, z_a, z_b, p = torch.randn(
        4, 7, 5, dtype=torch.double, generator=torch.Generator().manual_seed(0)
    )
    loss, terms = sl_fpn_loss(z, z_a, z_b, p, z_b, w_o, w_p)
    expected = plain_mse(z_a, z_b) + w_o * plain_mse(z, z_a) + w_p * plain_mse(p, z_b)
    assert loss.item() == pytest.approx(expected)
    assert set(terms) == {"views", "original", "predictor"}


@pytest.mark.parametrize("stop_gradient", [True, False])
def test_gradient_flows_into_the_target_only_where_it_is_asked_for(stop_gradient):
    method = build(w_o=0, w_p=1, stop_gradient=stop_gradient)
    seen = {}

    def watch(module, inputs, output):
        output.retain_grad()
        seen["z"] = output

    method.projector.register_forward_hook(watch)
    step(method)[3].loss.backward()
    z, z_a, z_b = seen["z"].detach().chunk(3)
    of_views = 2 * (z_b - z_a) / z_b.numel()  # the gradient of MSE(z_a, z_b) with respect to z_b
    of_target = 2 * (z_b - method.predictor(z).detach()) / z_b.numel()
    expected = of_views if stop_gradient else of_views + of_target
    torch.testing.assert_close(seen["z"].grad.chunk(3)[2], expected, atol=1e-7, rtol=1e-3)


def build(**options) -> SlFpn:
    torch.manual_seed(0)
    encoder = build_encoder(SMALL, 12, 0)
    return SlFpn(encoder, parse(SlFpn.Options, options, "sl_fpn"))


def step(method, seed=0):
    clip = random_batch(clips=6, frames=12)
    view = compose([{"name": "temporal_permutation"}])
    draws = torch.Generator().manual_seed(seed)
    a, b = view(clip, draws), view(clip, draws)
    return clip, a, b, method(clip, a, b, draws)


@pytest.mark.parametrize("target", ["a", "b"])
def test_forward_puts_the_branches_where_the_formula_has_them(target):
    method = build(target=target, w_o=0.7, w_p=0.3)
    clip, a, b, output = step(method)
    z, z_a, z_b = (method.project(method.encoder(x.keypoints, x.lengths)) for x in (clip, a, b))
    goal = z_a if target == "a" else z_b
    expected = (
        plain_mse(z_a, z_b) + 0.7 * plain_mse(z, z_a) + 0.3 * plain_mse(method.predictor(z), goal)
    )
    assert output.loss.item() == pytest.approx(expected, rel=1e-4)


def test_variants_stand_for_the_dates_of_the_paper():
    paper, released = build(), build(variant="as_released")
    assert (paper.options.w_o, paper.options.w_p, paper.options.target) == (1, 1, "b")
    assert (released.options.w_o, released.options.w_p, released.options.target) == (1, 0.5, "a")
    assert isinstance(paper.predictor, nn.Sequential)
    assert not hasattr(released, "predictor")
    assert [layer.out_features for layer in paper.projector if isinstance(layer, nn.Linear)] == [
        512,
        128,
    ]
    assert [layer.out_features for layer in paper.predictor if isinstance(layer, nn.Linear)] == [
        1024,
        128,
    ]
    assert build(variant="as_released", w_p=0.0022).options.w_p == 0.0022


def test_redrawn_predictor_is_new_at_each_step_and_never_trained():
    method = build(variant="as_released")
    losses = {step(method, seed)[3].terms["predictor"].item() for seed in range(3)}
    assert len(losses) == 3
    assert not [name for name, _ in method.named_parameters() if "predict" in name]


def test_every_trained_part_gets_a_gradient():
    method = build()
    step(method)[3].loss.backward()
    missing = [
        name
        for name, p in method.named_parameters()
        if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert missing == []


def test_a_constant_projection_makes_the_loss_zero():
    """The known risk, shown: nothing in the loss forbids it."""
    same = torch.ones(5, 4)
    assert sl_fpn_loss(same, same, same, same, same, 1, 1)[0] == 0


def test_options_are_checked():
    with pytest.raises(UserError, match=r"unknown key 'w_oo'. Did you mean 'w_o'"):
        parse(METHODS.get("sl_fpn").Options, {"w_oo": 1}, "methods.sl_fpn")
