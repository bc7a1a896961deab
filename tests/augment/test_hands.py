"""The transforms of each hand by itself against plain loops on known draws."""

import math

import pytest
import torch

from sslslr.augment import at_frames, compose
from sslslr.augment._base import uniform
from sslslr.augment.hands import FingerMasking, HandNoise, HandRotation, HandScale, WristShift
from sslslr.augment.temporal import TimeWarp
from sslslr.data.batch import Batch
from toys import random_batch


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch() -> Batch:
    """Clips with both hands, of which the first lacks the left one and the second shows it in part."""
    clips = random_batch(clips=5, frames=8, seed=1, shortest=8)
    clips.present[:] = True
    clips.present[0, :21] = False
    keypoints = torch.rand(5, 8, 75, 2, generator=draws(4)) + 0.5
    keypoints[1, 2:5, :21] = 0
    return Batch(keypoints, clips.lengths, clips.present).with_keypoints(keypoints)


def by_loop(batch: Batch, new_hand) -> torch.Tensor:
    """Keypoints with every hand that is shown replaced by `new_hand(clip, hand, joints (21, 2))`."""
    expected = batch.keypoints.clone().double()
    for clip in range(len(batch)):
        for time in range(int(batch.lengths[clip])):
            for hand in range(2):
                joints = slice(21 * hand, 21 * hand + 21)
                if batch.keypoints[clip, time, joints].abs().sum() > 0:
                    expected[clip, time, joints] = new_hand(
                        clip, hand, batch.keypoints[clip, time, joints].double()
                    )
    return expected.float()


def palm(batch: Batch, clip: int) -> float:
    """Mean over the frames that show a hand, then over the hands."""
    own = []
    for first in (0, 21):
        hand = batch.keypoints[clip, :, first : first + 21]
        lengths = [float((f[9] - f[0]).norm()) for f in hand if f.abs().sum() > 0]
        own += [sum(lengths) / len(lengths)] if lengths else []
    return sum(own) / len(own)


def test_rotation_and_scale_act_about_the_wrist(batch):
    angles = 30 * (2 * uniform(batch, draws(5), 2) - 1)
    logs = 0.4 * (2 * uniform(batch, draws(6), 2, 2) - 1)

    def rotated(clip, hand, joints):
        a = math.radians(angles[clip, hand])
        matrix = torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]).double()
        return joints[0] + (joints - joints[0]) @ matrix.T

    def scaled(clip, hand, joints):
        size, aspect = logs[clip, hand].tolist()
        factors = torch.tensor([math.exp(size + aspect), math.exp(size - aspect)]).double()
        return joints[0] + (joints - joints[0]) * factors

    for transform, seed, expected in (
        (HandRotation(degrees=30), 5, rotated),
        (HandScale(amount=0.4), 6, scaled),
    ):
        view = transform(batch, draws(seed)).keypoints
        torch.testing.assert_close(view, by_loop(batch, expected), atol=1e-5, rtol=1e-5)


def test_a_shift_moves_a_hand_as_a_whole_by_palms_of_the_clip(batch):
    shifts = 0.3 * (2 * uniform(batch, draws(7), 2, 2) - 1)
    view = WristShift(palms=0.3)(batch, draws(7)).keypoints
    expected = by_loop(batch, lambda c, h, joints: joints + shifts[c, h] * palm(batch, c))
    torch.testing.assert_close(view, expected, atol=1e-5, rtol=1e-5)


def test_noise_leaves_the_wrist_and_the_body_and_has_the_deviation_in_palms(batch):
    many = batch[torch.full((400,), 2)]
    change = HandNoise(palms=0.1)(many, draws(8)).keypoints - many.keypoints
    assert (change[:, :, [0, 21]] == 0).all()
    assert (change[:, :, 42:] == 0).all()
    assert change[:, :, 1:21].std().item() == pytest.approx(0.1 * palm(batch, 2), rel=0.02)


def test_a_hidden_finger_lies_on_the_wrist_in_every_frame_and_stays_present(batch):
    view = FingerMasking(finger=1, joint=0)(batch, draws(9))
    expected = by_loop(batch, lambda c, h, joints: joints[:1].expand(21, 2))
    torch.testing.assert_close(view.keypoints, expected, atol=1e-6, rtol=1e-6)
    assert view.present.equal(batch.present)
    many = batch[torch.full((3000,), 2)]
    view = FingerMasking(finger="1/5", joint=0)(many, draws(10)).keypoints[:, 0, 1:21]
    hidden = (view == many.keypoints[:, 0, :1]).all(dim=2).unflatten(1, (5, 4))
    assert (hidden.all(dim=2) == hidden.any(dim=2)).all()  # a finger as a whole
    assert hidden.float().mean().item() == pytest.approx(0.2, abs=0.02)


def test_a_warp_is_the_stated_curve_and_lands_on_the_frames_asked_for():
    time = torch.arange(1, 65).float()[None, :, None, None].expand(3, -1, 75, 2)
    batch = Batch(time.clone(), torch.full((3,), 64), torch.ones(3, 75, dtype=torch.bool))
    warp = TimeWarp(low=0.5, high=0.9, bend=0.3, frames=16)
    view = warp(batch, draws(11))
    assert view.keypoints.shape[:2] == (3, 16)
    assert view.lengths.tolist() == [16] * 3
    generator = draws(11)
    span = 0.5 + 0.4 * uniform(batch, generator)
    start = uniform(batch, generator)
    bends = 0.3 * (2 * uniform(batch, generator, 2) - 1)
    for clip in range(3):
        for number in range(16):
            u = number / 15
            bent = u + bends[clip, 0] * math.sin(math.pi * u) / 2
            bent = float(bent + bends[clip, 1] * math.sin(2 * math.pi * u) / 4)
            share = start[clip] * (1 - span[clip]) + span[clip] * min(max(bent, 0), 1)
            expected = 1 + 63 * float(share)
            assert view.keypoints[clip, number, 0, 0].item() == pytest.approx(expected, abs=1e-3)


def test_an_interpolated_frame_takes_a_hand_from_the_frame_that_shows_it():
    keypoints = torch.ones(1, 4, 75, 2) * torch.tensor([1.0, 2, 3, 4])[None, :, None, None]
    keypoints[0, 1, :21] = 0
    batch = Batch(keypoints, torch.tensor([4]), torch.ones(1, 75, dtype=torch.bool))
    halved = at_frames(batch, 3)  # at 0, 1.5 and 3
    assert halved.keypoints[0, :, 0, 0].tolist() == [1.0, 3.0, 4.0]  # not 1.5
    assert halved.keypoints[0, :, 21, 0].tolist() == [1.0, 2.5, 4.0]


def test_clips_of_more_frames_are_brought_to_those_of_the_encoder():
    batch = random_batch(clips=4, frames=20, seed=3, shortest=20)
    assert at_frames(batch, 20) is batch
    shorter = at_frames(batch, 8)
    assert shorter.keypoints.shape[1] == 8
    assert shorter.lengths.tolist() == [8] * 4
    torch.testing.assert_close(shorter.keypoints[:, 0], batch.keypoints[:, 0])
    torch.testing.assert_close(shorter.keypoints[:, 7], batch.keypoints[:, 19])
    assert compose([{"name": "time_warp", "frames": 8}])(batch, draws()).keypoints.shape[1] == 8
