"""Members of a committee are trained apart: each as if it were alone."""

import pytest
import torch

from sslslr.config.study import EncoderConfig
from sslslr.data.batch import Batch
from sslslr.encoders.build import build_encoder
from sslslr.methods import METHODS
from sslslr.methods._members_apart import MembersApart
from sslslr.training.checkpoint import TrainingState
from sslslr.training.collapse import figures
from sslslr.training.distributed import Ranks, make_fabric
from sslslr.training.loop import clip_gradients

CONFIG = EncoderConfig(
    variant="committee",
    members=2,
    member={"variant": "transformer", "depth": 1, "width": 16, "heads": 2, "dropout": 0},
)


def batch(seed: int) -> Batch:
    keypoints = torch.rand(6, 5, 75, 2, generator=torch.Generator().manual_seed(seed))
    return Batch(keypoints, torch.full((6,), 5), torch.ones(6, 75, dtype=torch.bool))


def test_a_member_has_the_gradients_that_it_would_have_alone():
    kind = METHODS.get("sl_fpn_rate")
    options = kind.Options(projector_hidden=16, projection=4)
    together = MembersApart(kind, build_encoder(CONFIG, 5, seed=0), options)
    views = batch(0), batch(1), batch(2)
    output = together(*views, torch.Generator())
    output.loss.backward()
    losses = []
    for method in together.apart:
        own = {name: weight.grad.clone() for name, weight in method.named_parameters()}
        method.zero_grad()
        alone = method(*views, torch.Generator())
        alone.loss.backward()
        losses.append(alone.loss)
        for name, weight in method.named_parameters():
            torch.testing.assert_close(weight.grad, own[name])
    torch.testing.assert_close(output.loss, sum(losses))
    assert losses[0] != losses[1]
    features = together.encoder(views[0].keypoints, views[0].lengths)
    projected = [
        m.project(f) for m, f in zip(together.apart, features.chunk(2, dim=1), strict=True)
    ]
    torch.testing.assert_close(together.projections(features), projected)


def test_every_method_hooks_reach_every_member():
    kind = METHODS.get("moco")
    options = kind.Options(queue=6, projector_hidden=16)
    together = MembersApart(kind, build_encoder(CONFIG, 5, seed=0), options)
    together.prepare(batch(0))
    before = [
        {name: value.clone() for name, value in m.state_dict().items()} for m in together.apart
    ]
    with torch.no_grad():
        for weight in together.encoder.parameters():
            weight.add_(1.0)
    together.after_step(0.5)
    for method, was in zip(together.apart, before, strict=True):
        moved = [n for n, value in method.state_dict().items() if not torch.equal(value, was[n])]
        assert any(not name.startswith("encoder.") for name in moved)  # its momentum encoder


def sl_fpn_rate() -> MembersApart:
    kind = METHODS.get("sl_fpn_rate")
    options = kind.Options(projector_hidden=16, projection=4)
    return MembersApart(kind, build_encoder(CONFIG, 5, seed=0), options)


def test_gradients_are_clipped_a_member_at_a_time():
    fabric = make_fabric("cpu", 1, "32-true")
    together = sl_fpn_rate()
    method, optimizer = fabric.setup(together, torch.optim.AdamW(together.parameters()))
    small, large = ([w for w in part.parameters() if w.requires_grad] for part in together.apart)
    for weights, norm in ((small, 1.0), (large, 1000.0)):
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        weights[0].grad.view(-1)[0] = norm
    clip_gradients(fabric, TrainingState(method, optimizer, fabric.strategy.precision, ""), 5.0)
    assert small[0].grad.norm() == 1
    assert large[0].grad.norm() == pytest.approx(5)


def test_a_member_that_collapses_is_not_hidden_by_the_others():
    together = sl_fpn_rate().eval()
    clips = batch(0)
    with torch.no_grad():
        for weight in together.apart[1].projector.parameters():
            weight.zero_()
        features = together.encoder(clips.keypoints, clips.lengths)
        seen = figures(features, *together.projections(features))
    assert (seen["projection_spread"], seen["projection_rank"]) == (0, 0)


def test_on_several_devices_the_clips_are_shared_out_once(monkeypatch):
    rows = []
    monkeypatch.setattr(Ranks, "__init__", lambda self: vars(self).update(rank=0, world=2))
    monkeypatch.setattr(
        Ranks, "whole", lambda _, part, n: rows.append(len(part)) or part.repeat(2, 1)[:n]
    )
    together, clips = sl_fpn_rate(), batch(0)
    Ranks().share_out(together)
    together.encoder(clips.keypoints, clips.lengths)
    assert rows == [3, 3]  # of six clips, for each member
