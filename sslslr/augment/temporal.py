"""Transforms of time: the order, the span and the speed of a clip's frames."""

from fractions import Fraction
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor
from torch.nn.functional import pad

from sslslr.augment._base import RangeTransform, Transform, either_way, register, uniform
from sslslr.config.settings import Share
from sslslr.data.batch import HAND_JOINTS, HANDS, Batch


def share_of(lengths: Tensor, share: Fraction) -> Tensor:
    """floor(length * share) in exact integer arithmetic: a share of 1/3 gives T // 3."""
    return lengths * share.numerator // share.denominator


def permutation_order(
    lengths: Tensor, frames: int, begin: Fraction, end: Fraction, generator: Generator
) -> Tensor:
    """Which frame of the clip comes at each time, one permutation a clip.

    Args:
        lengths: (B,), true lengths; padding keeps its place.
        frames: T of the padded batch.
        begin, end: share of the true length whose frames are shuffled at either end.

    Returns:
        int64 (B, T): the first floor(n * begin) entries are a uniformly drawn permutation of those
        frames, the last floor(n * end) of theirs, all others are in order.
    """
    time = torch.arange(frames, device=lengths.device)
    n = lengths[:, None]
    n_begin, n_end = share_of(n, begin), share_of(n, end)
    noise = torch.rand(len(lengths), frames, device=lengths.device, generator=generator)
    # Sorting these keys shuffles within a segment and never across: begin has keys in [-1, 0), the
    # end in [T, T + 1), and every other frame its own time between or behind them.
    key = time.float().expand(len(lengths), -1)
    key = torch.where(time < n_begin, noise - 1, key)
    key = torch.where((time >= n - n_end) & (time < n), frames + noise, key)
    key = torch.where(time >= n, key + 2 * frames, key)
    return key.argsort(dim=1)


@register
class TemporalPermutation(Transform):
    """Shuffle the frames of a clip's beginning and of its end; the middle carries the sign.

    The same permutation for all joints (hands and body move together), over the true length: over
    half of LSFB's clips are shorter than 20 frames. Source: `docs/paper.md`, "Temporal
    permutation": the first T//3 frames and the last T//4.
    """

    begin: Share = Field(
        Fraction(1, 3), description="Share of the frames shuffled at the beginning."
    )
    end: Share = Field(Fraction(1, 4), description="Share of the frames shuffled at the end.")

    @model_validator(mode="after")
    def _segments_do_not_overlap(self) -> "TemporalPermutation":
        if self.begin + self.end > 1:
            raise ValueError(f"begin {self.begin} and end {self.end} overlap; together at most 1")
        return self

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        frames = batch.keypoints.shape[1]
        order = permutation_order(batch.lengths, frames, self.begin, self.end, generator)
        time = torch.arange(frames, device=order.device)
        order = torch.where(self.chosen(batch, generator)[:, None], order, time)
        return Batch(_frames_at(batch.keypoints, order), batch.lengths, batch.present)


@register
class TemporalCrop(RangeTransform):
    """Keep a random contiguous span of the true length: another cut of the same sign.

    The span has at least 2 frames, or the only one. Source: the "Strong" views of
    `docs/paper.md` (50-100 %, resampled).
    """

    low: float = Field(0.5, gt=0, le=1, description="Smallest share of the true length kept.")
    high: float = Field(1.0, gt=0, le=1, description="Largest share of the true length kept.")
    fit: Literal["resample", "shorten"] = Field(
        "resample",
        description="resample: stretched linearly to the clip's own length. shorten: a shorter clip.",
    )

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        n = batch.lengths
        chosen = self.chosen(batch, generator)
        span = (n * self.drawn(batch, generator)).round().long().clamp(min=2).minimum(n)
        span = torch.where(chosen, span, n)
        # float32 may round up to the bound itself, hence the minimum.
        start = (uniform(batch, generator) * (n - span + 1)).long().minimum(n - span)
        return resample(batch, start, span, n if self.fit == "resample" else span)


@register
class Speed(RangeTransform):
    """Sign faster or slower: a clip of n frames gets round(n / factor), at least 1 and at most T."""

    low: float = Field(0.8, gt=0, description="Smallest factor; below 1 is slower, more frames.")
    high: float = Field(1.25, gt=0, description="Largest factor; above 1 is faster, fewer frames.")

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        n, frames = batch.lengths, batch.keypoints.shape[1]
        chosen = self.chosen(batch, generator)
        lengths = (n / self.drawn(batch, generator)).round().long().clamp(1, frames)
        return resample(batch, torch.zeros_like(n), n, torch.where(chosen, lengths, n))


@register
class TimeWarp(RangeTransform):
    """Cut a span out of a clip and play it at an uneven speed: one interpolation for both.

    The span is uniform in low..high of the clip and starts at random. At the share u of the new clip
    it shows the share  u + b_1 sin(pi u) / 2 + b_2 sin(2 pi u) / 4  of the span, kept within 0..1, with
    b_1 and b_2 uniform in ±bend: slower here and faster there, the ends nearly in place.
    """

    low: float = Field(0.5, gt=0, le=1, description="Smallest share of the clip kept.")
    high: float = Field(1.0, gt=0, le=1, description="Largest share of the clip kept.")
    bend: float = Field(0.2, ge=0, le=0.6, description="How uneven the speed is; 0: even.")
    frames: int | None = Field(
        None,
        ge=1,
        description="Frames of the new clip, for clips that are longer (preprocess.view_frames); default: as many.",
    )

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        chosen = self.chosen(batch, generator)
        span, start = self.drawn(batch, generator), uniform(batch, generator)
        bends = self.bend * either_way(batch, generator, 2) * chosen[:, None]
        span = torch.where(chosen, span, 1.0)
        longest = batch.keypoints.shape[1]
        frames = min(self.frames or longest, longest)
        # A clip keeps its share of the frames that there are.
        lengths = (batch.lengths * frames / longest).round().long().clamp(1, frames)
        time = torch.arange(frames, device=batch.keypoints.device)
        share = (time / (lengths - 1).clamp_min(1)[:, None]).clamp(max=1)
        bent = bends[:, :1] * torch.sin(torch.pi * share) / 2
        bent = bent + bends[:, 1:] * torch.sin(2 * torch.pi * share) / 4
        share = (start * (1 - span))[:, None] + span[:, None] * (share + bent).clamp(0, 1)
        position = share * (batch.lengths - 1)[:, None]
        before = position.long().minimum(batch.lengths[:, None] - 1)
        after = (before + 1).minimum(batch.lengths[:, None] - 1)
        keypoints = _between(batch, before, after, position - before)
        if frames == longest:  # no bit of the other clips changes
            keypoints = torch.where(chosen[:, None, None, None], keypoints, batch.keypoints)
        return _cut(keypoints, lengths, batch.present)


def at_frames(batch: Batch, frames: int) -> Batch:
    """The clips with `frames` frames in place of T, each stretched in proportion; as they are if T is."""
    longest = batch.keypoints.shape[1]
    if longest == frames:
        return batch
    lengths = (batch.lengths * frames / longest).round().long().clamp(1, frames)
    if frames < longest:
        resampled = resample(batch, torch.zeros_like(lengths), batch.lengths, lengths)
        return Batch(resampled.keypoints[:, :frames], lengths, batch.present)
    padded = pad(batch.keypoints, (0, 0, 0, 0, 0, frames - longest))
    batch = Batch(padded, batch.lengths, batch.present)
    return resample(batch, torch.zeros_like(lengths), batch.lengths, lengths)


def resample(batch: Batch, start: Tensor, span: Tensor, lengths: Tensor) -> Batch:
    """Stretch a span of each clip linearly over time to a new length.

    Args:
        start, span: int64 (B,), first frame and number of frames of the span, inside the clip.
        lengths: int64 (B,), the new lengths, 1..T. The span's first and last frames become the
            clip's; a clip of one frame gets the middle of the span.
    """
    time = torch.arange(batch.keypoints.shape[1], device=batch.keypoints.device)
    steps = (lengths - 1)[:, None]
    # Positions are start + time * (span - 1) / steps in integers, so that a frame that falls on
    # one of the clip is that frame exactly.
    alone = steps == 0
    numerator = torch.where(alone, 1, time.minimum(steps)) * (span - 1)[:, None]
    denominator = torch.where(alone, 2, steps)
    before = start[:, None] + numerator // denominator
    after = (before + 1).minimum((start + span - 1)[:, None])
    keypoints = _between(batch, before, after, (numerator % denominator) / denominator)
    return _cut(keypoints, lengths, batch.present)


def _cut(keypoints: Tensor, lengths: Tensor, present: Tensor) -> Batch:
    """Frames of clips, in which what is missing is zero already, as a batch: with padding set to zero."""
    batch = Batch(keypoints, lengths, present)
    return Batch(keypoints * batch.frame_mask()[:, :, None, None], lengths, present)


def _between(batch: Batch, before: Tensor, after: Tensor, weight: Tensor) -> Tensor:
    """Keypoints (B, N, J, 2) between two frames of each clip, by `weight` (B, N) of the later one.

    A hand that one of the two frames does not show is taken from the other.
    """
    of = batch.lengths, batch.present
    early, late = (Batch(_frames_at(batch.keypoints, index), *of) for index in (before, after))
    seen_early, seen_late = early.hands_seen(), late.hands_seen()
    weight = weight[:, :, None]
    both = (seen_early == seen_late) | (weight == 0)
    of_hands = torch.where(both, weight, seen_late.to(weight.dtype))
    others = weight.expand(-1, -1, batch.keypoints.shape[2] - HANDS)
    weight = torch.cat([of_hands.repeat_interleave(HAND_JOINTS, dim=2), others], dim=2)
    # x and y side by side: beside an axis of length 2 it takes twice the time.
    ends = early.keypoints.flatten(2), late.keypoints.flatten(2)
    return torch.lerp(*ends, weight.repeat_interleave(2, dim=2)).view_as(early.keypoints)


def _frames_at(keypoints: Tensor, index: Tensor) -> Tensor:
    """(B, T, J, 2): at each time the frame of the same clip that `index` (B, T) names."""
    first = torch.arange(len(keypoints), device=index.device)[:, None] * keypoints.shape[1]
    rows = keypoints.flatten(0, 1).index_select(0, (first + index).flatten())
    return rows.view(*index.shape, *keypoints.shape[2:])
