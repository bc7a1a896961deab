"""The signer among the persons of a clip: the largest and most complete, then the nearest."""

import numpy as np

PATIENCE = 15  # frames without a near person, after which the best one is taken again
FAR = 0.75  # of a person's height or width: who moved farther between two frames is another


def signer(points: np.ndarray, score: np.ndarray | None) -> tuple[np.ndarray, int]:
    """Which person is followed in every frame.

    The clip's largest and most complete person is looked for in all frames, and followed from there to
    both ends: the nearest of the next frame, if near enough to be the same.

    Args:
        points: (frames, persons, points, C).
        score: (frames, persons, points), or None.

    Returns:
        int64 (frames,), -1 where the signer is not there; and how many persons a frame has at most.
    """
    xy = points[..., :2]
    present = np.isfinite(xy).all(axis=-1) & (xy != 0).any(axis=-1)
    if score is not None:
        present &= ~(score <= 0)  # NaN says nothing
    share = present.mean(axis=-1)
    known = np.where(present[..., None], xy, np.nan)
    with np.errstate(all="ignore"):
        low = np.where(present[..., None], xy, np.inf).min(axis=2)
        high = np.where(present[..., None], xy, -np.inf).max(axis=2)
        centre = np.nansum(known, axis=2) / np.maximum(present.sum(axis=-1), 1)[..., None]
        sides = np.where(share[..., None] > 0, high - low, 0)
    worth = share * np.sqrt(np.prod(np.maximum(sides, 0), axis=-1)) + 1e-9 * share
    most = int((share > 0).sum(axis=1).max(initial=0))
    chosen = np.full(len(points), -1)
    if not (worth > 0).any():
        return chosen, most
    start, person = np.unravel_index(int(np.argmax(worth)), worth.shape)
    chosen[start] = person
    for frames in (range(start + 1, len(points)), range(start - 1, -1, -1)):
        last, middle = known[start, person], centre[start, person]
        reach, missed = sides[start, person].max(), 0
        for frame in frames:
            there = np.flatnonzero(share[frame] > 0)
            if not len(there):
                continue
            away = _away(known[frame, there] - last, centre[frame, there] - middle)
            nearest = there[int(np.argmin(away))]
            if away.min() > FAR * reach:
                missed += 1
                if missed <= PATIENCE:
                    continue
                nearest = int(np.argmax(worth[frame]))
            chosen[frame], missed = nearest, 0
            last = np.where(np.isnan(known[frame, nearest]), last, known[frame, nearest])
            middle, reach = centre[frame, nearest], max(sides[frame, nearest].max(), 0.5 * reach)
    return chosen, most


def _away(joints: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """How far each person is from where the signer was.

    The median over the joints that both show: the middle of a person leaps when a hand is not found.

    Args:
        joints: (persons, points, 2), differences, NaN where either is not there.
        middles: (persons, 2), differences of the middles, used where no joint can be compared.
    """
    apart = np.sqrt((joints * joints).sum(axis=-1))
    compared = ~np.isnan(apart).all(axis=1)
    away = np.sqrt((middles * middles).sum(axis=-1))
    away[compared] = np.nanmedian(apart[compared], axis=1)
    return away


def one_person(
    points: np.ndarray, score: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None, int]:
    """The signer's points (frames, points, C), scores (frames, points), and persons at most a frame."""
    if points.ndim == 3:
        return points, score, 1
    if points.shape[1] == 1:
        return points[:, 0], None if score is None else score[:, 0], 1
    chosen, most = signer(points, score)
    frames = np.arange(len(points))
    out = points[frames, chosen].astype(np.float32)
    out[chosen < 0] = np.nan
    return out, None if score is None else score[frames, chosen], most
