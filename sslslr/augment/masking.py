"""Transforms that hide joints: coordinates become zero and `present` False, in all frames.

Source: the "Strong" views of `docs/paper.md`, 20 % of the joints and 10 % of the hands.
"""

from fractions import Fraction

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn.functional import pad

from sslslr.augment._base import Transform, register, uniform
from sslslr.config.settings import Share
from sslslr.data.batch import HAND_JOINTS, HANDS, Batch


@register
class JointMasking(Transform):
    """Hide each joint of a clip with a probability, in all of its frames."""

    share: Share = Field(Fraction(1, 5), description="Probability that a joint is hidden.")

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        hidden = uniform(batch, generator, batch.keypoints.shape[2]) < float(self.share)
        return _without(batch, hidden & self.chosen(batch, generator)[:, None])


@register
class HandMasking(Transform):
    """Hide each hand as a whole with a probability, but never the only hand that a clip shows.

    Where both are drawn, one of them, at random, stays. The body's own estimates of the wrist and
    the fingers are the body's and stay.
    """

    share: Share = Field(Fraction(1, 10), description="Probability that a hand is hidden.")

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        draws = uniform(batch, generator, 3)
        drawn = draws[:, :2] < float(self.share)
        seen = batch.present[:, :HANDS].unflatten(1, (2, HAND_JOINTS)).any(dim=2)
        allowed = drawn & seen.flip(1)  # only where the other hand is there ...
        keep_left = draws[:, 2] < 0.5
        kept = torch.stack([keep_left, ~keep_left], dim=1) & allowed.all(dim=1, keepdim=True)
        hidden = allowed & ~kept & self.chosen(batch, generator)[:, None]  # ... and stays
        joints = hidden[:, :, None].expand(-1, -1, HAND_JOINTS).flatten(1)
        return _without(batch, pad(joints, (0, batch.keypoints.shape[2] - HANDS)))


def _without(batch: Batch, hidden: Tensor) -> Batch:
    """The batch without the joints that `hidden`, bool (B, J), names."""
    shown = batch.present & ~hidden
    mask = shown[:, None].repeat_interleave(2, dim=2).to(batch.keypoints.dtype)  # of x and of y
    keypoints = (batch.keypoints.flatten(2) * mask).view_as(batch.keypoints)
    return Batch(keypoints, batch.lengths, shown)
