"""Masked joints and hands: how many, which, and what is never left."""

import pytest
import torch

from sslslr.augment.masking import HandMasking, JointMasking
from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND
from toys import random_batch


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def hands(present: torch.Tensor) -> torch.Tensor:
    """bool (B, 2), a hand of which any joint is there."""
    return torch.stack([present[:, LEFT_HAND].any(1), present[:, RIGHT_HAND].any(1)], dim=1)


def test_a_joint_is_hidden_with_the_given_probability_in_all_frames():
    batch = random_batch(clips=400, seed=1)
    view = JointMasking(share=0.2)(batch, draws())
    hidden = batch.present & ~view.present
    n = int(batch.present.sum())
    assert abs(int(hidden.sum()) - 0.2 * n) < 5 * (0.16 * n) ** 0.5
    assert not (view.present & ~batch.present).any()
    seen = (view.keypoints != 0).any(dim=(1, 3))
    assert torch.equal(seen, view.present)
    assert torch.equal(
        view.keypoints[view.valid()], batch.keypoints[view.valid()]
    )  # the others are untouched


def test_share_zero_hides_nothing_and_one_everything():
    batch = random_batch(seed=2)
    assert torch.equal(JointMasking(share=0)(batch, draws()).keypoints, batch.keypoints)
    assert not JointMasking(share=1)(batch, draws()).present.any()


def test_a_hand_is_hidden_as_a_whole_and_the_body_never():
    batch = random_batch(clips=4000, frames=1, seed=3)
    view = HandMasking(share=0.3)(batch, draws())
    shown = hands(view.present)
    for hand, where in enumerate((LEFT_HAND, RIGHT_HAND)):
        expected = batch.present[:, where] & shown[:, hand, None]
        assert torch.equal(view.present[:, where], expected)
    assert torch.equal(view.present[:, BODY], batch.present[:, BODY])
    # A hand goes with 0.3, but in half of the cases in which both would go (0.09) it stays.
    share = 0.3 - 0.09 / 2
    limit = 5 * (share * (1 - share) / 4000) ** 0.5
    assert ((~shown).float().mean(dim=0) - share).abs().max() < limit


@pytest.mark.parametrize("missing", [None, LEFT_HAND, RIGHT_HAND])
def test_a_hand_always_stays(missing):
    batch = random_batch(clips=300, seed=4)
    if missing is not None:
        batch.present[:, missing] = False
    batch = batch.with_keypoints(batch.keypoints)
    shown = hands(HandMasking(share=1)(batch, draws()).present)
    assert (shown.sum(dim=1) == 1).all()
    if missing is None:
        assert 100 < shown[:, 0].sum() < 200  # which one is drawn


def test_a_clip_without_hands_is_left_alone():
    batch = random_batch(seed=5)
    batch.present[:, :42] = False
    batch = batch.with_keypoints(batch.keypoints)
    view = HandMasking(share=1)(batch, draws())
    assert torch.equal(view.present, batch.present)
    assert torch.equal(view.keypoints, batch.keypoints)
