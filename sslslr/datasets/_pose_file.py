"""`.pose` files (pose-format) of MediaPipe Holistic."""

from typing import Any

import numpy as np

from sslslr.skeleton import from_parts

COMPONENTS = ("LEFT_HAND_LANDMARKS", "RIGHT_HAND_LANDMARKS", "POSE_LANDMARKS")


def read_pose(data: bytes) -> dict[str, Any]:
    """A `.pose` file's first person.

    Returns:
        keypoints: float32 (frames, 75, 2), image-normalised, NaN where MediaPipe found nothing;
        fps; aspect, the image's width / height.
    """
    from pose_format import Pose

    pose = Pose.read(data)
    size = pose.header.dimensions
    scale = np.array([size.width, size.height], dtype=np.float32)
    points = pose.body.data[:, 0, :, :2]
    points = np.where(np.ma.getmaskarray(points), np.nan, points.data).astype(np.float32) / scale
    first, parts = 0, {}
    for component in pose.header.components:
        parts[component.name] = points[:, first : first + len(component.points)]
        first += len(component.points)
    return {
        "keypoints": from_parts(*(parts.get(name) for name in COMPONENTS)),
        "fps": float(pose.body.fps),
        "aspect": size.width / size.height,
    }
