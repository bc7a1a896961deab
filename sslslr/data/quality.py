"""How good the keypoints of a clip store are: what was found, how much it trembles, left and right.

Everything is measured on the store alone, so keypoints from elsewhere can be judged as well.
"""

from typing import Any

import numpy as np
import pandas as pd

from sslslr.data.conversion.anatomy import WATCHED, watched
from sslslr.data.store import ClipStore
from sslslr.pose.skeleton import BODY, LEFT_HAND, LEFT_SHOULDER, RIGHT_HAND, RIGHT_SHOULDER

WORST = 8  # clips named


def in_one_unit(frames: np.ndarray, aspect: float | None) -> np.ndarray:
    """(frames, 75, 2) float64 in picture heights: x and y comparable. Unknown aspect counts as 1."""
    scale = aspect if aspect is not None and np.isfinite(aspect) else 1.0
    return np.asarray(frames, dtype=np.float64) * np.array([scale, 1.0])


def exchanged_frames(frames: np.ndarray, aspect: float | None) -> tuple[int, int]:
    """Frames in which the hands look exchanged, and frames in which that can be told.

    A frame tells if a hand and both of the body's wrists were found and those wrists lie apart.
    The hands look exchanged where they are nearer to the body's other wrists: with two hands the
    sum of both distances counts.
    """
    counts = watched(in_one_unit(frames, aspect)[:, WATCHED])
    return counts["exchanged"], counts["compared"]


def jitter(frames: np.ndarray, aspect: float | None) -> float:
    """How much the joints of hands and arms tremble: NaN where it cannot be told.

    The median over joints and frames of the distance between a joint and the middle of where it is
    one frame before and after, in shoulder widths. Smooth movement hardly adds to it.
    """
    points = in_one_unit(frames, aspect)
    moving = np.r_[LEFT_HAND, RIGHT_HAND, BODY.start + 11 : BODY.start + 17]
    width = np.linalg.norm(points[:, LEFT_SHOULDER] - points[:, RIGHT_SHOULDER], axis=1)
    width = np.nanmedian(width) if np.isfinite(width).any() else np.nan
    middle = (points[:-2, moving] + points[2:, moving]) / 2
    away = np.linalg.norm(points[1:-1, moving] - middle, axis=2)
    return float(np.nanmedian(away) / width) if np.isfinite(away).any() and width > 0 else np.nan


def clip_quality(frames: np.ndarray, aspect: float | None = None) -> dict[str, Any]:
    """The measures of one clip, (frames, 75, 2); rates are shares of its frames."""
    found = np.isfinite(frames[..., 0])
    left, right = found[:, LEFT_HAND].any(axis=1), found[:, RIGHT_HAND].any(axis=1)
    shoulders = found[:, LEFT_SHOULDER] & found[:, RIGHT_SHOULDER]
    exchanged, compared = exchanged_frames(frames, aspect)
    return {
        "body": float(shoulders.mean()),
        "left_hand": float(left.mean()),
        "right_hand": float(right.mean()),
        "any_hand": float((left | right).mean()),
        "jitter": jitter(frames, aspect),
        "hands_exchanged": exchanged / compared if compared else np.nan,
        "compared_frames": compared,
    }


def measure(store: ClipStore) -> pd.DataFrame:
    """One row a clip, in the store's order: the measures of :func:`clip_quality` and `worth`.

    `worth` orders clips from bad to good: the share of frames with a hand, less half the share in
    which the hands look exchanged.
    """
    rows = []
    for index, clip in enumerate(store.clips.to_dict("records")):
        frames = np.asarray(store.frames(index))
        measured = clip_quality(frames, clip["aspect"])
        about = {key: clip[key] for key in ("clip_id", "gloss", "split", "n_frames", "fps")}
        rows.append({**about, **measured})
    table = pd.DataFrame(rows)
    table["worth"] = table["any_hand"] - 0.5 * table["hands_exchanged"].fillna(0)
    return table


def summary(table: pd.DataFrame) -> dict[str, float]:
    """Over a data set: rates weighted by frames, medians of the clips' jitter and length."""
    frames = table["n_frames"].to_numpy()
    rates = {
        name: float(np.average(table[name], weights=frames))
        for name in ("body", "left_hand", "right_hand", "any_hand")
    }
    compared = table["compared_frames"].to_numpy()
    exchanged = float((table["hands_exchanged"].fillna(0) * compared).sum())
    return {
        "clips": len(table),
        "frames": int(frames.sum()),
        **rates,
        "clips_without_a_hand": int((table["any_hand"] == 0).sum()),
        "jitter": float(table["jitter"].median()),
        "hands_exchanged": exchanged / compared.sum() if compared.sum() else np.nan,
        "median_frames": float(table["n_frames"].median()),
        "shortest": int(frames.min()),
        "longest": int(frames.max()),
    }


def worst(table: pd.DataFrame, most: int = WORST) -> pd.DataFrame:
    """The clips with the fewest hands or the most exchanged, the worst first."""
    return table.sort_values(["worth", "clip_id"], kind="stable").head(most)
