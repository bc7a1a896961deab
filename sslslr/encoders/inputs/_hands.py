"""What the inputs of a batch of clips share, computed once: the hands, their palms, what is missing."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from sslslr.pose.skeleton import (
    BODY,
    LEFT_HAND,
    LEFT_SHOULDER,
    MIDDLE_MCP,
    RIGHT_HAND,
    RIGHT_SHOULDER,
)

SMALLEST = 1e-4  # a shorter palm, or shoulders closer together, are a fault of the pose estimate
# Fingertips within a hand, thumb to little finger. A slice is a view, a list a copy joint by joint.
TIP = slice(4, None, 4)


@dataclass(frozen=True)
class Hands:
    """The hands of a batch.

    Attributes:
        given: (B, T, 75, 2), as the encoder got them.
        joints: (B, T, 2, 21, 2), zero in padding; interpolated where that was asked for.
        lengths: int64 (B,).
        inside: bool (B, T), True for frames of the clip.
        there: bool (B, 2), False for a hand that the clip lacks.
        seen: bool (B, T, 2), frames that show the hand.
        local: (B, T, 2, 21, 2), joints relative to their wrist in palms; a missing joint is on the wrist.
        wrist: (B, T, 2, 2), wrists in the coordinates of the clip.
        clip_palm: (B,), mean of the palms that are there, at least `SMALLEST`.
        mirrored: whether x of the left hand is negated in `local` and by `towards_own_side`.
    """

    given: Tensor
    joints: Tensor
    lengths: Tensor
    inside: Tensor
    there: Tensor
    seen: Tensor
    local: Tensor
    wrist: Tensor
    clip_palm: Tensor
    mirrored: bool

    # What few inputs ask for is computed where it is asked for, and once.

    @cached_property
    def body(self) -> Tensor:
        """(B, T, 33, 2), zero in padding."""
        return self.given[:, :, BODY] * self.inside[:, :, None, None]

    @cached_property
    def keypoints(self) -> Tensor:
        """(B, T, 75, 2), hands and body."""
        return torch.cat([self.joints.flatten(2, 3), self.body], dim=2)

    @cached_property
    def bones(self) -> Tensor:
        """(B, T, 2, 20, 2): b / (|b| + 0.05) with b from a joint's parent to the joint, in palms."""
        fingers = self.local[:, :, :, 1:].unflatten(3, (5, 4))
        wrist = self.local[:, :, :, None, :1].expand(-1, -1, -1, 5, -1, -1)
        parents = torch.cat([wrist, fingers[..., :-1, :]], dim=4)
        return soft_unit((fingers - parents).flatten(3, 4), 0.05)

    def towards_own_side(self, vectors: Tensor) -> Tensor:
        """Vectors (B, T, 2 hands, 2), x of the left hand negated where the hands are mirrored."""
        return vectors * _signs(vectors) if self.mirrored else vectors

    def body_frame(self) -> tuple[Tensor, Tensor, Tensor]:
        """Origin (B, 2) and unit (B, 1) that hands are placed by, and bool (B, 1): has it shoulders?

        The shoulders' midpoint and their distance, both averaged over the clip; zero and one for a
        clip without shoulders, which leaves the picture's own coordinates.
        """
        shown = self.inside[..., None]
        left, right = (self.given[:, :, j] * shown for j in (LEFT_SHOULDER, RIGHT_SHOULDER))
        width = self.mean_over_clip((left - right).norm(dim=-1))[:, None]
        seen = (left.abs().sum(dim=(1, 2)) > 0) & (right.abs().sum(dim=(1, 2)) > 0)
        seen = seen[:, None] & (width > SMALLEST)
        centre = self.mean_over_clip((left + right) / 2)
        return torch.where(seen, centre, 0.0), torch.where(seen, width, 1.0), seen

    def mean_over_clip(self, values: Tensor) -> Tensor:
        """(B, T, ...) to (B, ...): the mean over the frames of each clip."""
        weights = self.inside.reshape(self.inside.shape + (1,) * (values.ndim - 2))
        return (values * weights).sum(dim=1) / self.lengths.reshape(
            (-1,) + (1,) * (values.ndim - 2)
        )

    def change(self, values: Tensor, lag: int = 1) -> Tensor:
        """values[t] - values[t - lag] of (B, T, ...), at the middle of the two; zero beyond the clip."""
        frames = values.shape[1]
        if lag >= frames:
            return torch.zeros_like(values)
        late = self.inside[:, lag:].reshape((values.shape[0], -1) + (1,) * (values.ndim - 2))
        moved = (values[:, lag:] - values[:, :-lag]).mul_(late)
        before = lag - lag // 2
        return F.pad(moved, (0, 0) * (values.ndim - 2) + (before, lag - before))


def hands_of(keypoints: Tensor, lengths: Tensor, mirrored: bool, fill: bool) -> Hands:
    """The hands of keypoints (B, T, 75, 2) with true lengths (B,).

    Args:
        fill: interpolate a hand over the frames that do not show it; `seen` says which these were.
    """
    inside = torch.arange(keypoints.shape[1], device=lengths.device) < lengths[:, None]
    within = inside[:, :, None, None, None]
    joints = torch.stack([keypoints[:, :, LEFT_HAND], keypoints[:, :, RIGHT_HAND]], dim=2) * within
    size = joints.flatten(3).abs()
    seen = size.amax(dim=3) > 0  # (B, T, 2)
    present = size.amax(dim=1).unflatten(2, (-1, 2)).amax(dim=3)[:, None, ..., None] > 0
    if fill:
        joints = _filled(joints, seen) * within
    relative = (joints - joints[:, :, :, :1]) * present
    lengths_now = relative[:, :, :, MIDDLE_MCP].norm(dim=-1)  # (B, T, 2)
    if fill:
        own = (lengths_now * seen).sum(dim=1) / seen.sum(dim=1).clamp_min(1)
    else:
        own = lengths_now.sum(dim=1) / lengths[:, None]
    unit = own[:, None, :, None, None]
    local = torch.where(unit > SMALLEST, relative / unit.clamp_min(SMALLEST), 0.0)
    there = own > SMALLEST
    clip_palm = ((own * there).sum(dim=1) / there.sum(dim=1).clamp_min(1)).clamp_min(SMALLEST)
    if mirrored:  # by rows of all joints: beside an axis of length 2 it takes four times as long
        signs = _signs(joints[:, :, :, 0]).repeat(1, joints.shape[3])
        local = (local.flatten(3) * signs).view_as(local)
    seen, wrist = seen & inside[..., None], joints[:, :, :, 0]
    return Hands(keypoints, joints, lengths, inside, there, seen, local, wrist, clip_palm, mirrored)


def _filled(joints: Tensor, seen: Tensor) -> Tensor:
    """Hands (B, T, 2, 21, 2), where not seen (B, T, 2) interpolated over time; the ends are held."""
    frames = joints.shape[1]
    time = torch.arange(frames, device=joints.device)[None, :, None]
    before = torch.where(seen, time, -1).cummax(dim=1).values
    after = torch.where(seen, time, frames).flip(1).cummin(dim=1).values.flip(1)
    first = torch.where(before >= 0, before, after).clamp(max=frames - 1)
    last = torch.where(after < frames, after, before).clamp(min=0)
    weight = (time - first) / (last - first).clamp_min(1)
    # Whole hands are copied: row (clip T + time) 2 + hand of the joints as a list of hands.
    hands = joints.flatten(3)
    # Its shape, not its len: ONNX would keep the number of clips that it was written with.
    clip = torch.arange(joints.shape[0], device=joints.device)[:, None, None] * frames
    side = torch.arange(2, device=joints.device)
    rows = hands.flatten(0, 2)
    early, late = (
        rows.index_select(0, (2 * (clip + at) + side).flatten()).view_as(hands)
        for at in (first, last)
    )
    between = torch.lerp(early, late, weight[..., None].to(joints.dtype))
    return torch.where(seen[..., None], hands, between).view_as(joints)


def length(vectors: Tensor) -> Tensor:
    """|v| of (..., 2). Three times as fast as `norm` on a CPU; its gradient at 0 would be NaN."""
    if vectors.requires_grad:
        return vectors.norm(dim=-1)
    return (vectors[..., 0].square() + vectors[..., 1].square()).sqrt()


def distances(a: Tensor, b: Tensor) -> Tensor:
    """|a_i - b_j| of points (..., n, 2) and (..., m, 2): (..., n, m), axis by axis, which is faster."""
    if a.requires_grad:
        return length(a[..., :, None, :] - b[..., None, :, :])
    x, y = (a[..., axis, None] - b[..., None, :, axis] for axis in range(2))
    return (x.square() + y.square()).sqrt()


def soft_unit(vectors: Tensor, softness: float) -> Tensor:
    """v / (|v| + softness): the direction, and near zero where there is none to speak of."""
    return vectors / (length(vectors)[..., None] + softness)


def _signs(vectors: Tensor) -> Tensor:
    """(2 hands, ..., 2 axes) that broadcast to vectors (B, T, 2, ..., 2): -1 for the left hand's x."""
    signs = vectors.new_ones(2, *(1,) * (vectors.ndim - 4), 2)
    signs[0, ..., 0] = -1
    return signs
