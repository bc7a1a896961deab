"""Coordinates whose sign was turned (pose-format's `flip`, an axis that points upwards): turned back."""

import numpy as np

from sslslr.data.conversion.anatomy import WATCHED, watched

ONE_SIDED = 0.9  # share of the joints: a few lie beyond the picture's border


def unflipped(xy: np.ndarray) -> tuple[np.ndarray, bool] | None:
    """A clip with its signs turned back; and whether its x must then be mirrored within the picture.

    A picture has no joints below zero, and what was centred has them on both sides: where one axis lies
    below zero and the other is one-sided too, its sign was turned. Left and right of the body say which
    picture that was: turned back, a body that faces the camera has its left on the picture's right; where
    it has not, left and right were exchanged as the sign was turned, and x is mirrored instead.

    Args:
        xy: (frames, 75, 2), NaN = missing.

    Returns:
        None where no sign was turned.
    """
    if not len(xy):
        return None
    middle = xy[len(xy) // 2]
    there = np.count_nonzero(middle == middle)
    if there and 2 * np.count_nonzero(middle < 0) < 0.8 * there:  # quick: most clips
        return None
    joints = xy[np.isfinite(xy).all(axis=-1) & (xy != 0).any(axis=-1)]
    if not len(joints):
        return None
    below = (joints < 0).mean(axis=0)
    if not (below > ONE_SIDED).any() or not ((below > ONE_SIDED) | (below < 1 - ONE_SIDED)).all():
        return None
    turned = xy * np.where(below > ONE_SIDED, -1, 1).astype(xy.dtype)
    counts = watched(turned[:, WATCHED])
    mirrored = below[0] > ONE_SIDED and 2 * counts["mirrored"] > max(1, counts["facing"])
    return turned, bool(mirrored)
