"""What every stage after the clip store passes on: clips of one length in one tensor."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Batch:
    """Clips as tensors. Not frozen: Fabric's mixed precision rebuilds what a module is called with.

    Attributes:
        keypoints: float32 (B, T, J, 2); padding and joints that the clip lacks are zero.
        lengths: int64 (B,), the true number of frames of each clip, 1 to T.
        present: bool (B, J), False for a joint that never appears in the clip.
    """

    keypoints: Tensor
    lengths: Tensor
    present: Tensor

    def __len__(self) -> int:
        return len(self.keypoints)

    def __getitem__(self, index: Tensor | slice) -> "Batch":
        return Batch(self.keypoints[index], self.lengths[index], self.present[index])

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device."""
        return Batch(self.keypoints.to(device), self.lengths.to(device), self.present.to(device))

    def with_keypoints(self, keypoints: Tensor) -> "Batch":
        """New coordinates for the same clips; padding and absent joints are set to zero again."""
        return Batch(keypoints * self.valid()[..., None], self.lengths, self.present)

    def valid(self) -> Tensor:
        """bool (B, T, J): inside the clip and a joint that the clip has."""
        return self.frame_mask()[:, :, None] & self.present[:, None, :]

    def frame_mask(self) -> Tensor:
        """bool (B, T): True for frames of the clip, False for padding."""
        time = torch.arange(self.keypoints.shape[1], device=self.keypoints.device)
        return time < self.lengths[:, None]


def concatenate(batches: list[Batch]) -> Batch:
    """Join batches of the same T along the clips."""
    return Batch(
        torch.cat([batch.keypoints for batch in batches]),
        torch.cat([batch.lengths for batch in batches]),
        torch.cat([batch.present for batch in batches]),
    )
