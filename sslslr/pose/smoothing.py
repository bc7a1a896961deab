"""Smoothing of keypoints over time, with gaps: what was missing stays missing.

Casiez, Roussel, Vogel. "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in
Interactive Systems." CHI 2012. Savitzky and Golay. "Smoothing and Differentiation of Data by
Simplified Least Squares Procedures." Analytical Chemistry 1964.
"""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from sslslr.config.settings import Settings

DEFAULT_FPS = 25.0  # where a clip's rate is not known


class Smoothing(Settings):
    filter: Literal["none", "one_euro", "savitzky_golay"] = Field(
        "none", description="none (default: the keypoints as estimated), one_euro, savitzky_golay."
    )
    min_cutoff: float = Field(
        1.5, gt=0, description="one_euro: cut-off in Hz of a joint at rest; lower is smoother."
    )
    beta: float = Field(
        5.0,
        ge=0,
        description="one_euro: Hz more for each picture width a second; higher lags less.",
    )
    window: int = Field(5, ge=3, description="savitzky_golay: frames, odd.")
    order: int = Field(2, ge=1, description="savitzky_golay: degree of the polynomial.")

    @model_validator(mode="after")
    def _sound_window(self) -> "Smoothing":
        if self.window % 2 == 0 or self.order >= self.window:
            raise ValueError("window must be odd and greater than order")
        return self


def smooth(keypoints: np.ndarray, fps: float | None, settings: Smoothing) -> np.ndarray:
    """Smooth a clip.

    Args:
        keypoints: (frames, joints, 2), NaN = missing.
        fps: frames a second; None stands for `DEFAULT_FPS`.

    Returns:
        Same shape and type; exactly the same entries are NaN.
    """
    if settings.filter == "none" or len(keypoints) == 0:
        return keypoints
    if settings.filter == "one_euro":
        return one_euro(keypoints, fps or DEFAULT_FPS, settings.min_cutoff, settings.beta)
    return savitzky_golay(keypoints, settings.window, settings.order)


def one_euro(
    keypoints: np.ndarray, fps: float, min_cutoff: float = 1.5, beta: float = 5.0
) -> np.ndarray:
    """The One Euro filter on every joint; after a gap a joint begins anew.

    Args:
        keypoints: (frames, joints, 2), NaN = missing.
        beta: Hz for each unit of speed (keypoint units a second; the faster coordinate alone).
    """
    out = np.array(keypoints, copy=True)
    value = np.full(keypoints.shape[1:], np.nan)  # filtered, of the frame before
    speed = np.zeros(keypoints.shape[1:])
    for i, found in enumerate(keypoints.astype(np.float64)):
        known = np.isfinite(value) & np.isfinite(found)
        change = np.where(known, (found - np.where(known, value, 0)) * fps, 0.0)
        speed = np.where(known, speed + _share(1.0, fps) * (change - speed), 0.0)
        share = _share(min_cutoff + beta * np.abs(speed), fps)
        value = np.where(known, np.where(known, value, 0) + share * (change / fps), found)
        out[i] = value
    return out


def _share(cutoff: np.ndarray | float, fps: float) -> np.ndarray | float:
    """How much of a new value a low-pass filter of this cut-off (Hz) takes."""
    return 1.0 / (1.0 + fps / (2 * np.pi * cutoff))


def savitzky_golay(keypoints: np.ndarray, window: int = 5, order: int = 2) -> np.ndarray:
    """A polynomial through each `window` of frames, within runs without a gap.

    A run shorter than the window takes the largest odd window that fits; one too short for the
    polynomial stays as it is.
    """
    from scipy.signal import savgol_filter  # here: the workflow reads these settings at its start

    out = np.array(keypoints, copy=True)
    found = np.isfinite(keypoints).all(axis=2)
    for joint in range(keypoints.shape[1]):
        for begin, end in runs(found[:, joint]):
            length = min(window, end - begin - (end - begin + 1) % 2)
            if length > order:
                piece = keypoints[begin:end, joint].astype(np.float64)
                out[begin:end, joint] = savgol_filter(piece, length, order, axis=0)
    return out


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """(begin, end) of the stretches of True in a (n,) bool array, end exclusive."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
