"""Which person, and the box around them.

Top-down models look at one box. Where a detector gives several people, the one who was followed so
far is taken (nearest to the last box), at first the largest; without a detector the box is drawn
around the keypoints of the frames before, at first around the whole picture.

Boxes are x0, y0, x1, y1 in pixels.
"""

from collections.abc import Callable

import numpy as np

PATIENCE = 15  # frames without a near detection, after which the largest person is taken again
MIN_OVERLAP = 0.3  # of two boxes that are surely one person's
SAME_FORM = 0.25  # by which a width and height may differ in one person who moved fast
MIN_JOINTS = 5  # fewer found joints say nothing about where a person is
MARGIN = 0.1  # of the larger side, on every side; RTMPose itself widens a box by a quarter


def overlaps(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Intersection over union of (n, 4) boxes with one."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    union = areas(boxes) + areas(box[None])[0] - shared
    return shared / np.maximum(union, 1e-9)


def areas(boxes: np.ndarray) -> np.ndarray:
    """Areas of (n, 4) boxes; 0 for an empty one."""
    return np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)


class Tracker:
    """Follows one person through frames of detections.

    Args:
        patience: frames that the person may be lost before another may be taken.
    """

    def __init__(self, patience: int = PATIENCE):
        self.patience = patience
        self.start()

    def start(self) -> None:
        """A new video: nobody is followed."""
        self.box: np.ndarray | None = None
        self._missed = 0

    def update(self, boxes: np.ndarray) -> int | None:
        """Index of the person among a frame's (n, 4) boxes; None if they are not among them."""
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        found = self._nearest(boxes) if self.box is not None else self._largest(boxes)
        if found is None:
            self._missed += 1
            if self._missed > self.patience and len(boxes):
                found = self._largest(boxes)
        if found is not None:
            self.box, self._missed = boxes[found], 0
        return found

    def _largest(self, boxes: np.ndarray) -> int | None:
        return int(np.argmax(areas(boxes))) if len(boxes) else None

    def _nearest(self, boxes: np.ndarray) -> int | None:
        """The box that overlaps most; if none does enough, the nearest one that may be theirs.

        May be: within half a box's size, and of about the same form. A passer-by who only touches
        the box of a person that the detector missed is not that person.
        """
        if not len(boxes):
            return None
        shared = overlaps(boxes, self.box)
        if shared.max() >= MIN_OVERLAP:
            return int(np.argmax(shared))
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        centre, sides = (self.box[:2] + self.box[2:]) / 2, self.box[2:] - self.box[:2]
        away = np.linalg.norm(centres - centre, axis=1)
        change = np.abs(boxes[:, 2:] - boxes[:, :2] - sides)
        away[(change > SAME_FORM * sides).any(axis=1)] = np.inf
        nearest = int(np.argmin(away))
        return nearest if away[nearest] <= 0.5 * sides.max() else None


class Follower:
    """The followed person's box in every frame of a video, from detections in every few.

    Batches do not matter: the frames of a video give the same boxes however they are divided.

    Args:
        detect: frames, a list of (height, width, 3) arrays, to a list of (persons, 5) arrays: a box
            in pixels and its score 0..1.
        stride: detect in every so many frames; the box stays where it was in between.
        min_score: detections below it are nobody.

    Attributes:
        several: looked-at frames of the video so far in which several persons were found.
    """

    def __init__(
        self,
        detect: Callable[[list[np.ndarray]], list[np.ndarray]],
        stride: int = 1,
        min_score: float = 0.0,
    ):
        self.detect, self.stride, self.min_score = detect, stride, min_score
        self.tracker = Tracker(patience=-(-PATIENCE // stride))
        self.start()

    def start(self) -> None:
        """A new video: nobody is followed."""
        self.tracker.start()
        self._frames = self.several = 0

    def boxes(self, frames: list[np.ndarray]) -> np.ndarray:
        """(frames, 4) float32 for a video's next frames; the whole picture until somebody is seen."""
        height, width = frames[0].shape[:2]
        due = [i for i in range(len(frames)) if (self._frames + i) % self.stride == 0]
        found = dict(zip(due, self.detect([frames[i] for i in due]), strict=True)) if due else {}
        out = np.empty((len(frames), 4), dtype=np.float32)
        for number in range(len(frames)):
            if number in found:
                persons = self._persons(found[number], width, height)
                self.several += len(persons) > 1
                self.tracker.update(persons)
            box = self.tracker.box
            out[number] = (0, 0, width, height) if box is None else box
        self._frames += len(frames)
        return out

    def _persons(self, found: np.ndarray, width: int, height: int) -> np.ndarray:
        """(persons, 4) boxes within the picture of what was detected surely enough."""
        found = np.asarray(found, dtype=np.float64).reshape(-1, 5)
        found = found[np.isfinite(found).all(axis=1) & (found[:, 4] >= self.min_score)]
        boxes = np.clip(found[:, :4], 0, (width, height, width, height))
        return boxes[(boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) >= 2]


def box_around(
    keypoints: np.ndarray, found: np.ndarray, width: int, height: int, margin: float = MARGIN
) -> np.ndarray | None:
    """The box around the found joints of some frames, widened and kept within the picture.

    Args:
        keypoints: (..., joints, 2) in pixels.
        found: (..., joints) bool, joints that may be trusted.

    Returns:
        (4,) float32, or None where fewer than `MIN_JOINTS` joints of a frame were found.
    """
    points = keypoints[found]
    frames = int(np.prod(found.shape[:-1], dtype=int))
    if len(points) < MIN_JOINTS * max(frames, 1):
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    wider = margin * (high - low).max()
    low, high = np.clip(low - wider, 0, (width, height)), np.clip(high + wider, 0, (width, height))
    if (high - low).min() < 2:
        return None
    return np.concatenate([low, high]).astype(np.float32)
