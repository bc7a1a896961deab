"""Whether pixels lie in the image that they are said to be of."""

import numpy as np

from sslslr.data.readers import ClipError
from sslslr.pose.skeleton import BODY


def check_pixels(sized: list[tuple[np.ndarray, tuple[float, float]]], stated: bool) -> None:
    """Raises ClipError where the numbers do not lie in such images.

    Args:
        sized: (frames, 75, C) and the width and height of their image.
    """
    size = sized[0][1]
    said = f"{size[0]:g} x {size[1]:g}"
    shares, hands = [], []
    for clip, of in sized:
        xy = np.where((clip[..., :2] != 0).any(axis=-1, keepdims=True), clip[..., :2], np.nan)
        shares.append((xy / of).reshape(-1, 2))
        hands.append((xy[:, : BODY.start] / of).reshape(-1, 2))
    share, hand = np.concatenate(shares), np.concatenate(hands)
    share, hand = share[np.isfinite(share).all(axis=1)], hand[np.isfinite(hand).all(axis=1)]
    watched = [clip[:, : BODY.start, :2] for clip, _ in sized]  # legs are guessed far below
    if not len(hand):
        watched = [clip[..., :2] for clip, _ in sized]
    largest = max(float(xy[np.isfinite(xy)].max(initial=0)) for xy in watched)
    if not len(share):
        return
    if np.median(share) > 1.5:  # legs are guessed far below the picture, not most joints
        raise ClipError(f"coordinates up to {largest:.4g}, in an image that is said to be {said}")
    if len(hand) and (outside := (np.median(hand, axis=0) > 1.05)).any():
        other = (
            "width and height may be exchanged"
            if outside[0] != outside[1]
            else "is it a smaller one"
        )
        raise ClipError(f"most joints of the hands lie outside of an image of {said}: {other}?")
    if not stated and np.percentile(share, 99) < 0.3 and largest <= 130:
        raise ClipError(
            f"coordinates up to {largest:.4g} in an image of {said}: per cent, or pixels "
            "of a smaller one? Say --unit percent or --unit pixels"
        )
