"""The encoders: what `transformer` sees and `as_released` cannot."""

import pytest
import torch
from torch.nn import functional as F

from sslslr.config.study import EncoderConfig
from sslslr.data.batch import Batch
from sslslr.encoders._blocks import sinusoidal_positions
from sslslr.encoders.build import build_encoder, encoder_options
from sslslr.encoders.inputs import INPUTS
from sslslr.encoders.inputs._hands import hands_of
from sslslr.utils.errors import UserError
from toys import random_batch

SMALL = {"depth": 2, "width": 32, "heads": 4}


def encode(variant: str, batch: Batch, seed: int = 0, **settings) -> torch.Tensor:
    encoder = build_encoder(
        EncoderConfig(**({} if variant == "raw" else SMALL), **settings, variant=variant),
        batch.keypoints.shape[1],
        0,
    )
    with torch.no_grad():
        return encoder.eval()(batch.keypoints, batch.lengths, torch.Generator().manual_seed(seed))


def hand_shape(keypoints: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    values = INPUTS.get("hand_shape").values(
        hands_of(keypoints, lengths, mirrored=False, fill=False)
    )
    return values.unflatten(3, (21, 2)).flatten(2, 3)


def velocity(keypoints: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    values = INPUTS.get("velocity").values(hands_of(keypoints, lengths, mirrored=False, fill=False))
    return values.unflatten(2, (75, 2))


def permute_last_third(batch: Batch) -> Batch:
    frames = batch.keypoints.shape[1]
    order = torch.arange(frames)
    order[-(frames // 3) :] = order[-(frames // 3) :].flip(0)
    return Batch(batch.keypoints[:, order], batch.lengths, batch.present)


@pytest.fixture
def full_clips() -> Batch:
    return random_batch(clips=5, frames=12, shortest=12)


@pytest.mark.parametrize("pooling", ["class_token", "mean"])
def test_the_transformer_sees_the_order_of_the_last_third(full_clips, pooling):
    original = encode("transformer", full_clips, pooling=pooling)
    permuted = encode("transformer", permute_last_third(full_clips), pooling=pooling)
    assert (original - permuted).norm(dim=1).min() > 1e-2


def test_as_released_does_not_because_its_position_code_is_cancelled_by_layer_norm(full_clips):
    original = encode("as_released", full_clips)
    permuted = encode("as_released", permute_last_third(full_clips))
    torch.testing.assert_close(original, permuted, atol=2e-6, rtol=0)
    # Why: the code adds one number to all channels of a token, and layer norm subtracts the mean.
    encoder = build_encoder(EncoderConfig(**SMALL, variant="as_released"), 12, 0)
    token = torch.randn(1, 12, 32)
    norm = encoder.block.norm_attention
    torch.testing.assert_close(norm(token), norm(token + encoder.positions[:12]), atol=2e-6, rtol=0)


def test_as_released_reads_frame_0_so_the_first_frame_does_matter(full_clips):
    swapped = Batch(full_clips.keypoints.flip(1), full_clips.lengths, full_clips.present)
    assert (encode("as_released", full_clips) - encode("as_released", swapped)).abs().max() > 1e-3


def test_as_released_cannot_tell_the_hands_apart(full_clips):
    keypoints = full_clips.keypoints.clone()
    keypoints[:, :, :21], keypoints[:, :, 21:42] = (
        full_clips.keypoints[:, :, 21:42],
        full_clips.keypoints[:, :, :21],
    )
    exchanged = Batch(keypoints, full_clips.lengths, full_clips.present)
    torch.testing.assert_close(
        encode("as_released", full_clips), encode("as_released", exchanged), atol=2e-6, rtol=0
    )
    assert (encode("transformer", full_clips) - encode("transformer", exchanged)).abs().max() > 1e-3


def test_as_released_has_the_parameters_of_one_block_and_its_class_token_is_noise(full_clips):
    shallow = build_encoder(EncoderConfig(variant="as_released", **{**SMALL, "depth": 1}), 12, 0)
    deep = build_encoder(EncoderConfig(variant="as_released", **{**SMALL, "depth": 9}), 12, 0)
    assert sum(p.numel() for p in shallow.parameters()) == sum(p.numel() for p in deep.parameters())
    assert not torch.equal(
        encode("as_released", full_clips, seed=1), encode("as_released", full_clips, seed=2)
    )


@pytest.mark.parametrize("pooling", ["class_token", "mean"])
def test_padding_is_masked(pooling):
    batch = random_batch(clips=4, frames=12, seed=3)
    noisy = batch.keypoints + 100.0 * (~batch.frame_mask())[:, :, None, None]
    found = encode("transformer", Batch(noisy, batch.lengths, batch.present), pooling=pooling)
    torch.testing.assert_close(
        found, encode("transformer", batch, pooling=pooling), atol=1e-5, rtol=1e-5
    )


def test_the_transformer_has_38_million_parameters_at_full_size():
    encoder = build_encoder(EncoderConfig(), 30, 0)
    assert sum(p.numel() for p in encoder.parameters()) == pytest.approx(38e6, rel=0.01)


def test_the_seed_decides_the_weights_and_the_global_generator_is_left_alone():
    config = EncoderConfig(**SMALL)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first, second, other = (build_encoder(config, 12, seed) for seed in (5, 5, 6))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first.embed.weight, second.embed.weight)
    assert not torch.equal(first.embed.weight, other.embed.weight)


def test_raw_is_the_keypoints(full_clips):
    assert torch.equal(encode("raw", full_clips), full_clips.keypoints.flatten(1))


def test_positions_are_the_published_formula():
    table = sinusoidal_positions(5, 8)
    assert table[3, 4] == pytest.approx(torch.sin(torch.tensor(3 / 10_000 ** (4 / 8))).item())
    assert table[3, 5] == pytest.approx(torch.cos(torch.tensor(3 / 10_000 ** (4 / 8))).item())


def test_heads_must_divide_the_width():
    with pytest.raises(UserError, match="width 30 is not a multiple of heads 8"):
        encoder_options(EncoderConfig(width=30))


def test_hand_shape_is_each_hand_by_itself_in_palm_lengths():
    keypoints = torch.randn(2, 5, 75, 2, generator=torch.Generator().manual_seed(0))
    keypoints[0, :, :21] = 0  # a hand that the clip lacks
    lengths = torch.tensor([5, 5])
    found = hand_shape(keypoints, lengths)
    assert (found[0, :, :21] == 0).all()
    for clip, first in ((1, 0), (1, 21), (0, 21)):
        hand = keypoints[clip, :, first : first + 21]
        palm = torch.stack([(frame[9] - frame[0]).norm() for frame in hand]).mean()
        torch.testing.assert_close(found[clip, :, first : first + 21], (hand - hand[:, :1]) / palm)
    moved = torch.where(keypoints != 0, keypoints * 3 + 1, keypoints)
    torch.testing.assert_close(hand_shape(moved, lengths), found, atol=1e-4, rtol=1e-4)


def test_velocity_is_the_difference_of_frames_within_the_clip():
    batch = random_batch(clips=3, frames=6, seed=1)
    found = velocity(batch.keypoints, batch.lengths)
    for clip, n in enumerate(batch.lengths.tolist()):
        for time in range(6):
            expected = batch.keypoints[clip, time] - batch.keypoints[clip, time - 1]
            expected = expected if 1 <= time < n else torch.zeros(75, 2)
            assert torch.equal(found[clip, time], expected)


def test_inputs_are_a_setting_and_padding_stays_masked():
    inputs = ["position", "hand_shape", "velocity"]
    batch = random_batch(clips=4, frames=12, seed=3)
    features = encode("transformer", batch, inputs=inputs, pooling="mean")
    assert features.shape == (4, 32)
    assert torch.isfinite(features).all()
    encoder = build_encoder(EncoderConfig(**SMALL, inputs=inputs), 12, 0)
    assert encoder.embed.in_features == 150 + 84 + 150
    # The frames of padding, and their number, are nothing to a clip.
    noisy = batch.keypoints + 100.0 * (~batch.frame_mask())[:, :, None, None]
    noisy = Batch(noisy, batch.lengths, batch.present)
    padded = Batch(F.pad(batch.keypoints, (0, 0, 0, 0, 0, 9)), batch.lengths, batch.present)
    for other in (noisy, padded):
        found = encode("transformer", other, inputs=inputs, pooling="mean")
        torch.testing.assert_close(found, features, atol=1e-5, rtol=1e-5)
