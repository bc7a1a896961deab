"""Dynamic time warping against the recursion as it is written in textbooks."""

import numpy as np
import pytest

from sslslr.use.warping import FRAMES, JOINTS, warpable, warped_similarity
from toys import toy_clips


def plainly(a: np.ndarray, b: np.ndarray) -> float:
    """Distance of two clips (T, J, 2) by three loops; inf where they share no joint."""
    shared = np.isfinite(a[0, :, 0]) & np.isfinite(b[0, :, 0])
    if not shared.any():
        return np.inf
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            cost = np.linalg.norm(a[i, shared] - b[j, shared], axis=1).mean()
            total[i + 1, j + 1] = cost + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return total[-1, -1] / len(a)


def test_it_is_the_textbook_recursion_with_joints_that_are_missing():
    draws = np.random.default_rng(0)
    queries, entries = draws.normal(size=(3, 8, 5, 2)), draws.normal(size=(6, 8, 5, 2))
    queries[0, :, 1] = entries[2, :, :3] = entries[5] = np.nan
    found = warped_similarity(queries.astype(np.float32), entries.astype(np.float32))
    expected = [[-plainly(query, entry) for entry in entries] for query in queries]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_slower_clip_stays_near_and_another_does_not():
    path = np.linspace(0, 1, 24)[:, None, None] ** np.array([1.0, 2.0])
    slow, other = path[(np.arange(24) // 2)], path[::-1]
    similarity = warped_similarity(
        path[None].astype(np.float32), np.stack([slow, other]).astype(np.float32)
    )
    straight = -np.linalg.norm(path - slow, axis=-1).mean()
    assert similarity[0, 0] > straight
    assert similarity[0, 0] > similarity[0, 1] + 0.1


@pytest.mark.parametrize("gone", ["left hand", "both hands"])
def test_joints_that_a_clip_lacks_are_missing_throughout(gone, make_store):
    clips = toy_clips(4)
    clips["clip_1"][0][:, : 21 if gone == "left hand" else 42] = np.nan
    store = make_store(clips, on_bad="keep" if gone == "left hand" else "drop")
    found = warpable(store, np.arange(len(store)))
    assert found.shape == (len(store), FRAMES, len(JOINTS), 2)
    assert np.isfinite(found[0]).all()
    if gone == "left hand":
        assert np.isnan(found[1, :, :21]).all()
        assert np.isfinite(found[1, :, 21:]).all()
