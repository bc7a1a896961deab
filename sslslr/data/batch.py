"""What every stage after the clip store passes on: clips of one length in one tensor."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sslslr.pose.skeleton import LEFT_HAND, RIGHT_HAND

HANDS, HAND_JOINTS = RIGHT_HAND.stop, LEFT_HAND.stop  # the hands' joints come first


@dataclass
class Batch:
    """Clips as tensors. Not frozen: Fabric's mixed precision rebuilds what a module is called with.

    Attributes:
        keypoints: float32 (B, T, J, 2); padding is zero, and so are joints that the
            clip lacks and hands in frames that do not show them.
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
        """New coordinates for the same clips; padding and what is missing are set to zero again."""
        return Batch(keypoints * self.shown()[..., None], self.lengths, self.present)

    def shown(self) -> Tensor:
        """bool (B, T, J): what has a place: valid, and of a hand that the frame shows."""
        valid = self.valid()
        hands = valid[:, :, :HANDS] & self.hands_seen().repeat_interleave(HAND_JOINTS, dim=2)
        return torch.cat([hands, valid[:, :, HANDS:]], dim=2)

    def hands_seen(self) -> Tensor:
        """bool (B, T, 2): frames that show the hand; it is zero in others (`preprocess.gaps: keep`)."""
        hands = self.keypoints[:, :, :HANDS].unflatten(2, (2, HAND_JOINTS))
        return hands.flatten(3).abs().amax(dim=3) > 0  # faster than any()

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
