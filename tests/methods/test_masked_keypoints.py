"""Masked keypoints: what is hidden, what the encoder sees of it, and the loss."""

import pytest
import torch

from sslslr.augment import compose
from sslslr.config.study import EncoderConfig
from sslslr.data.batch import Batch
from sslslr.encoders.build import build_encoder
from sslslr.methods.masked_keypoints import MaskedKeypoints, draw_hidden, hidden_mse
from sslslr.utils.errors import UserError
from tiny_methods import build, step
from toys import random_batch


def full(clips: int = 400, frames: int = 20) -> Batch:
    batch = random_batch(clips, frames, shortest=frames)
    return Batch(batch.keypoints, batch.lengths, torch.ones_like(batch.present))


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("span", [1, 4])
def test_the_shares_are_kept_and_frames_are_hidden_in_spans(span):
    frames = draw_hidden(full(), 0.0, 0.3, span, draws())
    assert torch.equal(frames.all(dim=2), frames.any(dim=2))  # a frame is hidden as a whole
    hidden = frames[:, :, 0]
    assert hidden.float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert hidden.float().mean(dim=0).std() < 0.05  # the ends as often as the middle
    for clip in hidden.tolist():
        runs = "".join("x" if frame else "." for frame in clip).strip("x").split(".")
        assert all(len(run) >= span for run in runs if run)
    joints = draw_hidden(full(), 0.2, 0.0, span, draws())
    assert torch.equal(joints.all(dim=1), joints.any(dim=1))  # a joint is hidden throughout
    assert joints.float().mean().item() == pytest.approx(0.2, abs=0.02)


def test_padding_and_absent_joints_are_never_hidden():
    batch = random_batch(clips=50)
    hidden = draw_hidden(batch, 0.9, 0.9, 3, draws())
    assert hidden.any()
    assert not (hidden & ~batch.valid()).any()


def test_loss_is_the_mean_over_hidden_coordinates():
    found, x = torch.randn(2, 2, 3, 4, 2, generator=draws())
    hidden = torch.rand(2, 3, 4, generator=draws()) < 0.5
    errors = [
        (found[b, t, j, c] - x[b, t, j, c]).item() ** 2
        for b, t, j in hidden.nonzero().tolist()
        for c in range(2)
    ]
    assert hidden_mse(found, x, hidden).item() == pytest.approx(sum(errors) / len(errors), rel=1e-5)
    assert hidden_mse(found, x, torch.zeros_like(hidden)) == 0


def test_the_encoder_does_not_see_what_is_hidden(monkeypatch):
    method, clip = build("masked_keypoints"), random_batch()
    hidden = draw_hidden(clip, 0.3, 0.3, 3, draws())
    monkeypatch.setattr("sslslr.methods.masked_keypoints.draw_hidden", lambda *a: hidden)
    seen = []
    tokens = method.encoder.tokens
    method.encoder.tokens = lambda keypoints, *rest: (
        seen.append(keypoints) or tokens(keypoints, *rest)
    )
    other = clip.with_keypoints(clip.keypoints + 5.0 * hidden[..., None])
    losses = [method(x, x, x, draws()).loss.item() for x in (clip, other)]
    assert torch.equal(seen[0], seen[1])
    assert losses[0] != losses[1]
    assert torch.equal(seen[0][~hidden], clip.keypoints[~hidden])


def test_the_views_are_ignored():
    method, clip = build("masked_keypoints").eval(), random_batch(clips=8)
    assert torch.equal(step(method).loss, method(clip, None, None, permuted_draws()).loss)


def permuted_draws() -> torch.Generator:
    """A generator that has made the two views that `step` makes."""
    generator, clip = draws(), random_batch(clips=8)
    view = compose([{"name": "temporal_permutation"}])
    view(clip, generator), view(clip, generator)
    return generator


def test_an_encoder_without_frame_tokens_is_refused():
    encoder = build_encoder(EncoderConfig(variant="as_released", width=32, heads=4), 12, 0)
    with pytest.raises(UserError, match="needs an encoder with a token a frame"):
        MaskedKeypoints(encoder, MaskedKeypoints.Options())


def test_frame_tokens_are_those_whose_mean_is_the_feature():
    method, clip = build("masked_keypoints"), random_batch(shortest=12)
    tokens = method.encoder.tokens(clip.keypoints, clip.lengths)
    assert tokens.shape == (6, 12, 32)
    feature = method.encoder(clip.keypoints, clip.lengths)
    torch.testing.assert_close(tokens.mean(dim=1), feature)
