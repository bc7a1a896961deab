"""What top-down models share: a box goes in, one person's 133 keypoints come out.

Every video begins with the whole picture as the box; each batch then takes the box around the joints
found in the batch before (`box: follow`). `box: picture` always takes the whole picture. With a
detector the box is the person's who was the largest at first and nearest to their last box afterwards.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from sslslr.config.settings import Settings
from sslslr.pose.skeleton import from_wholebody
from sslslr.pose.tracking import Follower, box_around

SHA256 = "^[0-9a-f]{64}$"
RULE = "the largest person at first, then the nearest to the last box"


class TopDownOptions(Settings):
    """Options that top-down backends share; each adds its `detector` by name."""

    batch: int = Field(16, ge=1, le=512, description="Frames that share a box.")
    box: Literal["follow", "picture"] = Field(
        "follow", description="follow: the person found so far. picture: always the whole picture."
    )
    detector_weights: str | None = Field(None, description="As `weights`, the detector's.")
    detector_weights_sha256: str | None = Field(
        None, pattern=SHA256, description="As `weights_sha256`, the detector's."
    )
    detector_stride: int = Field(
        5, ge=1, le=100, description="Detect in every so many frames; the box stays in between."
    )
    detector_score: float = Field(
        0.3, ge=0.1, le=1, description="Detections that the detector scores lower are nobody."
    )

    def refuse_unused_box(self, detector: str) -> None:
        """Raise ValueError where the whole picture is asked for beside a detector."""
        if detector != "none" and self.box == "picture":
            raise ValueError("a detector gives the box; `box: picture` would not use it")


class TopDown:
    """Base of backends whose `_infer(frames, boxes)` gives (frames, 133, 3): pixels and confidence.

    Args:
        follow: whether the box follows the joints that were found.
        follower: of the persons that a detector finds; None where there is no detector.
    """

    default_confidence = 0.3  # mmpose's own demos draw joints above it

    def __init__(self, follow: bool, follower: Follower | None):
        self._follows, self._follower = follow, follower
        self.start()

    @property
    def several(self) -> int | None:
        """Looked-at frames of the video with several persons; None without a detector."""
        return None if self._follower is None else self._follower.several

    def start(self) -> None:
        self._box: np.ndarray | None = None
        if self._follower is not None:
            self._follower.start()

    def estimate(self, frames: list[np.ndarray]) -> np.ndarray:
        height, width = frames[0].shape[:2]
        if self._follower is not None:
            found = self._infer(frames, self._follower.boxes(frames))
        else:
            found = self._infer_following(frames, width, height)
        joints = from_wholebody(found)
        joints[..., :2] /= (width, height)
        joints[..., 2] = np.clip(joints[..., 2], 0, 1)
        return joints

    def _infer(self, frames: list[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        """(frames, 133, 3) float32: x and y in pixels, confidence. A box each, or one for all."""
        raise NotImplementedError

    def _infer_following(self, frames: list[np.ndarray], width: int, height: int) -> np.ndarray:
        whole = np.array([0, 0, width, height], dtype=np.float32)
        if self._box is None and self._follows and len(frames) > 1:
            self._follow(self._infer(frames[:1], whole), width, height)
        found = self._infer(frames, self._box if self._box is not None else whole)
        if self._follows:
            self._follow(found[-1:], width, height)
        return found

    def _follow(self, found: np.ndarray, width: int, height: int) -> None:
        sure = found[..., 2] >= self.default_confidence
        self._box = box_around(found[..., :2], sure, width, height)
