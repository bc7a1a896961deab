"""Uncertainty of scores: over test clips (Wilson, bootstrap) and over seeds (mean ± std, t).

The two answer different questions. An interval over test clips says how far the score may move
with other clips of the same kind; the spread over seeds says how far it moves when the same
encoder is trained again. A table that shows one of them alone hides the other.

The bootstraps draw no clip at all: a resampled mean depends only on *how many* clips of each
distinct value were drawn, and these counts are multinomial. That is the same distribution as
drawing clips with replacement, at a cost that does not grow with the number of clips.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

# Resampled counts held at once: 2e7 int64 are 160 MB.
MAX_COUNTS = 20_000_000


def wilson_interval(
    successes: np.ndarray | int, n: np.ndarray | int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson score interval of a proportion (Wilson 1927), without continuity correction.

    Args:
        successes, n: counts, any shapes that broadcast; 0 <= successes <= n.
        level: coverage, between 0 and 1.

    Returns:
        low, high in [0, 1], of the broadcast shape; NaN where n is 0.

    Raises:
        ValueError: counts out of range or a level outside (0, 1).
    """
    successes, n = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    if (n < 0).any() or (successes < 0).any() or (successes > n).any():
        raise ValueError(f"need 0 <= successes <= n, found {successes} of {n}")
    z = -NormalDist().inv_cdf(tail(level))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = successes / n
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At 0 and n successes the bound is 0 and 1 exactly; rounding would miss it by 1e-17.
    low = np.where(successes == 0, centre * 0, np.clip(centre - half, 0, 1))
    high = np.where(successes == n, centre * 0 + 1, np.clip(centre + half, 0, 1))
    return low, high


def bootstrap_interval(
    correct: np.ndarray, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap over test clips of the seed-averaged mean (accuracy).

    Args:
        correct: (seeds, n) or (n,), 0/1 or a score a clip; column i is the same clip in each row.
        level: coverage, between 0 and 1.
        resamples: bootstrap samples of n clips.
        seed: of the resampling.

    Returns:
        low, high; they stay within the range of `correct`.

    Raises:
        ValueError: no clip, NaN, another number of dimensions, or a level outside (0, 1).
    """
    per_clip = _per_clip(correct)
    values, counts = np.unique(per_clip, return_counts=True)
    n = counts.sum()
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, size=resamples)
    return percentiles(drawn @ values / n, level)


def balanced_accuracy(labels: ArrayLike, predicted: ArrayLike) -> float:
    """Mean over the classes in `labels` of the share of the class's clips that is right.

    Args:
        labels, predicted: (n,), any type with equality.

    Raises:
        ValueError: lengths differ or no clip.
    """
    class_of, right = _classes(labels, predicted)
    return float(np.mean(np.bincount(class_of, weights=right[0]) / np.bincount(class_of)))


def bootstrap_balanced_accuracy(
    labels: Sequence,
    predicted: np.ndarray,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap of the seed-averaged balanced accuracy, clips resampled within classes.

    Stratified, so that no class vanishes from a resample. A class with one clip then never varies:
    on such sets the interval is too narrow, and the number of clips a class must be shown.

    Args:
        labels: (n,).
        predicted: (seeds, n) or (n,).
        level, resamples, seed: as in :func:`bootstrap_interval`.

    Raises:
        ValueError: lengths differ, no clip, or a level outside (0, 1).
    """
    class_of, right = _classes(labels, predicted)
    values, value_of = np.unique(right.mean(axis=0), return_inverse=True)
    n_classes = int(class_of.max()) + 1
    counts = np.zeros((n_classes, len(values)), dtype=np.int64)
    np.add.at(counts, (class_of, value_of), 1)
    sizes = counts.sum(axis=1)
    generator = np.random.default_rng(seed)
    total = np.zeros(resamples)
    block = max(1, MAX_COUNTS // (resamples * len(values)))
    for first in range(0, n_classes, block):  # over blocks of classes, to bound the memory
        some = slice(first, first + block)
        shares = counts[some] / sizes[some, None]
        drawn = generator.multinomial(sizes[some], shares, size=(resamples, len(shares)))
        total += (drawn @ values / sizes[some]).sum(axis=1)
    return percentiles(total / n_classes, level)


def mean_std(values: ArrayLike) -> tuple[float, float]:
    """Mean and sample standard deviation (ddof 1); the latter is NaN for a single value.

    Raises:
        ValueError: no value.
    """
    array = np.asarray(values, dtype=float)
    if array.size == 0:
        raise ValueError("no value to average")
    return float(array.mean()), float(array.std(ddof=1)) if array.size > 1 else float("nan")


def t_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean over seeds; NaN, NaN for a single value.

    Raises:
        ValueError: no value, or a level outside (0, 1).
    """
    mean, std = mean_std(values)
    n = np.size(values)
    if n == 1:
        return float("nan"), float("nan")
    from scipy import special  # here: an evaluation job has no use for it

    half = -float(special.stdtrit(n - 1, tail(level))) * std / np.sqrt(n)
    return float(mean - half), float(mean + half)


def tail(level: float) -> float:
    """What an interval leaves out on either side.

    Raises:
        ValueError: a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, found {level}")
    return (1 - level) / 2


def percentiles(samples: np.ndarray, level: float) -> tuple[float, float]:
    """The ends of a percentile interval of resampled values (resamples,)."""
    low, high = np.quantile(samples, [tail(level), 1 - tail(level)])
    return float(low), float(high)


def _per_clip(correct: np.ndarray) -> np.ndarray:
    """(n,) average over seeds; the checks that both bootstraps share."""
    correct = np.asarray(correct, dtype=float)
    if correct.ndim not in (1, 2) or correct.size == 0:
        raise ValueError(f"expected (seeds, n) with n >= 1, found shape {correct.shape}")
    if np.isnan(correct).any():
        raise ValueError("correctness holds NaN; every clip needs a prediction")
    return np.atleast_2d(correct).mean(axis=0)


def _classes(labels: ArrayLike, predicted: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Class index (n,) of each clip and correctness (seeds, n) as float."""
    truth = np.asarray(labels, dtype=object)
    guesses = np.atleast_2d(np.asarray(predicted, dtype=object))
    if truth.ndim != 1 or len(truth) == 0 or guesses.shape[1:] != truth.shape:
        raise ValueError(f"labels {truth.shape} and predictions {guesses.shape} do not fit")
    _, class_of = np.unique(truth, return_inverse=True)
    return class_of, (guesses == truth).astype(float)
