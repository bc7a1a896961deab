"""Read-outs against plain loops over the true frames of each clip."""

import numpy as np
import pytest
import torch

from sslslr.config.study import EncoderConfig
from sslslr.encoders._readout import WIDTHS, read_out
from sslslr.encoders.build import build_encoder
from toys import random_batch


@pytest.mark.parametrize("pooling", sorted(set(WIDTHS) - {"class_token"}))
def test_read_out_equals_a_loop_over_the_true_frames(pooling):
    draws = torch.Generator().manual_seed(0)
    tokens = torch.randn(13, 12, 5, generator=draws)
    lengths = torch.arange(13).clamp(1, 12)
    features = read_out(tokens, lengths, pooling).numpy()
    assert features.shape == (13, 5 * WIDTHS[pooling])
    for clip, n in enumerate(lengths.tolist()):
        own = tokens[clip, :n].double().numpy()
        if pooling == "mean_max_deviation":
            parts = [own.mean(axis=0), own.max(axis=0), np.sqrt(own.var(axis=0) + 1e-4)]
        else:
            k = {"mean": 1, "halves": 2, "thirds": 3}[pooling]
            edges = [(p * n // k, -(-(p + 1) * n // k)) for p in range(k)]
            parts = [own[first:end].mean(axis=0) for first, end in edges]
        np.testing.assert_allclose(features[clip], np.concatenate(parts), atol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"layers": 2}, {"merge": 1, "pooling": "halves"}])
def test_two_hands_ignores_padding_and_says_its_width(settings):
    batch = random_batch(clips=6, frames=11, seed=2)
    small = {"width": 16, "heads": 2, "hand_width": 8, **settings}
    encoder = build_encoder(EncoderConfig(variant="two_hands", **small), 11, 0).eval()
    encoder.inputs.measure(batch)
    noisy = batch.keypoints + 9.0 * (~batch.frame_mask())[:, :, None, None]
    features = encoder(batch.keypoints, batch.lengths)
    assert features.shape == (6, encoder.width)
    torch.testing.assert_close(features, encoder(noisy, batch.lengths), atol=1e-5, rtol=1e-5)
    alone = encoder(batch.keypoints[:1], batch.lengths[:1])
    torch.testing.assert_close(features[:1], alone, atol=1e-5, rtol=1e-5)


def test_two_hands_sees_a_mirrored_right_hand_as_a_left_one():
    batch = random_batch(clips=4, frames=10, seed=1, shortest=10)
    batch.keypoints[:, :, :42] = torch.rand(4, 10, 42, 2)
    inputs = {"inputs": ["hand_shape", "joint_angles", "palm", "bones"]}
    encoder = build_encoder(EncoderConfig(variant="two_hands", **inputs), 10, 0)
    mirrored = batch.keypoints.clone()
    mirrored[:, :, :21] = batch.keypoints[:, :, 21:42] * torch.tensor([-1.0, 1.0])
    (own,) = (torch.cat(encoder.inputs(batch.keypoints, batch.lengths), dim=-1),)
    other = torch.cat(encoder.inputs(mirrored, batch.lengths), dim=-1)
    torch.testing.assert_close(other[:, :, 0], own[:, :, 1], atol=1e-4, rtol=1e-4)
