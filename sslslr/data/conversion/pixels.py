"""Whether pixels lie in the image that they are said to be of."""

import numpy as np

from sslslr.data.readers import ClipError
from sslslr.pose.skeleton import BODY

# Share of the hands' joints outside of the image as stated (of six real sets below 0.03), and of it turned.
BEYOND, TURNED = 0.05, 0.002


def check_pixels(sized: list[tuple[np.ndarray, tuple[float, float]]], stated: bool) -> None:
    """Raises ClipError where the numbers do not lie in such images.

    Args:
        sized: (frames, 75, C) and the width and height of their image.
    """
    size = sized[0][1]
    said = f"{size[0]:g} x {size[1]:g}"
    shares, hands, turned = [], [], []
    for clip, of in sized:
        xy = np.where((clip[..., :2] != 0).any(axis=-1, keepdims=True), clip[..., :2], np.nan)
        shares.append((xy / of).reshape(-1, 2))
        hands.append((xy[:, : BODY.start] / of).reshape(-1, 2))
        turned.append((xy[:, : BODY.start] / of[::-1]).reshape(-1, 2))
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
    beyond, other = ((np.concatenate(each) > 1).any(axis=1).sum() for each in (hands, turned))
    if beyond > BEYOND * len(hand) and other < TURNED * len(hand):
        raise ClipError(
            f"{100 * beyond / len(hand):.0f} % of the joints of the hands lie outside of an image of {said}, and none "
            f"of one of {size[1]:g} x {size[0]:g}: width and height are exchanged"
        )
    if not stated and np.percentile(share, 99) < 0.3 and largest <= 130:
        raise ClipError(
            f"coordinates up to {largest:.4g} in an image of {said}: per cent, or pixels "
            "of a smaller one? Say --unit percent or --unit pixels"
        )
