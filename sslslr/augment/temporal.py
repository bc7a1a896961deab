"""Transforms of time: the order, the span and the speed of a clip's frames."""

from fractions import Fraction
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor

from sslslr.augment.base import RangeTransform, Transform, uniform
from sslslr.batch import Batch
from sslslr.strict import Share


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


class TemporalPermutation(Transform, name="temporal_permutation"):
    """Shuffle the frames of a clip's beginning and of its end; the middle carries the sign.

    The same permutation for all joints (hands and body move together), over the true length: over
    half of LSFB's clips are shorter than 20 frames. Source: `shared/paper.md`, "Temporal
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


class TemporalCrop(RangeTransform, name="temporal_crop"):
    """Keep a random contiguous span of the true length: another cut of the same sign.

    The span has at least 2 frames, or the only one. Source: the "Strong" views of
    `shared/paper.md` (50-100 %, resampled).
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


class Speed(RangeTransform, name="speed"):
    """Sign faster or slower: a clip of n frames gets round(n / factor), at least 1 and at most T."""

    low: float = Field(0.8, gt=0, description="Smallest factor; below 1 is slower, more frames.")
    high: float = Field(1.25, gt=0, description="Largest factor; above 1 is faster, fewer frames.")

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        n, frames = batch.lengths, batch.keypoints.shape[1]
        chosen = self.chosen(batch, generator)
        lengths = (n / self.drawn(batch, generator)).round().long().clamp(1, frames)
        return resample(batch, torch.zeros_like(n), n, torch.where(chosen, lengths, n))


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
    weight = ((numerator % denominator) / denominator)[:, :, None, None]
    keypoints = batch.keypoints
    keypoints = torch.lerp(_frames_at(keypoints, before), _frames_at(keypoints, after), weight)
    return Batch(keypoints, lengths, batch.present).with_keypoints(keypoints)


def _frames_at(keypoints: Tensor, index: Tensor) -> Tensor:
    """(B, T, J, 2): at each time the frame of the same clip that `index` (B, T) names."""
    return keypoints.gather(1, index[:, :, None, None].expand_as(keypoints))
