"""SL-FPN-VC: each term against plain formulas, and that a constant z is dear."""

import numpy as np
import pytest
import torch
from torch import nn

from sslslr.methods.vicreg import covariance_term, variance_term
from tiny_methods import build, step
from toys import random_batch


def test_terms_are_the_formulas_over_the_three_branches():
    method = build("sl_fpn_vc", batch_norm=False)
    clip = random_batch(clips=8, frames=12)
    a, b = (clip.with_keypoints(scale * clip.keypoints) for scale in (1.5, 0.5))
    found = {
        name: term.item() for name, term in method(clip, a, b, torch.Generator()).terms.items()
    }
    z, z_a, z_b = branches = [
        method.project(method.encoder(x.keypoints, x.lengths)).detach() for x in (clip, a, b)
    ]

    def mse(x, y) -> float:
        return np.mean((x.numpy() - y.numpy()) ** 2)

    expected = {
        "views": mse(z_a, z_b),
        "original": (mse(z, z_a) + mse(z, z_b)) / 2,
        "predictor": mse(method.predictor(z).detach(), z_b),
        "variance": sum(variance_term(x).item() for x in branches) / 3,
        "covariance": sum(covariance_term(x).item() for x in branches),
    }
    assert found == pytest.approx(expected, rel=1e-3)


def test_forward_weighs_the_terms():
    weights = {"w_views": 2, "w_o": 3, "w_p": 5, "w_variance": 7, "w_covariance": 11}
    output = step(build("sl_fpn_vc", **weights))
    names = {"w_views": "views", "w_o": "original", "w_p": "predictor"}
    names |= {"w_variance": "variance", "w_covariance": "covariance"}
    expected = sum(weight * output.terms[names[key]] for key, weight in weights.items())
    torch.testing.assert_close(output.loss.detach(), expected)


def test_a_constant_projection_costs_the_whole_hinge():
    method = build("sl_fpn_vc", w_p=0)
    nn.init.zeros_(method.projector[-1].weight)
    assert step(method).loss.item() == pytest.approx(25 * (1 - 0.01), rel=1e-5)


def test_the_predictors_target_gets_no_gradient():
    off = {"w_views": 0, "w_o": 0, "w_variance": 0, "w_covariance": 0}
    method = build("sl_fpn_vc", w_p=1, **off)
    nn.init.zeros_(method.predictor[-1].weight)  # P(z) constant: only the target could reach z
    step(method).loss.backward()
    assert method.encoder.embed.weight.grad.abs().sum() == 0


def test_the_projector_is_as_deep_and_normalised_as_asked_for():
    method = build("sl_fpn_vc", w_p=0, projector_layers=3)
    kinds = [type(layer).__name__ for layer in method.projector]
    hidden = ["Linear", "BatchNorm1d", "ReLU"]
    assert kinds == [*hidden, *hidden, "Linear"]
    assert method.predictor is None
    assert len(build("sl_fpn_vc", projector_layers=1).projector) == 1
