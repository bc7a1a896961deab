"""What an input is, and the values of several inputs put together."""

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from sslslr.config.settings import Distinct
from sslslr.data.batch import Batch
from sslslr.encoders.inputs import INPUTS
from sslslr.encoders.inputs._hands import Hands, hands_of
from sslslr.pose.skeleton import N_JOINTS
from sslslr.utils.errors import UserError, nearest

LEAST_DEVIATION = 0.02  # a value that hardly varies is not blown up
LARGEST = 5.0  # standardised values are clamped to plus and minus this
MEASURED_CLIPS = 1024


def _known(names: list[str]) -> list[str]:
    for name in names:
        if name not in INPUTS.names():
            raise ValueError(f"unknown input {name!r}. {nearest(name, INPUTS.names())}")
    return names


InputNames = Annotated[list[str], Field(min_length=1), Distinct, AfterValidator(_known)]


class Inputs(nn.Module):
    """The named inputs of each frame, standardised where that is asked for.

    With `standardise` a value v becomes clamp((v - mean) / max(deviation, 0.02), -5, 5); mean and
    deviation are those of un-augmented pretraining clips, over the frames in which the hand is
    there. They are buffers: fixed once measured, and part of the artifact.

    Args:
        names: files of this folder.
        mirrored: whether the left hand is mirrored, so that both hands can share weights.
        fill: interpolate hands over frames that do not show them.
    """

    def __init__(self, names: Sequence[str], mirrored: bool, standardise: bool, fill: bool):
        super().__init__()
        self.names, self.mirrored, self.fill = tuple(names), mirrored, fill
        self.standardise = standardise
        one_clip = torch.zeros(1, 2, N_JOINTS, 2), torch.ones(1, dtype=torch.int64)
        values = self._raw(hands_of(*one_clip, mirrored, fill))
        self.widths = [part.shape[-1] for part in values]
        self.hand_width = sum(part.shape[-1] for part in values if part.ndim == 4)
        self.frame_width = sum(part.shape[-1] for part in values if part.ndim == 3)
        self.flat_width = 2 * self.hand_width + self.frame_width
        if standardise:
            self.register_buffer("mean", torch.zeros(sum(self.widths)))
            self.register_buffer("deviation", torch.ones(sum(self.widths)))
            self.register_buffer("measured", torch.zeros((), dtype=torch.bool))

    mean: Tensor
    deviation: Tensor
    measured: Tensor

    def forward(self, keypoints: Tensor, lengths: Tensor) -> list[Tensor]:
        """The inputs in their order, each (B, T, 2, n) or (B, T, n), of keypoints (B, T, 75, 2)."""
        hands = hands_of(keypoints, lengths, self.mirrored, self.fill)
        values = self._raw(hands)
        if not self.standardise:
            return values
        means, deviations = self.mean.split(self.widths), self.deviation.split(self.widths)
        return [
            _scale_(part.clone(), mean, deviation, hands)
            for part, mean, deviation in zip(values, means, deviations, strict=True)
        ]

    def joined(self, keypoints: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs of each hand (B, T, 2, hand_width), and those of the frame (B, T, frame_width)."""
        hands = hands_of(keypoints, lengths, self.mirrored, self.fill)
        values, found = self._raw(hands), []
        for axes in (4, 3):
            own = [number for number, part in enumerate(values) if part.ndim == axes]
            if not own:
                found.append(keypoints.new_zeros(*keypoints.shape[:2], *[2][: axes - 3], 0))
                continue
            joined = torch.cat([values[number] for number in own], dim=-1)
            if self.standardise:
                mean, deviation = (
                    torch.cat([part[number] for number in own])
                    for part in (self.mean.split(self.widths), self.deviation.split(self.widths))
                )
                joined = _scale_(joined, mean, deviation, hands)
            found.append(joined)
        return found[0], found[1]

    @torch.no_grad()
    def measure(self, clips: Batch) -> None:
        """Take mean and deviation from un-augmented clips, at most 1,024 from all over the batch."""
        if not self.standardise:
            return
        n = min(len(clips), MEASURED_CLIPS)
        part = clips[(torch.arange(n) * len(clips) // n).to(clips.keypoints.device)]
        hands = hands_of(part.keypoints, part.lengths, self.mirrored, self.fill)
        shown = _shown(hands)
        rows = [values[shown[values.ndim]] for values in self._raw(hands)]
        if any(len(values) < 2 for values in rows):
            raise UserError(
                "encoder.inputs: no clip has a hand with a wrist and a palm, so there is nothing to "
                "standardise the inputs by. Look at the clips with `sslslr data check`."
            )
        self.mean.copy_(torch.cat([values.mean(dim=0) for values in rows]))
        deviation = torch.cat([values.std(dim=0) for values in rows])
        self.deviation.copy_(deviation.clamp_min(LEAST_DEVIATION))
        self.measured.fill_(True)

    def _raw(self, hands: Hands) -> list[Tensor]:
        return [INPUTS.get(name).values(hands) for name in self.names]


def _shown(hands: Hands) -> dict[int, Tensor]:
    """Where values mean something, by their number of axes: hands (B, T, 2) for 4, frames (B, T) for 3."""
    return {4: hands.inside[:, :, None] & hands.there[:, None], 3: hands.inside}


def _scale_(values: Tensor, mean: Tensor, deviation: Tensor, hands: Hands) -> Tensor:
    """Standardise and clamp values where they are; zero where they mean nothing.

    These are the largest tensors of a step, and another of their size costs as much as the arithmetic.
    """
    shown = _shown(hands)[values.ndim][..., None]
    return values.mul_(1 / deviation).sub_(mean / deviation).clamp_(-LARGEST, LARGEST).mul_(shown)


def measure_inputs(module: nn.Module, clips: Batch) -> None:
    """Measure the inputs of every encoder within `module` (a method may hold two) on the same clips."""
    for part in module.modules():
        if isinstance(part, Inputs):
            part.measure(clips)
