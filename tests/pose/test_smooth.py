import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sslslr.config.settings import parse
from sslslr.pose.smoothing import Smoothing, one_euro, runs, savitzky_golay, smooth
from sslslr.utils.errors import UserError


def reference_one_euro(values, fps, min_cutoff, beta):
    """Casiez et al. 2012, algorithm 1, one coordinate, written plainly."""

    def alpha(cutoff):
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau * fps)

    out, speed, last = [], 0.0, None
    for value in values:
        if last is None:
            last = value
        else:
            derivative = (value - last) * fps
            speed = alpha(1.0) * derivative + (1 - alpha(1.0)) * speed
            a = alpha(min_cutoff + beta * abs(speed))
            last = a * value + (1 - a) * last
        out.append(last)
    return np.array(out)


def test_one_euro_is_the_papers():
    rng = np.random.default_rng(0)
    clip = np.cumsum(rng.normal(size=(40, 3, 2)), axis=0) / 50
    out = one_euro(clip, 25, 1.2, 3.0)
    for joint in range(3):
        for axis in range(2):
            expected = reference_one_euro(clip[:, joint, axis], 25, 1.2, 3.0)
            np.testing.assert_allclose(out[:, joint, axis], expected, atol=1e-9)


def test_after_a_gap_one_euro_begins_anew():
    clip = np.random.default_rng(0).random((20, 2, 2))
    clip[8:11, 0] = np.nan
    out = one_euro(clip, 30)
    np.testing.assert_allclose(out[11:, 0], one_euro(clip[11:], 30)[:, 0])
    np.testing.assert_array_equal(out[11, 0], clip[11, 0])


@pytest.mark.parametrize("kind", ["one_euro", "savitzky_golay"])
def test_noise_shrinks_and_a_line_stays(kind):
    rng = np.random.default_rng(0)
    line = np.linspace(0.2, 0.8, 60)[:, None, None] * np.ones((1, 4, 2))
    noisy = line + rng.normal(scale=0.01, size=line.shape)
    out = smooth(noisy, 30, Smoothing(filter=kind))
    rough = np.abs(np.diff(noisy, n=2, axis=0)).mean()
    assert np.abs(np.diff(out, n=2, axis=0)).mean() < 0.6 * rough
    assert np.abs(out - line).mean() < 0.05
    if kind == "savitzky_golay":
        np.testing.assert_allclose(smooth(line, 30, Smoothing(filter=kind)), line, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.bool_, (12, 75)),
    st.sampled_from(["none", "one_euro", "savitzky_golay"]),
    st.sampled_from([3, 5, 7]),
)
def test_what_is_missing_stays_missing_and_nothing_else(missing, kind, window):
    clip = np.random.default_rng(1).random((12, 75, 2)).astype(np.float32)
    clip[missing] = np.nan
    out = smooth(clip, None, Smoothing(filter=kind, window=window, order=2))
    assert out.dtype == clip.dtype
    np.testing.assert_array_equal(np.isnan(out), np.isnan(clip))


def test_savitzky_golay_does_not_look_across_a_gap():
    clip = np.random.default_rng(0).random((20, 1, 2))
    clip[10] = np.nan
    other = clip.copy()
    other[11:] += 100
    np.testing.assert_array_equal(savitzky_golay(clip)[:10], savitzky_golay(other)[:10])


def test_runs_are_found():
    assert runs(np.array([1, 1, 0, 0, 1, 0, 1], bool)) == [(0, 2), (4, 5), (6, 7)]
    assert runs(np.zeros(3, bool)) == []


def test_a_wrong_window_is_an_error():
    with pytest.raises(UserError, match="window must be odd"):
        parse(Smoothing, {"filter": "savitzky_golay", "window": 4}, "smoothing")
