"""A clip's file of any kind that is read here: `.npy`, `.pose`, `.pkl` in OpenHands' layout."""

from pathlib import PurePosixPath
from typing import Any

import numpy as np

from sslslr.datasets._openhands import ClipError, normalised, read_clip
from sslslr.datasets._pose_file import read_pose
from sslslr.npz import JOINT_COUNTS, plain_array

KINDS = (".npy", ".pose", ".pkl")


def read_file(name: str, data: bytes, min_confidence: float = 0.0) -> dict[str, Any]:
    """keypoints (frames, 75, 2), and fps and aspect where the file has them.

    Raises:
        ClipError: not a file of its kind, or not keypoints.
        UnsafePickle: see :mod:`sslslr.unpickle`.
    """
    if name.endswith(".pkl"):
        return read_clip(data, min_confidence)
    if name.endswith(".npy"):
        return {"keypoints": _read_npy(data)}
    if not name.endswith(".pose"):
        raise ClipError(
            f"{PurePosixPath(name).suffix or 'no ending'}: not one of {', '.join(KINDS)}"
        )
    try:
        return read_pose(data)
    except Exception as error:  # a damaged file fails in many ways in the library
        why = f"{type(error).__name__}: {_short(error)}"
        raise ClipError(f"not a sound .pose file ({why})") from None


def _read_npy(data: bytes) -> np.ndarray:
    try:
        frames = plain_array(data)
    except (ValueError, EOFError) as error:
        raise ClipError(f"not a sound .npy file ({_short(error)})") from None
    good = frames.ndim == 3 and frames.shape[1] in JOINT_COUNTS and frames.shape[2] in (2, 3)
    if not good or frames.dtype.kind != "f":
        raise ClipError(
            f".npy holds {frames.dtype} of shape {frames.shape}, not (frames, 75 or 42, 2)"
        )
    with np.errstate(over="ignore"):
        return normalised(frames[..., :2].astype(np.float32), None)


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:100]
