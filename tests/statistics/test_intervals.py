"""Intervals against SciPy, the literature and plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sslslr.statistics import intervals as s


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (57, 258), (1, 1)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_is_scipys(k, n, level):
    theirs = stats.binomtest(k, n).proportion_ci(level, method="wilson")
    assert s.wilson_interval(k, n, level) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_takes_arrays_and_has_no_answer_without_clips():
    low, high = s.wilson_interval(np.array([0, 5]), np.array([0, 10]))
    assert np.isnan([low[0], high[0]]).all()
    assert low[1] < 0.5 < high[1]


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_stays_in_the_unit_interval_and_holds_the_share(counts):
    low, high = s.wilson_interval(*counts)
    assert 0 <= low <= counts[0] / counts[1] <= high <= 1


@pytest.mark.parametrize(("k", "n"), [(11, 10), (-1, 10)])
def test_wilson_refuses_impossible_counts(k, n):
    with pytest.raises(ValueError, match="successes"):
        s.wilson_interval(k, n)


def test_bootstrap_equals_drawing_clips_in_a_loop():
    generator = np.random.default_rng(3)
    correct = generator.random((3, 120)) < np.linspace(0.2, 0.9, 120)
    per_clip = correct.mean(axis=0)
    means = [per_clip[generator.integers(0, 120, 120)].mean() for _ in range(20_000)]
    ours = s.bootstrap_interval(correct, resamples=20_000)
    assert ours == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.006)


def test_bootstrap_is_deterministic_within_range_and_moves_with_its_seed():
    correct = np.random.default_rng(0).random((2, 333)) < 0.4
    first, again = (s.bootstrap_interval(correct, seed=1) for _ in range(2))
    assert first == again
    assert 0 <= first[0] < correct.mean() < first[1] <= 1
    assert s.bootstrap_interval(correct, seed=2) != first


def test_bootstrap_of_a_perfect_score_has_no_width():
    assert s.bootstrap_interval(np.ones(50)) == (1.0, 1.0)


@pytest.mark.parametrize("bad", [np.zeros((2, 0)), np.zeros((1, 2, 3)), np.array([1.0, np.nan])])
def test_bootstrap_refuses_what_it_cannot_score(bad):
    with pytest.raises(ValueError, match=r"shape|NaN"):
        s.bootstrap_interval(bad)


def test_level_is_checked():
    with pytest.raises(ValueError, match="level"):
        s.bootstrap_interval(np.ones(3), level=95)


def test_balanced_accuracy_by_hand():
    labels = ["a", "a", "a", "a", "b", "b", "c"]
    guess = ["a", "a", "a", "b", "b", "c", "a"]
    assert s.balanced_accuracy(labels, guess) == pytest.approx((0.75 + 0.5 + 0) / 3)


def test_balanced_bootstrap_equals_a_stratified_loop():
    generator = np.random.default_rng(5)
    labels = np.array(["a"] * 60 + ["b"] * 20 + ["c"] * 10)
    guesses = np.where(generator.random((2, 90)) < 0.6, labels, "x")
    right = (guesses == labels).mean(axis=0)

    def once():
        groups = [right[labels == name] for name in "abc"]
        return np.mean([g[generator.integers(0, len(g), len(g))].mean() for g in groups])

    loop = np.quantile([once() for _ in range(5000)], [0.025, 0.975])
    ours = s.bootstrap_balanced_accuracy(labels, guesses, resamples=20_000)
    assert ours == pytest.approx(loop, abs=0.012)


def test_balanced_bootstrap_in_blocks_covers_every_class(monkeypatch):
    labels = np.repeat(np.arange(7), 5)
    guesses = np.where(np.arange(35) % 5 < 3, labels, -1)
    whole = s.bootstrap_balanced_accuracy(labels, guesses, resamples=4000)
    monkeypatch.setattr(s, "MAX_COUNTS", 4000 * 2 * 2)
    in_blocks = s.bootstrap_balanced_accuracy(labels, guesses, resamples=4000)
    assert in_blocks == pytest.approx(whole, abs=0.03)  # one clip is 1/35


def test_mean_std_by_hand():
    assert s.mean_std([0.5, 0.6, 0.7]) == pytest.approx((0.6, 0.1))
    mean, std = s.mean_std([0.4])
    assert mean == 0.4
    assert np.isnan(std)
    with pytest.raises(ValueError, match="no value"):
        s.mean_std([])


def test_t_interval_is_scipys():
    values = [0.51, 0.55, 0.49, 0.53]
    theirs = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert s.t_interval(values) == pytest.approx(theirs)
    assert np.isnan(s.t_interval([0.5])).all()
