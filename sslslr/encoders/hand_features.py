"""No encoder: what the encoders are told of the hands, pooled over time.

Any encoder that has learnt something should be ahead of it under the same probe.
"""

import torch
from pydantic import Field
from torch import Generator, Tensor

from sslslr.config.settings import Settings
from sslslr.encoders import register
from sslslr.encoders._base import Encoder
from sslslr.encoders._readout import read_out
from sslslr.encoders.inputs._base import InputNames, Inputs


@register
class HandFeatures(Encoder):
    """Means over each third of the clip, and deviation, maximum and minimum over all of it.

    Values are not standardised here: the probes do that, or compare directions.
    """

    trains = False

    class Options(Settings):
        inputs: InputNames = Field(
            [
                "hand_shape",
                "hand_motion",
                "wrist_motion",
                "joint_angles",
                "fingertip_distances",
                "palm",
                "presence",
                "between_hands",
            ],
            description="Files in sslslr/encoders/inputs/.",
        )

    def __init__(self, config: "HandFeatures.Options", frames: int):
        super().__init__(config, frames)
        self.inputs = Inputs(config.inputs, mirrored=True, standardise=False, fill=True)
        self.width = 6 * self.inputs.flat_width

    def forward(
        self, keypoints: Tensor, lengths: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """Features (B, width) of keypoints (B, T, 75, 2) with true lengths (B,)."""
        del generator
        values = torch.cat([part.flatten(2) for part in self.inputs(keypoints, lengths)], dim=2)
        thirds = read_out(values, lengths, "thirds")
        _, largest, deviation = read_out(values, lengths, "mean_max_deviation").chunk(3, dim=1)
        smallest = -read_out(-values, lengths, "mean_max_deviation").chunk(3, dim=1)[1]
        return torch.cat([thirds, deviation, largest, smallest], dim=1)
