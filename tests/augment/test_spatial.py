"""Spatial transforms against geometric truths."""

import math

import pytest
import torch

from sslslr.augment import compose
from sslslr.augment._base import uniform
from sslslr.augment.spatial import (
    GaussianNoise,
    HorizontalFlip,
    Rotation,
    Scale,
    Shear,
    Translation,
    VerticalFlip,
)
from sslslr.data.batch import Batch
from sslslr.pose.skeleton import NAMES
from toys import random_batch


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def distances(batch: Batch) -> torch.Tensor:
    """(B, J, J) between the joints that a clip has, in its first frame."""
    both = batch.present[:, :, None] & batch.present[:, None, :]
    first = batch.keypoints[:, 0].double()
    return torch.cdist(first, first) * both


def test_rotation_by_a_known_draw_is_the_known_matrix():
    batch = random_batch(clips=9, seed=1)
    view = Rotation(degrees=90)(batch, draws(5))
    angles = 90 * (2 * uniform(batch, draws(5)) - 1)
    assert angles.abs().max() > 60
    for clip, degrees in enumerate(angles.tolist()):
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        for joint in (0, 30, 60):
            x, y = batch.keypoints[clip, 0, joint].tolist()
            expected = [cos * x - sin * y, sin * x + cos * y]
            assert view.keypoints[clip, 0, joint].tolist() == pytest.approx(expected, abs=1e-5)


def test_rotation_angles_are_degrees_uniform_in_the_range():
    points = torch.zeros(4000, 1, 75, 2)
    points[..., 0] = 1
    batch = Batch(points, torch.ones(4000, dtype=torch.int64), torch.ones(4000, 75).bool())
    x, y = Rotation(degrees=15)(batch, draws()).keypoints[:, 0, 0].unbind(-1)
    angles = torch.rad2deg(torch.atan2(y, x))
    assert angles.abs().max() <= 15.001
    assert angles.abs().max() > 14.9
    assert angles.mean().abs() < 5 * 15 / math.sqrt(3 * 4000)


@pytest.mark.parametrize("transform", [Rotation(degrees=180), Translation(distance=3)])
def test_distances_are_kept(transform):
    batch = random_batch(clips=5, seed=2)
    torch.testing.assert_close(
        distances(transform(batch, draws())), distances(batch), atol=1e-5, rtol=0
    )


def test_flips_keep_distances_between_the_same_joints_up_to_their_names():
    batch = random_batch(clips=5, seed=2)
    upside_down = VerticalFlip()(batch, draws())
    assert torch.equal(distances(upside_down), distances(batch))
    mirrored, original = distances(HorizontalFlip()(batch, draws())), distances(batch)
    a, b = NAMES.index("left_hand.thumb_tip"), NAMES.index("body.right_elbow")
    other_a, other_b = NAMES.index("right_hand.thumb_tip"), NAMES.index("body.left_elbow")
    assert torch.equal(mirrored[:, a, b], original[:, other_a, other_b])


def test_a_mirror_exchanges_left_and_right():
    batch = random_batch(clips=5, seed=3)
    view = HorizontalFlip()(batch, draws())
    for left, name in enumerate(NAMES):
        other = name.replace("left", "right") if "left" in name else name.replace("right", "left")
        right = NAMES.index(other)
        assert torch.equal(view.present[:, left], batch.present[:, right])
        assert torch.equal(view.keypoints[:, :, left, 0], -batch.keypoints[:, :, right, 0])
        assert torch.equal(view.keypoints[:, :, left, 1], batch.keypoints[:, :, right, 1])


@pytest.mark.parametrize("name", ["horizontal_flip", "vertical_flip"])
def test_flipping_twice_is_the_identity(name):
    batch = random_batch(seed=4)
    view = compose([{"name": name}, {"name": name}])(batch, draws())
    assert torch.equal(view.keypoints, batch.keypoints)
    assert torch.equal(view.present, batch.present)


def test_scale_multiplies_all_distances_of_a_clip():
    batch = random_batch(clips=300, seed=5)
    view = Scale(low=0.5, high=1.5)(batch, draws())
    factors = distances(view).sum(dim=(1, 2)) / distances(batch).sum(dim=(1, 2))
    expected = batch.keypoints * factors[:, None, None, None].float()
    torch.testing.assert_close(view.keypoints, expected, atol=1e-5, rtol=0)
    assert 0.5 <= factors.min() < 0.52
    assert 1.48 < factors.max() <= 1.5


def test_shear_by_a_known_draw_is_the_known_matrix():
    batch = random_batch(clips=6, seed=6)
    view = Shear(degrees=40)(batch, draws(2))
    angles = torch.deg2rad(40 * (2 * uniform(batch, draws(2), 2) - 1))
    for clip, (a, b) in enumerate(angles.tolist()):
        matrix = torch.tensor([[1, math.tan(a)], [math.tan(b), 1]])
        assert torch.det(matrix) > 0
        torch.testing.assert_close(
            view.keypoints[clip], batch.keypoints[clip] @ matrix.T, atol=1e-5, rtol=0
        )


def test_translation_shifts_every_valid_joint_of_a_clip_alike():
    batch = random_batch(clips=400, seed=7)
    view = Translation(distance=0.3)(batch, draws())
    for clip in range(50):
        valid = batch.valid()[clip]
        shift = (view.keypoints - batch.keypoints)[clip][valid]
        torch.testing.assert_close(shift, shift[:1].expand_as(shift), atol=1e-5, rtol=0)
    assert 0.28 < (view.keypoints - batch.keypoints).abs().max() <= 0.3001


def test_noise_is_independent_in_every_coordinate_and_has_its_std():
    batch = random_batch(clips=40, seed=8)
    noise = (GaussianNoise(std=0.05)(batch, draws()).keypoints - batch.keypoints)[batch.valid()]
    assert noise.std().item() == pytest.approx(0.05, rel=0.03)
    assert torch.corrcoef(noise.T)[0, 1].abs() < 5 / math.sqrt(len(noise))
    assert noise.unique().numel() > 0.99 * noise.numel()
