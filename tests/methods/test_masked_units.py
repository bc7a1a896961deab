"""Masked units: what a unit is, how it is found, what is hidden, and the loss."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from test_all_methods import train

from sslslr.config.study import EncoderConfig
from sslslr.data.batch import Batch
from sslslr.encoders.build import build_encoder
from sslslr.methods.masked_units import (
    MaskedUnits,
    describe,
    hidden_cross_entropy,
    k_means,
    nearest,
)
from sslslr.utils.errors import UserError
from tiny_methods import build
from toys import random_batch


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plain_k_means(rows: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """One of Lloyd's steps, in plain Python."""
    sums = {}
    for row in rows:
        distances = [sum((a - b) ** 2 for a, b in zip(row, c, strict=True)) for c in centroids]
        total, count = sums.get(distances.index(min(distances)), (0 * row, 0))
        sums[distances.index(min(distances))] = total + row, count + 1
    return np.array([sums[k][0] / sums[k][1] for k in range(len(centroids))])


def test_k_means_rests_at_a_fixed_point_of_lloyds_step_and_repeats_itself():
    centres = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 7.0]])
    rows = (centres[:, None] + 0.3 * torch.randn(3, 20, 2, generator=draws())).flatten(0, 1)
    found = k_means(rows, 3)
    assert torch.equal(found, k_means(rows, 3))
    np.testing.assert_allclose(plain_k_means(rows.numpy(), found.numpy()), found, atol=1e-5)
    assert sorted(nearest(rows, found).bincount().tolist()) == [20, 20, 20]


def test_a_frame_is_described_by_pose_and_motion_against_plain_loops():
    clips = random_batch(clips=3, frames=5, shortest=4)
    clips.keypoints[:, 2, :21] = 0  # a frame that does not show the left hand
    (pose, motion, shown), _, (body, body_motion, body_shown) = describe(clips)
    x = clips.keypoints
    for b in range(3):
        for t in range(int(clips.lengths[b])):
            assert bool(shown[b, t]) == (t != 2)
            assert bool(body_shown[b, t])
            wrist = x[b, t, 0]
            assert torch.equal(pose[b, t], torch.cat([x[b, t, j] - wrist for j in range(1, 21)]))
            moves = t > 0 and 2 not in (t, t - 1)
            expected = (x[b, t, :21] - x[b, t - 1, :21]) * moves if t else torch.zeros(21, 2)
            assert torch.equal(motion[b, t], expected.flatten())
            assert torch.equal(body[b, t], x[b, t, 42:].flatten())
            expected = x[b, t, 42:] - x[b, t - 1, 42:] if t else torch.zeros(33, 2)
            assert torch.equal(body_motion[b, t], expected.flatten())
        assert not shown[b, clips.lengths[b] :].any()


def test_loss_is_the_mean_over_hidden_frames_and_streams():
    logits = torch.randn(2, 4, 3, 5, generator=draws())
    units = torch.randint(0, 5, (2, 4, 3), generator=draws())
    hidden = torch.rand(2, 4, 3, generator=draws()) < 0.5
    losses = []
    for b, t, s in hidden.nonzero().tolist():
        values = logits[b, t, s].tolist()
        losses.append(math.log(sum(map(math.exp, values))) - values[units[b, t, s]])
    found = hidden_cross_entropy(logits, units, hidden).item()
    assert found == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert hidden_cross_entropy(logits, units, torch.zeros_like(hidden)) == 0


def test_the_encoder_does_not_see_hidden_frames_and_its_loss_is_of_them_alone(monkeypatch):
    method, clip = build("masked_units").eval(), random_batch(frames=12)
    hidden = torch.zeros(6, 12, 75, dtype=torch.bool)
    hidden[:, 3:6] = True
    hidden &= clip.valid()
    monkeypatch.setattr("sslslr.methods.masked_units.draw_hidden", lambda *a: hidden)
    seen = []
    tokens = method.encoder.tokens
    method.encoder.tokens = lambda keypoints, *rest: (
        seen.append(keypoints) or tokens(keypoints, *rest)
    )
    moved = clip.with_keypoints(clip.keypoints + 3.0 * hidden.any(2)[..., None, None])
    losses = [method(x, None, None, draws()).loss.item() for x in (clip, moved)]
    assert torch.equal(seen[0], seen[1])
    assert not seen[0][:, 3:6].any()
    assert losses[0] != losses[1]
    units, shown = method.units(clip)
    logits = method.head(tokens(seen[0], clip.lengths)).unflatten(2, (3, 8))
    asked = hidden.any(2)[..., None] & shown
    assert losses[0] == pytest.approx(hidden_cross_entropy(logits, units, asked).item())


def test_what_no_clip_shows_has_no_units_and_no_loss():
    clips = random_batch(clips=20, frames=12)
    clips.present[:, 42:] = False
    clips = clips.with_keypoints(clips.keypoints)
    method = build("masked_units")
    method.prepare(clips)
    assert not method.units(clips)[1][..., 2].any()
    assert math.isfinite(method(clips, None, None, draws()).loss.item())


@pytest.mark.parametrize(
    ("clusters", "words"), [(400, "asks for 400 units .*left hand"), (8, "no pretraining")]
)
def test_too_few_frames(clusters, words):
    method = build("masked_units")
    method.options = MaskedUnits.Options(clusters=clusters)
    clips = random_batch(clips=20, frames=12)
    if clusters == 8:
        clips = Batch(0 * clips.keypoints, clips.lengths, torch.zeros_like(clips.present))
    with pytest.raises(UserError, match=words):
        method.prepare(clips)


def test_two_hands_predicts_every_frame_of_a_token():
    config = EncoderConfig(variant="two_hands", depth=1, width=32, heads=4, hand_width=16, merge=2)
    clip = random_batch(clips=8, frames=11)
    method = MaskedUnits(build_encoder(config, 11, 0), MaskedUnits.Options(clusters=4))
    with pytest.raises(RuntimeError, match="call `prepare`"):
        method(clip, None, None, draws())
    method.prepare(clip)
    output = method(clip, None, None, draws())
    output.loss.backward()
    assert method.head.weight.grad.unflatten(0, (2, 3, 4)).abs().sum(dim=(1, 2, 3)).min() > 0
    assert method.encoder.hand[0].weight.grad.abs().sum() > 0


def test_units_are_kept_beside_the_encoder_and_are_the_same_again(toy_store, tmp_path):
    kept = []
    for name in ("one", "two"):
        train("masked_units", toy_store, tmp_path / name, 1)
        kept.append(load_file(tmp_path / name / "encoder" / "method.safetensors"))
    assert set(kept[0]) == {
        f"{p}_{k}" for p in ("left_hand", "right_hand", "body") for k in ("centroids", "scales")
    }
    assert all(torch.equal(kept[0][key], kept[1][key]) for key in kept[0])
