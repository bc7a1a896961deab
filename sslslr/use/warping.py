"""Plain dynamic time warping of keypoints: what look-up gives without any encoder.

A clip becomes T frames of the joints of both hands, shoulders, elbows and wrists. The distance of two
frames is the mean distance of the joints that both clips have; clips are aligned by the cheapest path of
steps (1, 0), (0, 1) and (1, 1), and compared by the mean cost along T (Sakoe and Chiba 1978).
"""

import numpy as np
import torch

from sslslr.config.study import PreprocessConfig
from sslslr.data.preprocess import preprocess
from sslslr.data.store import ClipStore
from sslslr.pose.skeleton import BODY, LEFT_HAND, N_JOINTS, RIGHT_HAND

FRAMES = 24
JOINTS = np.r_[LEFT_HAND, RIGHT_HAND, BODY.start + 11 : BODY.start + 17]
PREPARED = PreprocessConfig(frames=FRAMES, fit="resample")
AT_ONCE = 256  # entries that are aligned together


def warpable(store: ClipStore, rows: np.ndarray) -> np.ndarray:
    """Clips as float32 (rows, T, joints, 2) in shoulder widths; NaN for a joint that a clip lacks.

    A clip that cannot be prepared is NaN throughout.
    """
    seen = np.zeros(N_JOINTS, dtype=bool)
    seen[JOINTS] = True
    prepared = preprocess(store, PREPARED, rows, joints=seen)
    joints = prepared.batch.keypoints.numpy()[:, :, JOINTS]
    joints[
        ~prepared.batch.present.numpy()[:, JOINTS].repeat(FRAMES, 0).reshape(joints.shape[:3])
    ] = np.nan
    clips = np.full((len(rows), *joints.shape[1:]), np.nan, dtype=np.float32)
    clips[np.searchsorted(rows, prepared.indices)] = joints
    return clips


def warped_similarity(queries: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """(queries, entries): the warped distance, negated; -inf where no joint is shared."""
    similarity = np.empty((len(queries), len(entries)), dtype=np.float32)
    for number, query in enumerate(queries):
        for first in range(0, len(entries), AT_ONCE):
            part = entries[first : first + AT_ONCE]
            similarity[number, first : first + len(part)] = -_warped(query, part)
    return similarity


def _warped(query: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Warped distance (entries,) of one clip (T, J, 2) to several; inf where nothing is shared."""
    costs = _frame_distances(query, entries)
    n, rows, columns = costs.shape
    total = np.full((n, rows + 1, columns + 1), np.inf, dtype=np.float32)
    total[:, 0, 0] = 0
    for diagonal in range(2, rows + columns + 1):  # its cells do not need each other
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        before = np.minimum(
            np.minimum(total[:, i - 1, j], total[:, i, j - 1]), total[:, i - 1, j - 1]
        )
        total[:, i, j] = costs[:, i - 1, j - 1] + before
    return total[:, -1, -1] / rows


def _frame_distances(query: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """(entries, T, T): mean distance of the joints that both clips have; inf where they share none."""
    shared = np.isfinite(query[0, :, 0]) & np.isfinite(entries[:, 0, :, 0])  # (entries, J)
    a = torch.from_numpy(np.nan_to_num(query)).transpose(0, 1)  # (J, T, 2)
    b = torch.from_numpy(np.nan_to_num(entries)).transpose(1, 2)  # (entries, J, T, 2)
    apart = torch.cdist(a, b)  # (entries, J, T, T)
    weights = torch.from_numpy(shared)[:, :, None, None].float()
    count = shared.sum(axis=1)
    mean = (apart * weights).sum(dim=1).numpy() / np.maximum(count, 1)[:, None, None]
    mean[count == 0] = np.inf
    return mean
