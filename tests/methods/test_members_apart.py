"""Members of a committee are trained apart: each as if it were alone."""

import torch

from sslslr.config.study import EncoderConfig
from sslslr.data.batch import Batch
from sslslr.encoders.build import build_encoder
from sslslr.methods import METHODS
from sslslr.methods._members_apart import MembersApart

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
    torch.testing.assert_close(together.project(features), torch.cat(projected, dim=1))


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
