"""Crop and speed against a plain loop with np.interp."""

import numpy as np
import pytest
import torch

from sslslr.augment import TRANSFORMS, TemporalPermutation
from sslslr.augment.temporal import Speed, TemporalCrop, resample
from sslslr.data.batch import Batch
from toys import random_batch


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(lengths: list[int], frames: int) -> Batch:
    """Clips whose coordinates are the number of their frame, from 1: a hand at 0 is missing."""
    time = torch.arange(1, frames + 1).float()[None, :, None, None].expand(len(lengths), -1, 75, 2)
    batch = Batch(time, torch.tensor(lengths), torch.ones(len(lengths), 75, dtype=torch.bool))
    return batch.with_keypoints(time)


def test_resampling_equals_interpolation_clip_by_clip():
    batch = random_batch(clips=40, frames=17, seed=1)
    rng = np.random.default_rng(0)
    span = np.array([rng.integers(1, n + 1) for n in batch.lengths.tolist()])
    start = np.array([rng.integers(0, n - s + 1) for n, s in zip(batch.lengths, span, strict=True)])
    lengths = rng.integers(1, 18, 40)
    view = resample(batch, *map(torch.from_numpy, (start, span, lengths)))
    for clip in range(40):
        first, last, n = start[clip], start[clip] + span[clip] - 1, lengths[clip]
        positions = np.linspace(first, last, n) if n > 1 else np.array([(first + last) / 2])
        expected = np.zeros((17, 75, 2))
        for joint, axis in np.ndindex(75, 2):
            track = batch.keypoints[clip, :, joint, axis].numpy()
            expected[:n, joint, axis] = np.interp(positions, np.arange(17), track)
        np.testing.assert_allclose(view.keypoints[clip], expected, atol=1e-5)
    assert torch.equal(view.lengths, torch.from_numpy(lengths))


@pytest.mark.parametrize("n", [2, 7, 30])
def test_a_resampling_to_the_own_length_changes_no_bit(n):
    batch = random_batch(clips=3, frames=30, seed=n, shortest=n)
    zero = torch.zeros_like(batch.lengths)
    assert torch.equal(
        resample(batch, zero, batch.lengths, batch.lengths).keypoints, batch.keypoints
    )


@pytest.mark.parametrize("fit", ["resample", "shorten"])
def test_a_crop_keeps_a_contiguous_span_of_the_drawn_share(fit):
    lengths = [1, 2, 3, 10, 20, 30] * 200
    batch = ramp(lengths, 30)
    view = TemporalCrop(low=0.5, high=0.8, fit=fit)(batch, draws())
    spans = set()
    for n, kept, frames in zip(lengths, view.lengths.tolist(), view.keypoints, strict=True):
        track = frames[:kept, 0, 0] - 1
        span = round(float(track[-1] - track[0])) + 1
        assert 0 <= track[0] <= track[-1] <= n - 1
        assert track[0] == round(float(track[0]))
        assert min(n, max(2, round(0.5 * n))) <= span <= max(round(0.8 * n), min(n, 2))
        assert kept == (n if fit == "resample" else span)
        torch.testing.assert_close(track, torch.linspace(track[0], track[-1], kept))
        if n == 20:
            spans.add((int(track[0]), span))
    assert {span for _, span in spans} == set(range(10, 17))
    assert max(first for first, span in spans if span == 10) == 10  # the end is reached ...
    assert min(first for first, span in spans if span == 10) == 0  # ... and the beginning


def test_speed_changes_the_number_of_frames_and_keeps_both_ends():
    lengths = list(range(1, 31)) * 20
    batch = ramp(lengths, 30)
    view = Speed(low=0.5, high=2.0)(batch, draws())
    n, new = torch.tensor(lengths), view.lengths
    assert (new >= (n / 2).round().clamp(min=1)).all()
    assert (new <= (n * 2).clamp(max=30)).all()
    assert (new < n).any()
    assert (new > n).any()
    several = new > 1
    rows = torch.arange(len(n))[several]
    assert (view.keypoints[rows, 0, 0, 0] == 1).all()
    assert (view.keypoints[rows, new[several] - 1, 0, 0] == n[several]).all()


@pytest.mark.parametrize(("factor", "expected"), [(2.0, [1, 2, 5, 15]), (0.5, [2, 8, 20, 30])])
def test_a_fixed_speed_gives_known_lengths(factor, expected):
    batch = ramp([1, 4, 10, 30], 30)
    assert Speed(low=factor, high=factor)(batch, draws()).lengths.tolist() == expected


def test_certain_permutation_draws_what_it_always_drew():
    """Runs from before `probability` existed must be reproducible."""
    batch = random_batch(seed=4)
    generator, reference = draws(3), draws(3)
    TemporalPermutation()(batch, generator)
    torch.rand(batch.keypoints.shape[:2], generator=reference)
    assert torch.equal(generator.get_state(), reference.get_state())


def test_every_temporal_transform_moves_all_joints_together():
    batch = ramp([5, 12, 30], 30)
    for name in ("temporal_permutation", "temporal_crop", "speed", "time_warp"):
        keypoints = TRANSFORMS.get(name)()(batch, draws(1)).keypoints
        assert torch.equal(keypoints, keypoints[:, :, :1, :1].expand_as(keypoints))
