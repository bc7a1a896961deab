"""Dictionary look-up measured as ASL Citizen does (Desai et al. 2023, arXiv 2304.05934, section 4).

A gloss is as similar to a query as its most similar dictionary clip. With r the rank of the right
gloss, from 1:

    DCG = mean 1 / log2(r + 1)      MRR = mean 1 / r      recall@k = share of r <= k
"""

from collections.abc import Sequence

import numpy as np

from sslslr.statistics.intervals import bootstrap_interval

RECALLS = (1, 5, 6, 10, 20)
MEASURES = ("DCG", "MRR", *(f"recall@{k}" for k in RECALLS))
RESAMPLES = 2000
COPY = 1 - 1e-5  # clips as similar as this are the same recording


def unit(features: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Features (n, width) less `centre`, each of length 1."""
    features = features - centre
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def cosines(queries: np.ndarray, entries: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Cosine similarity (queries, entries) of features less `centre`, float32 in -1..1."""
    return unit(queries, centre) @ unit(entries, centre).T


def by_gloss(similarity: np.ndarray, gloss_of: np.ndarray, n_glosses: int) -> np.ndarray:
    """(queries, glosses): similarity of each gloss's most similar entry; -inf where it has none.

    Args:
        similarity: (queries, entries); -inf for an entry that is no candidate.
        gloss_of: int (entries,), below `n_glosses`.
    """
    best = np.full((len(similarity), n_glosses), -np.inf, dtype=np.float32)
    order = np.argsort(gloss_of, kind="stable")
    glosses, starts = np.unique(gloss_of[order], return_index=True)
    best[:, glosses] = np.maximum.reduceat(similarity[:, order], starts, axis=1)
    return best


def ranks(best: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Rank of each query's right gloss, from 1; the worse one where glosses are equally near.

    Args:
        best: (queries, glosses), of :func:`by_gloss`.
        right: int (queries,), a column of `best`.
    """
    own = best[np.arange(len(best)), right]
    return (best >= own[:, None]).sum(axis=1)


def measures(rank: np.ndarray) -> dict[str, np.ndarray]:
    """Each query's share in the measures; their means over the queries are the scores."""
    rank = np.asarray(rank, dtype=float)
    return {
        "DCG": 1 / np.log2(rank + 1),
        "MRR": 1 / rank,
        **{f"recall@{k}": rank <= k for k in RECALLS},
    }


def chance(n_glosses: int) -> dict[str, float]:
    """The measures of a ranking by lot."""
    return {name: float(v.mean()) for name, v in measures(np.arange(1, n_glosses + 1)).items()}


def summary(rank: np.ndarray, signers: Sequence | None = None, seed: int = 0) -> dict[str, float]:
    """Scores with 95 % intervals over clips, and over signers where there are two or more.

    Args:
        rank: (queries,), or (draws, queries) of several dictionaries, which are averaged.
        signers: of each query; None or NaN where it is not known.

    Returns:
        `MRR`, `MRR_low`, `MRR_high`, `MRR_signers_low`, `MRR_signers_high`, and so on.
    """
    rank = np.atleast_2d(np.asarray(rank, dtype=float))
    found: dict[str, float] = {"n": rank.shape[1]}
    names = np.array([None if s is None or s != s else str(s) for s in signers or []], dtype=object)
    known = sorted(set(names) - {None})
    for name, values in measures(rank).items():
        values = values.mean(axis=0)
        found[name] = float(values.mean())
        found[f"{name}_low"], found[f"{name}_high"] = bootstrap_interval(values, seed=seed)
        if len(known) > 1:
            low, high = _over_signers(values, names, known, seed)
            found[f"{name}_signers_low"], found[f"{name}_signers_high"] = low, high
    return found


def _over_signers(
    values: np.ndarray, names: np.ndarray, known: list[str], seed: int
) -> tuple[float, float]:
    """Percentile bootstrap in which signers are drawn, each with all of their clips."""
    sums = np.array([values[names == name].sum() for name in known])
    sizes = np.array([(names == name).sum() for name in known])
    drawn = np.random.default_rng(seed).multinomial(
        len(known), np.full(len(known), 1 / len(known)), size=RESAMPLES
    )
    low, high = np.quantile((drawn @ sums) / (drawn @ sizes), [0.025, 0.975])
    return float(low), float(high)
