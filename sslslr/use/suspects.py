"""Which labels, and which clips, a person should look at again: judged by features alone.

    found = neighbours(features, glosses, signers)
    alike(found), far_signers(found), taken_for(found)

A clip is judged by clips of other signers where there are any: those of its own share the person, the
camera and often the mistake.
"""

from dataclasses import dataclass

import numpy as np

from sslslr.use.ranking import COPY, by_gloss, unit

CHUNK = 512  # clips compared with all at once
NEAR = 0.999  # as similar: nearly the same recording
FEW, MANY = 3, 15  # neighbours that vote
TEMPERATURE = 0.1
# Share of a sign's clips that are others': from it on they judge. Fewer may all be wrong labels.
STRANGERS = 0.15
# What similarity to a sign's mean adds to a vote of `MANY`; more, where a sign has too few clips for one.
MEANS = 0.25
# Of signs with few clips each, where all together tell how clips of one sign differ: how much of that is taken
# from its mean over all directions, and in how many directions signs are compared.
SHRINKAGE, DIRECTIONS = 0.2, 60
GROUP, SHARE = 5, 0.8  # clips of a signer's sign, and the share of them that is taken for another
PAIR, ERROR = 4, 0.35  # clips of each of two signs, and the share that is nearer to the other


@dataclass(frozen=True)
class Neighbours:
    """What the clips' neighbours say.

    Attributes:
        glosses: sorted names.
        gloss_of: int (clips,).
        signers: (clips,) names, "" where not known.
        votes: (clips, glosses), shares of the neighbours' vote.
        best: (clips, glosses), similarity of each gloss's most similar clip.
        nearest: int (clips, glosses), that clip; -1 where there is none.
        means: (clips, glosses), similarity to the mean of each gloss's clips, the clip itself left out;
            0 where the signers are told apart.
        neighbours: how many voted.
        fit: (clips, glosses), log-likelihood of each clip as one of the gloss (:func:`sign_likelihoods`) where
            signs have few clips and the signers are not told apart; None else.
        copies: pairs (row, row, similarity), the first smaller.
    """

    glosses: list[str]
    gloss_of: np.ndarray
    signers: np.ndarray
    votes: np.ndarray
    best: np.ndarray
    nearest: np.ndarray
    means: np.ndarray
    neighbours: int
    copies: list[tuple[int, int, float]]
    fit: np.ndarray | None = None

    @property
    def evidence(self) -> np.ndarray:
        """(clips, glosses): :attr:`fit`; else votes, the nearest clip where they tie, and similarity to the means."""
        if self.fit is not None:
            return self.fit.copy()
        weight = MEANS * (MANY / self.neighbours) ** 3
        return self.votes + 0.1 * np.nan_to_num(self.best, neginf=-1) + weight * self.means

    @property
    def other(self) -> np.ndarray:
        """int (clips,): the gloss with the most evidence but the clip's own."""
        evidence = self.evidence
        evidence[np.arange(len(evidence)), self.gloss_of] = -np.inf
        return evidence.argmax(axis=1)

    @property
    def margin(self) -> np.ndarray:
        """(clips,): evidence for :attr:`other` less that for the clip's own gloss."""
        rows, evidence = np.arange(len(self.votes)), self.evidence
        return evidence[rows, self.other] - evidence[rows, self.gloss_of]


def neighbours(features: np.ndarray, glosses: np.ndarray, signers: np.ndarray) -> Neighbours:
    """Compare every clip with all others.

    Args:
        features: (clips, width).
        glosses, signers: (clips,) names; a signer that is not known is "".
    """
    found, gloss_of = np.unique(glosses, return_inverse=True)
    names = found.tolist()  # Python's own strings: they are quoted in sentences
    units = unit(features, features.mean(axis=0)).astype(np.float32)
    counts = np.bincount(gloss_of)
    k = int(np.clip(np.median(counts) - 1, FEW, MANY))
    votes = np.zeros((len(units), len(names)), dtype=np.float32)
    best = np.full_like(votes, -np.inf)
    nearest = np.full(votes.shape, -1, dtype=np.int32)
    copies: list[tuple[int, int, float]] = []
    order = np.argsort(gloss_of, kind="stable")
    ends = np.cumsum(counts)
    for first in range(0, len(units), CHUNK):
        rows = np.arange(first, min(first + CHUNK, len(units)))
        similarity = units[rows] @ units.T
        similarity[np.arange(len(rows)), rows] = -np.inf
        for row, other in zip(*np.nonzero(similarity >= NEAR), strict=True):
            if rows[row] < other:
                copies.append((int(rows[row]), int(other), float(similarity[row, other])))
        similarity[similarity >= COPY] = -np.inf
        same = (signers[rows][:, None] == signers[None]) & (signers[rows] != "")[:, None]
        others = np.where(same, -np.inf, similarity)
        # A sign that one signer alone has, but for a few clips, is judged by that signer's clips.
        own = gloss_of[None] == gloss_of[rows][:, None]
        strangers = np.isfinite(np.where(own, others, -np.inf)).sum(axis=1)
        judged = strangers > STRANGERS * counts[gloss_of[rows]]
        similarity = np.where(judged[:, None], others, similarity)
        near = np.argpartition(-similarity, min(k, len(units) - 1), axis=1)[:, :k]
        values = np.take_along_axis(similarity, near, axis=1)
        weights = np.exp((values - values.max(axis=1, keepdims=True)) / TEMPERATURE)
        weights = np.nan_to_num(weights / weights.sum(axis=1, keepdims=True))
        np.add.at(votes, (rows[:, None], gloss_of[near]), weights)
        best[rows] = by_gloss(similarity, gloss_of, len(names))
        for gloss, (start, end) in enumerate(zip(ends - counts, ends, strict=True)):
            nearest[rows, gloss] = order[start:end][similarity[:, order[start:end]].argmax(axis=1)]
    nearest[~np.isfinite(best)] = -1
    if np.any(signers != ""):
        return Neighbours(
            names, gloss_of, signers, votes, best, nearest, np.zeros_like(votes), k, copies
        )
    means = _to_means(units, gloss_of, len(names))
    # Fewer clips than twice the features do not say how clips of a sign differ.
    told = k < MANY and len(units) - len(names) >= 2 * units.shape[1]
    fit = sign_likelihoods(features, gloss_of) if told else None
    return Neighbours(names, gloss_of, signers, votes, best, nearest, means, k, copies, fit)


def sign_likelihoods(features: np.ndarray, gloss_of: np.ndarray) -> np.ndarray:
    """Log-likelihood (clips, glosses) of each clip as one more of each gloss's clips, itself left out.

    Probabilistic linear discriminant analysis (Ioffe 2006): a sign's mean and its clips about the mean are normal,
    the latter alike for all signs. In coordinates in which clips of a sign vary by 1 and signs by b, a sign of n clips
    with sum s has a mean of s / (n + 1 / b), known to 1 / (n + 1 / b).
    """
    x = np.asarray(features, dtype=np.float64)
    x = x - x.mean(axis=0)
    counts = np.bincount(gloss_of).astype(np.float64)
    middles = _sums(x, gloss_of, len(counts)) / counts[:, None]
    within = x - middles[gloss_of]
    within = within.T @ within / (len(x) - len(counts))
    size = np.trace(within) / len(within)
    values, axes = np.linalg.eigh((1 - SHRINKAGE) * within + SHRINKAGE * size * np.eye(len(within)))
    whiten = axes / np.sqrt(values)
    between = (middles * counts[:, None]).T @ middles / len(x)
    between = whiten.T @ between @ whiten - len(counts) / len(x) * np.eye(len(within))
    spread, axes = np.linalg.eigh(between)
    spread, axes = np.maximum(spread[-DIRECTIONS:], 1e-6), axes[:, -DIRECTIONS:]
    x = x @ whiten @ axes
    sums = _sums(x, gloss_of, len(counts))

    def likelihood(sums: np.ndarray, counts: np.ndarray, x: np.ndarray) -> np.ndarray:
        known = counts[..., None] + 1 / spread
        variance = 1 + 1 / known
        return -0.5 * ((x - sums / known) ** 2 / variance + np.log(variance)).sum(axis=-1)

    found = np.stack(
        [likelihood(s, np.asarray(n), x) for s, n in zip(sums, counts, strict=True)], axis=1
    )
    found[np.arange(len(x)), gloss_of] = likelihood(sums[gloss_of] - x, counts[gloss_of] - 1, x)
    return found.astype(np.float32)


def _sums(features: np.ndarray, gloss_of: np.ndarray, n: int) -> np.ndarray:
    sums = np.zeros((n, features.shape[1]), dtype=features.dtype)
    np.add.at(sums, gloss_of, features)
    return sums


def _to_means(unit: np.ndarray, gloss_of: np.ndarray, n: int) -> np.ndarray:
    """Cosine (clips, n) of each clip and the mean of each gloss's clips but itself; -1 where none is left."""
    sums = _sums(unit, gloss_of, n)
    similarity = unit @ (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)).T
    own = sums[gloss_of] - unit
    length = np.linalg.norm(own, axis=1)
    alone = np.bincount(gloss_of, minlength=n)[gloss_of] == 1
    own_similarity = (unit * own).sum(axis=1) / np.maximum(length, 1e-9)
    similarity[np.arange(len(unit)), gloss_of] = np.where(alone, -1, own_similarity)
    return similarity


def taken_for(found: Neighbours) -> list[tuple[str, int, int, int, int]]:
    """A signer's sign of which most clips are taken for one other sign.

    Returns:
        (signer, gloss, taken for, clips taken, clips) of each, the surest first: those whose two
        signs are taken for each other come before the others.
    """
    first = found.votes.argmax(axis=1)
    groups = []
    for signer in sorted(set(found.signers) - {""}):
        for gloss in range(len(found.glosses)):
            rows = np.flatnonzero((found.signers == signer) & (found.gloss_of == gloss))
            if len(rows) < GROUP:
                continue
            counts = np.bincount(first[rows], minlength=len(found.glosses))
            counts[gloss] = 0
            other = int(counts.argmax())
            if counts[other] >= SHARE * len(rows):
                groups.append((signer, gloss, other, int(counts[other]), len(rows)))
    pairs = {(signer, gloss, other) for signer, gloss, other, _, _ in groups}
    mutual = {(s, g, o) for s, g, o in pairs if (s, o, g) in pairs}
    return sorted(groups, key=lambda g: (g[:3] not in mutual, -g[3] / g[4], -g[4], g[0], g[1]))


def alike(found: Neighbours) -> list[tuple[int, int, float]]:
    """Pairs of glosses that cannot be told apart: (gloss, gloss, share of clips nearer to the other)."""
    n = len(found.glosses)
    counts = np.bincount(found.gloss_of, minlength=n)
    own = found.best[np.arange(len(found.best)), found.gloss_of]
    nearer = ((found.best >= own[:, None]) & np.isfinite(found.best)).astype(np.float32)
    share = np.zeros((n, n), dtype=np.float32)
    np.add.at(share, found.gloss_of, nearer)
    share /= np.maximum(counts, 1)[:, None]
    error = (share + share.T) / 2
    usable = (counts >= PAIR)[:, None] & (counts >= PAIR)[None]
    a, b = np.nonzero(np.triu(usable & (error >= ERROR), 1))
    pairs = [(int(i), int(j), float(error[i, j])) for i, j in zip(a, b, strict=True)]
    return sorted(pairs, key=lambda pair: -pair[2])


def far_signers(found: Neighbours) -> list[tuple[str, float, float]]:
    """Signers whose clips are far from everybody's of the same sign.

    Returns:
        (signer, mean similarity, how many deviations below the middle of the signers), robustly
        measured by the median and the median absolute deviation; those beyond 3.5, of 4 signers or more.
    """
    names = sorted(set(found.signers) - {""})
    own = found.best[np.arange(len(found.best)), found.gloss_of]
    usable = np.isfinite(own)
    means = {}
    for name in names:
        rows = usable & (found.signers == name)
        if rows.any():
            means[name] = float(own[rows].mean())
    if len(means) < 4:
        return []
    values = np.array(list(means.values()))
    deviation = 1.4826 * np.median(np.abs(values - np.median(values)))
    below = (np.median(values) - values) / max(deviation, 1e-6)
    found_far = [
        (name, value, float(far)) for (name, value), far in zip(means.items(), below, strict=True)
    ]
    return sorted((row for row in found_far if row[2] > 3.5), key=lambda row: -row[2])
