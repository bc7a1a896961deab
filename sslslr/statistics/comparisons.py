"""Two methods on the same test clips: difference, interval, p value, and what n could have shown.

`correct` is (encoder seeds, n): column i is the same clip in both methods, an entry is 0 or 1, or
the average over probe seeds. A difference of methods has two sources of chance: which clips are in
the test set, and which encoder training happened to give. The interval holds both; the permutation
test holds the clips alone, so a small p says "these encoders differ", not "these methods differ".
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from sslslr.statistics.intervals import MAX_COUNTS, percentiles, tail


def paired_difference(
    correct_a: np.ndarray,
    correct_b: np.ndarray,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Difference of seed-averaged accuracy, a - b, with a hierarchical percentile bootstrap.

    Each resample draws n clips, the same for both methods, and each method's encoder seeds, all
    with replacement (Owen, Ann. Appl. Stat. 1, 2007: for clips crossed with seeds this errs on the
    wide side). A mean over S resampled seeds varies by (S - 1) / S of what it should, by half for
    two seeds; deviations from the seed average are therefore stretched by sqrt(S / (S - 1))
    (Davison and Hinkley 1997, section 3.8), and by Student's quantile over the normal one for the
    seeds of both sides less one each: the spread of three seeds is itself known roughly. With one seed
    the interval is over clips alone.

    Args:
        correct_a, correct_b: (seeds_a, n), (seeds_b, n), or (n,); in 0..1.
        level: coverage, between 0 and 1.

    Returns:
        difference, low, high.

    Raises:
        ValueError: shapes that do not fit, no clip, NaN, or a level outside (0, 1).
    """
    a, b = _paired(correct_a, correct_b)
    quantile = 1 - tail(level)
    difference = float(a.mean() - b.mean())
    generator = np.random.default_rng(seed)
    wider = _student_over_normal(len(a) + len(b) - 2, quantile)
    seeds_a, seeds_b = (_seed_weights(len(x), resamples, generator, wider) for x in (a, b))
    seeds = np.concatenate([seeds_a, -seeds_b], axis=1)
    # Clips that all encoders score alike are exchangeable: count them instead of drawing each.
    patterns, counts = np.unique(np.concatenate([a, b]), axis=1, return_counts=True)
    samples = np.empty(resamples)
    block = max(1, MAX_COUNTS // len(counts))
    for first in range(0, resamples, block):  # over resamples, to bound the memory
        some = slice(first, first + block)
        size = len(samples[some])
        clips = generator.multinomial(a.shape[1], counts / a.shape[1], size=size)
        means = clips @ patterns.T / a.shape[1]
        samples[some] = (means * seeds[some]).sum(axis=1)
    return difference, *percentiles(samples, level)


def paired_p_value(
    correct_a: np.ndarray, correct_b: np.ndarray, flips: int = 10_000, seed: int = 0
) -> float:
    """Two-sided p of a sign-flip permutation test on the per-clip difference of a and b.

    If the methods are alike, each clip's difference of seed-averaged correctness is as likely of
    the other sign (Fisher 1935). Differences of one size are flipped together: of c of them,
    Binomial(c, 1/2) keep their sign. p = (1 + more extreme) / (1 + flips), which is never 0 (Phipson
    and Smyth 2010).

    Raises:
        ValueError: as :func:`paired_difference`.
    """
    a, b = _paired(correct_a, correct_b)
    # Averages over seeds carry rounding noise, which would make equal sizes look different.
    differences = np.round(a.mean(axis=0) - b.mean(axis=0), 9)
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    if len(sizes) == 0:
        return 1.0
    generator = np.random.default_rng(seed)
    totals = np.zeros(flips)
    block = max(1, MAX_COUNTS // flips)
    for first in range(0, len(sizes), block):
        some = slice(first, first + block)
        kept = generator.binomial(counts[some], 0.5, size=(flips, len(counts[some])))
        totals += (2 * kept - counts[some]) @ sizes[some]
    extreme = np.abs(totals) >= abs(differences.sum()) - 1e-9
    return float((1 + extreme.sum()) / (1 + flips))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Step-down adjusted p values (Holm, Scand. J. Stat. 6, 1979), in the order given.

    The i-th smallest of m becomes max over j <= i of min(1, (m - j + 1) p_(j)).

    Raises:
        ValueError: a value outside 0..1 or NaN.
    """
    p = np.asarray(p_values, dtype=float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p values lie in 0..1, found {p}")
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    adjusted = np.empty(len(p))
    adjusted[order] = stepped
    return adjusted


def smallest_detectable_difference(
    n: int, psi: float, power: float = 0.8, level: float = 0.05
) -> float:
    """Difference of accuracy that a two-sided paired (McNemar) test of n clips finds with `power`.

    Normal approximation (Miettinen, Biometrics 24, 1968; Connor, Biometrics 43, 1987), with the
    share psi of clips that one method alone gets right:

        n delta^2 = (z_level/2 sqrt(psi) + z_power sqrt(psi - delta^2))^2,

    solved for delta. For averages over seeds psi is the mean square of the per-clip difference.
    Seeds are not in the formula: it is what the *clips* could show.

    Returns:
        delta in 0..1; NaN where no difference is possible that n clips could show (delta > psi).

    Raises:
        ValueError: a number out of range.
    """
    if n < 1 or not 0 <= psi <= 1 or not 0.5 <= power < 1 or not 0 < level < 1:
        raise ValueError(
            "need n >= 1, shares in 0..1, 0.5 <= power < 1 and 0 < level < 1, found "
            f"n {n}, psi {psi}, power {power}, level {level}"
        )
    z_level, z_power = -NormalDist().inv_cdf(level / 2), NormalDist().inv_cdf(power)
    inside = n - z_level**2 + z_power**2
    if inside < 0:
        return float("nan")
    root = np.sqrt(psi)
    delta = root * (z_level * np.sqrt(n) + z_power * np.sqrt(inside)) / (n + z_power**2)
    return float(delta) if 0 < delta <= psi else float("nan")


def detectable(correct_a: np.ndarray, correct_b: np.ndarray, level: float = 0.05) -> float:
    """What the clips that a and b were scored on could have shown, in 0..1.

    :func:`smallest_detectable_difference` for the share of clips that they were seen to differ on. Of
    a small test set that share is too small for any answer; then as if their errors were
    independent, which errs on the large side.

    Args:
        correct_a, correct_b: as :func:`paired_difference`.
        level: of the test.

    Returns:
        NaN where so few clips could show no difference at all.
    """
    a, b = (x.mean(axis=0) for x in _paired(correct_a, correct_b))
    right_a, right_b = a.mean(), b.mean()
    independent = right_a * (1 - right_b) + right_b * (1 - right_a)
    if 2.0 ** (1 - len(a)) > level:
        return float("nan")  # all signs alike, the rarest of flips, is more probable than that
    for share in (((a - b) ** 2).mean(), independent):
        found = smallest_detectable_difference(len(a), float(share), level=level)
        if not np.isnan(found):
            return found
    return float("nan")


def _student_over_normal(freedom: int, quantile: float) -> float:
    """How much further a quantile of Student's t lies out than the normal one; 1 without freedom."""
    if freedom == 0:
        return 1.0
    from scipy import special  # here: an evaluation job has no use for it

    return float(special.stdtrit(freedom, quantile)) / NormalDist().inv_cdf(quantile)


def _seed_weights(
    seeds: int, resamples: int, generator: np.random.Generator, wider: float = 1.0
) -> np.ndarray:
    """(resamples, seeds): weights of the seeds in a resampled, stretched average; rows sum to 1."""
    if seeds == 1:
        return np.ones((resamples, 1))
    shares = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
    return 1 / seeds + wider * np.sqrt(seeds / (seeds - 1)) * (shares - 1 / seeds)


def _paired(correct_a: np.ndarray, correct_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = (np.atleast_2d(np.asarray(x, dtype=float)) for x in (correct_a, correct_b))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or a.size == 0 or b.size == 0:
        raise ValueError(f"expected (seeds, n) of the same n >= 1, found {a.shape} and {b.shape}")
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("correctness holds NaN; every clip needs a prediction")
    return a, b
