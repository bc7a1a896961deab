"""No encoder: the keypoints themselves."""

from torch import Generator, Tensor

from sslslr.encoders import register
from sslslr.encoders._base import Encoder
from sslslr.pose.skeleton import N_JOINTS


@register
class RawKeypoints(Encoder):
    """No encoder: the preprocessed keypoints themselves, flattened to (B, T * 150)."""

    trains = False

    def __init__(self, config: Encoder.Options, frames: int):
        super().__init__(config, frames)
        self.width = frames * N_JOINTS * 2

    def forward(
        self, keypoints: Tensor, lengths: Tensor, generator: Generator | None = None
    ) -> Tensor:
        del lengths, generator
        return keypoints.flatten(1)
