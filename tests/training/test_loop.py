"""Settings of a step: warm-up, which parameters decay, clipping, where views are cut from."""

import itertools
from fractions import Fraction

import pytest
import torch
from test_pretrain import make_spec, run
from torch import nn

from sslslr.config.study import PretrainConfig
from sslslr.training.loop import decayed, rate_factor


def test_a_cosine_schedule_warms_up_over_the_share_asked_for():
    factors = [rate_factor("cosine", step, 100, Fraction(1, 5)) for step in range(100)]
    assert factors[:20] == pytest.approx([(step + 1) / 20 for step in range(20)])
    assert factors[20] == 1
    assert all(a > b for a, b in itertools.pairwise(factors[20:]))
    assert factors[-1] < 0.001


def test_matrices_alone_decay_where_that_is_asked_for():
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    module[2].weight.requires_grad_(False)
    every = decayed(module, PretrainConfig(weight_decay=0.1))
    assert [(len(g["params"]), g["weight_decay"]) for g in every] == [(5, 0.1)]
    matrices, others = decayed(module, PretrainConfig(weight_decay=0.1, decayed="matrices"))
    assert [p is module[0].weight for p in matrices["params"]] == [True]
    assert (len(others["params"]), others["weight_decay"]) == (4, 0.0)


def test_a_clipped_gradient_changes_what_is_learnt(toy_store, tmp_path):
    settings = {"epochs": 1, "learning_rate": 0.01}
    whole = run(make_spec(pretrain=settings), toy_store, tmp_path / "a")
    clipped = run(make_spec(pretrain=settings | {"clip_norm": 1e-6}), toy_store, tmp_path / "b")
    loose = run(make_spec(pretrain=settings | {"clip_norm": 1e6}), toy_store, tmp_path / "c")
    assert whole["weights"] == loose["weights"] != clipped["weights"]


def test_views_are_cut_from_the_longer_clips(toy_store, tmp_path):
    """With identical views of all frames the result is that of the clips; with a crop it is not."""
    fitted = {"frames": 12, "fit": "resample"}
    crop = [{"name": "temporal_crop", "low": 0.3, "high": 0.4}]
    weights = []
    for number, (longer, views) in enumerate([(None, []), (12, []), (None, crop), (40, crop)]):
        spec = make_spec(preprocess=fitted | {"view_frames": longer}, views=views)
        weights.append(run(spec, toy_store, tmp_path / str(number))["weights"])
    assert weights[0] == weights[1]
    assert weights[2] != weights[3]


def test_an_encoder_with_standardised_inputs_keeps_what_it_was_measured_by(toy_store, tmp_path):
    encoder = {"variant": "two_hands", "width": 16, "heads": 2, "hand_width": 8, "depth": 1}
    spec = make_spec(encoder=encoder, pretrain={"epochs": 1})
    run(spec, toy_store, tmp_path)
    from sslslr.encoders import artifact

    loaded, _ = artifact.load(tmp_path / "encoder")
    assert loaded.inputs.measured
    assert (loaded.inputs.deviation > 0).all()
    assert not torch.equal(loaded.inputs.mean, torch.zeros_like(loaded.inputs.mean))
