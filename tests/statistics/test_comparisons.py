"""Paired comparisons against plain loops, SciPy and worked examples."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sslslr.statistics import comparisons


def scores(seed: int = 0, seeds=(3, 2), n: int = 90, gain: float = 0.1):
    rng = np.random.default_rng(seed)
    easy = rng.random(n)
    a, b = (rng.random((s, n)) < 0.6 * easy + 0.2 for s in seeds)
    return a | (rng.random(a.shape) < gain), b


def test_interval_equals_drawing_clips_and_seeds_in_a_loop():
    a, b = scores()
    rng = np.random.default_rng(1)
    # A stretched mean over resampled seeds: average + sqrt(S / (S - 1)) (resampled - average), by
    # Student's quantile for 2 + 1 degrees of freedom over the normal one.
    wider = stats.t.ppf(0.975, 3) / stats.norm.ppf(0.975)
    loop = []
    for _ in range(6000):
        clips, means = rng.integers(0, 90, 90), []
        for x in (a, b):
            x = x[:, clips].astype(float)
            drawn = x[rng.integers(0, len(x), len(x))].mean()
            means.append(x.mean() + wider * np.sqrt(len(x) / (len(x) - 1)) * (drawn - x.mean()))
        loop.append(means[0] - means[1])
    difference, low, high = comparisons.paired_difference(a, b, resamples=20_000)
    assert difference == pytest.approx(a.mean() - b.mean())
    assert (low, high) == pytest.approx(np.quantile(loop, [0.025, 0.975]), abs=0.012 * wider)


def test_with_one_seed_the_interval_is_over_clips_alone():
    a, b = scores(seeds=(1, 1), n=300)
    rng = np.random.default_rng(0)
    per_clip = a[0].astype(float) - b[0]
    loop = per_clip[rng.integers(0, 300, (6000, 300))].mean(axis=1)
    found = comparisons.paired_difference(a[0], b[0], resamples=20_000)
    assert found[1:] == pytest.approx(np.quantile(loop, [0.025, 0.975]), abs=0.008)


def test_seeds_that_differ_widen_the_interval_as_much_as_they_should():
    # Two seeds a method, each wholly right or wrong on its share: the clips hardly matter.
    a, b = (np.repeat([[0.0], [0.2]], 50, axis=1) for _ in "ab")
    _, low, high = comparisons.paired_difference(a, b, resamples=4000)
    # The unbiased variance of a mean of two: 0.02 / 2; the extremes are +- 0.2 sqrt(2), and Student's t of
    # two degrees of freedom lies further out than the normal.
    half = 0.2 * np.sqrt(2) * stats.t.ppf(0.975, 2) / stats.norm.ppf(0.975)
    assert (low, high) == pytest.approx((-half, half))


def test_interval_is_deterministic_antisymmetric_in_value_and_blocks_do_not_matter(monkeypatch):
    a, b = scores()
    first = comparisons.paired_difference(a, b)
    assert first == comparisons.paired_difference(a, b)
    assert first[0] == -comparisons.paired_difference(b, a)[0]
    monkeypatch.setattr(comparisons, "MAX_COUNTS", 1000)
    assert comparisons.paired_difference(a, b) == pytest.approx(first, abs=0.02)


def test_p_value_equals_flipping_all_signs():
    a, b = scores(seeds=(2, 1), n=12)
    d = a.mean(axis=0) - b.mean(axis=0)
    signs = np.array(list(itertools.product([-1, 1], repeat=12)))
    exact = (np.abs(signs @ d) >= abs(d.sum()) - 1e-9).mean()
    assert comparisons.paired_p_value(a, b) == pytest.approx(exact, abs=0.02)
    assert comparisons.paired_p_value(a, b) == comparisons.paired_p_value(b, a)


def test_p_value_of_one_seed_is_the_exact_mcnemar_test():
    a, b = np.zeros(100), np.zeros(100)
    a[:18], b[18:25] = 1, 1
    exact = stats.binomtest(18, 25).pvalue
    assert comparisons.paired_p_value(a, b) == pytest.approx(exact, abs=0.006)


def test_p_value_never_is_zero_and_is_one_without_a_difference():
    assert comparisons.paired_p_value(np.ones(500), np.zeros(500)) == pytest.approx(1 / 10_001)
    assert comparisons.paired_p_value(np.ones(5), np.ones(5)) == 1


def test_p_values_are_uniform_under_the_null():
    ps = []
    for seed in range(300):
        a, b = np.random.default_rng(seed).random((2, 1, 80)) < 0.5
        ps.append(comparisons.paired_p_value(a, b, flips=500))
    assert stats.binomtest(int((np.array(ps) < 0.05).sum()), 300, 0.05, "greater").pvalue > 1e-3


def test_holm_by_hand():
    assert comparisons.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert comparisons.holm([]).size == 0
    with pytest.raises(ValueError, match=r"0\.\.1"):
        comparisons.holm([0.1, float("nan")])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_raw_value_and_bonferronis_and_keeps_the_order(p):
    p, found = np.array(p), comparisons.holm(p)
    assert (found >= p).all()
    assert (found <= np.minimum(1, len(p) * p) + 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(found[order]) >= 0).all()


@pytest.mark.parametrize(("n", "psi"), [(200, 0.3), (1000, 0.1)])
def test_the_detectable_difference_solves_the_formula_and_has_the_power(n, psi):
    delta = comparisons.smallest_detectable_difference(n, psi)
    z = stats.norm.isf([0.025, 0.2])
    needed = (z[0] * np.sqrt(psi) + z[1] * np.sqrt(psi - delta**2)) ** 2 / delta**2
    assert needed == pytest.approx(n)
    rng = np.random.default_rng(0)
    shares = [(psi + delta) / 2, (psi - delta) / 2, 1 - psi]
    gained, lost, _ = rng.multinomial(n, shares, size=20_000).T
    power = (np.abs(gained - lost) / np.sqrt(gained + lost) > z[0]).mean()
    assert power == pytest.approx(0.8, abs=0.03)


def test_the_limits_of_a_detectable_difference():
    assert np.isnan(comparisons.smallest_detectable_difference(5, 0.1))
    assert np.isnan(comparisons.smallest_detectable_difference(100, 0.0))


def test_a_small_test_set_says_what_it_could_have_shown():
    """Of 24 clips on which two methods differ on two, the seen share has no answer."""
    a, b = np.repeat([1.0, 0.0], [14, 10]), np.repeat([1.0, 0.0], [12, 12])
    assert np.isnan(comparisons.smallest_detectable_difference(24, 2 / 24))
    independent = 14 / 24 * 12 / 24 + 10 / 24 * 12 / 24
    expected = comparisons.smallest_detectable_difference(24, independent)
    assert comparisons.detectable(a, b) == pytest.approx(expected)
    assert 0.3 < expected < 0.5
    many = np.tile(a, 20), np.tile(b, 20)  # enough clips: by the share that was seen
    assert comparisons.detectable(*many) == comparisons.smallest_detectable_difference(480, 2 / 24)
    assert np.isnan(comparisons.detectable(a[:4], b[:4]))  # four clips can show nothing


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="same n"):
        comparisons.paired_difference(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="NaN"):
        comparisons.paired_p_value(np.full(3, np.nan), np.ones(3))
    with pytest.raises(ValueError, match="level"):
        comparisons.paired_difference(np.ones(3), np.ones(3), level=95)
