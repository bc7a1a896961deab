"""Batched views of clips; temporal permutation first.

A transform is a pydantic model whose fields are its settings and whose call maps a batch to a
batch on the batch's own device, drawing from the generator it is given. Compositions are named in
the configuration:

    augmentations:
      temporal_permutation: [{name: temporal_permutation, begin: 1/3, end: 1/4}]

`compose(steps)(batch, generator)` applies one. Every draw is per clip, never per batch, and no
transform moves padding or a joint that the clip lacks.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor

from sslslr.batch import Batch
from sslslr.config import Share, Strict, parse
from sslslr.errors import UserError, nearest

View = Callable[[Batch, Generator], Batch]
TRANSFORMS: dict[str, type["Transform"]] = {}


class Transform(Strict):
    """Base of all transforms; a subclass registers itself under `name`."""

    def __init_subclass__(cls, name: str = "", **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if name:
            TRANSFORMS[name] = cls

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        raise NotImplementedError


def compose(steps: list[dict[str, Any]], where: str = "augmentations") -> View:
    """A view from a list of `{name: ..., setting: ...}`; an empty list is the identity.

    Raises:
        UserError: an unknown transform or setting.
    """
    transforms = []
    for number, step in enumerate(steps):
        settings = dict(step)
        name = settings.pop("name", None)
        if name not in TRANSFORMS:
            raise UserError(
                f"{where}[{number}]: unknown transform {name!r}. {nearest(str(name), TRANSFORMS)}"
            )
        transforms.append(parse(TRANSFORMS[name], settings, f"{where}[{number}] ({name})"))

    def view(batch: Batch, generator: Generator) -> Batch:
        for transform in transforms:
            batch = transform(batch, generator)
        return batch

    return view


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
        index = order[:, :, None, None].expand_as(batch.keypoints)
        return Batch(batch.keypoints.gather(1, index), batch.lengths, batch.present)
