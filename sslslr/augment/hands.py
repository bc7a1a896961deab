"""Transforms of each hand by itself, about its wrist; the body's own estimates of the hands stay.

A length is in palms of the clip: the mean distance from wrist to middle base, over its frames and
over the hands that it has. Draws are per hand and hold for the whole clip, noise apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn.functional import pad

from sslslr.augment._base import Transform, either_way, in_plane, register, uniform
from sslslr.config.settings import Share
from sslslr.data.batch import HAND_JOINTS, HANDS, Batch
from sslslr.pose.skeleton import MIDDLE_MCP

FINGERS, JOINTS_OF_A_FINGER = 5, 4


@dataclass
class Hands:
    """The hands of a batch in the plane, as complex numbers; a run of transforms changes them in place.

    Attributes:
        wrist: (B, T, 2, 1).
        local: (B, T, 2, 21), joints less their wrist; zero in frames that do not show the hand.
        seen: float (B, T, 2, 1), 1 for frames that show the hand.
        measurable: bool (B, 1, 2), hands whose middle base the clip has.
    """

    wrist: Tensor
    local: Tensor
    seen: Tensor
    measurable: Tensor

    @classmethod
    def of(cls, batch: Batch) -> "Hands":
        """A copy of the hands."""
        joints = in_plane(batch.keypoints)[:, :, :HANDS].unflatten(2, (2, HAND_JOINTS))
        wrist = joints[..., :1].clone()
        measurable = batch.present[:, None, [MIDDLE_MCP, HAND_JOINTS + MIDDLE_MCP]]
        seen = batch.hands_seen().to(batch.keypoints.dtype)[..., None]
        return cls(wrist, joints - wrist, seen, measurable)

    def palm(self) -> Tensor:
        """(B,): the length of the palm, mean over the frames that show a hand, then over the hands."""
        lengths = self.local[..., MIDDLE_MCP].abs() * self.measurable  # (B, T, 2)
        own = lengths.sum(dim=1) / (lengths > 0).sum(dim=1).clamp_min(1)  # (B, 2)
        return own.sum(dim=1) / (own > 0).sum(dim=1).clamp_min(1)

    def coordinates(self) -> Tensor:
        """`local` as (B, T, 2, 42), x and y of a joint side by side."""
        return torch.view_as_real(self.local).flatten(3)


class HandTransform(Transform):
    """Base of the transforms of each hand by itself; several share what they need of the hands."""

    def act(self, hands: Hands, batch: Batch, generator: Generator) -> Tensor:
        """Change the hands of the clips that are chosen, which are returned, bool (B,)."""
        raise NotImplementedError

    @classmethod
    def together(cls, transforms: Sequence[Transform], batch: Batch, generator: Generator) -> Batch:
        """One after the other; what is missing stays zero, and other clips keep every bit."""
        hands, changed = Hands.of(batch), batch.present.new_zeros(len(batch))
        for transform in transforms:
            assert isinstance(transform, HandTransform)
            changed = changed | transform.act(hands, batch, generator)
        joints = torch.view_as_real(hands.local.add_(hands.wrist)).flatten(2)  # (B, T, 84)
        there = batch.present[:, None, :HANDS].repeat_interleave(2, dim=2)
        joints = joints.mul_(there.to(joints.dtype)).unflatten(2, (HANDS, 2))
        if any(transform.probability < 1 for transform in transforms):
            before = batch.keypoints[:, :, :HANDS]
            joints = torch.where(changed[:, None, None, None], joints, before)
        keypoints = torch.cat([joints, batch.keypoints[:, :, HANDS:]], dim=2)
        return Batch(keypoints, batch.lengths, batch.present)


HandTransform.kind = HandTransform


@register
class HandRotation(HandTransform):
    """Rotate each hand about its wrist by an angle uniform in ±degrees."""

    degrees: float = Field(8.0, ge=0, le=180, description="Largest angle, either way.")

    def act(self, hands: Hands, batch: Batch, generator: Generator) -> Tensor:
        angle = torch.deg2rad(self.degrees * either_way(batch, generator, 2))
        chosen = self.chosen(batch, generator)
        angle = torch.where(chosen[:, None], angle, 0.0)
        hands.local.mul_(torch.complex(angle.cos(), angle.sin())[:, None, :, None])
        return chosen


@register
class HandScale(HandTransform):
    """Scale each hand about its wrist: x by s a and y by s / a, log s and log a uniform in ±amount."""

    amount: float = Field(0.12, ge=0, le=1, description="Largest log of a factor, either way.")

    def act(self, hands: Hands, batch: Batch, generator: Generator) -> Tensor:
        logs = self.amount * either_way(batch, generator, 2, 2)
        chosen = self.chosen(batch, generator)
        size, aspect = torch.where(chosen[:, None, None], logs, 0.0).unbind(-1)
        factors = torch.stack([size + aspect, size - aspect], dim=-1).exp()  # (B, 2 hands, 2)
        hands.coordinates().mul_(factors.repeat(1, 1, HAND_JOINTS)[:, None])
        return chosen


@register
class WristShift(HandTransform):
    """Move each hand as a whole by a distance uniform in ±palms along x and y."""

    palms: float = Field(0.3, ge=0, description="Largest shift along an axis, in palms.")

    def act(self, hands: Hands, batch: Batch, generator: Generator) -> Tensor:
        shift = self.palms * either_way(batch, generator, 2, 2)
        chosen = self.chosen(batch, generator)
        shift = torch.where(chosen[:, None, None], shift * hands.palm()[:, None, None], 0.0)
        hands.wrist.add_(in_plane(shift)[:, None, :, None] * hands.seen)
        return chosen


@register
class HandNoise(HandTransform):
    """Add normal noise to every joint of a hand but the wrist, in every frame by itself."""

    palms: float = Field(0.03, ge=0, description="Standard deviation in palms.")

    def act(self, hands: Hands, batch: Batch, generator: Generator) -> Tensor:
        local = hands.coordinates()
        shape = *hands.local.shape, 2
        noise = torch.randn(shape, device=local.device, generator=generator).flatten(3)
        noise[..., :2] = 0  # the wrist
        chosen = self.chosen(batch, generator)
        size = torch.where(chosen, self.palms * hands.palm(), 0.0)
        local.add_(noise.mul_(size[:, None, None, None] * hands.seen))
        return chosen


@register
class FingerMasking(HandTransform):
    """Fold fingers away: the four joints of a finger, or one joint, are put on the wrist.

    As an occluded finger, for the whole clip. The joints stay present: `joint_masking` would make
    them missing, which an encoder can tell from a fault of the pose estimate.
    """

    finger: Share = Field(Fraction(1, 10), description="Probability that a finger is hidden.")
    joint: Share = Field(Fraction(1, 10), description="Probability that a joint is hidden.")

    def act(self, hands: Hands, batch: Batch, generator: Generator) -> Tensor:
        fingers = uniform(batch, generator, 2, FINGERS) < float(self.finger)
        joints = uniform(batch, generator, 2, FINGERS * JOINTS_OF_A_FINGER) < float(self.joint)
        chosen = self.chosen(batch, generator)
        hidden = fingers.repeat_interleave(JOINTS_OF_A_FINGER, dim=2) | joints
        hidden = hidden & chosen[:, None, None]
        kept = pad(~hidden, (1, 0), value=True)  # the wrist stays
        local = hands.coordinates()
        local.mul_(kept.repeat_interleave(2, dim=2)[:, None].to(local.dtype))
        return chosen
