"""Score a dictionary with clips whose signs are known, beside what is no encoder at all.

    table = score(Dictionary.open("dictionary/"), ClipStore.open("store/"), ["test"])

One row an answerer (the encoder; with baselines a random encoder, time warping, chance), a number of
clips a sign, and a group of queries (all, known and new signers, each signer). A query's own clip and copies of
it are never candidates; a query whose sign has no other entry is counted and left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sslslr.data.store import ClipStore
from sslslr.encoders.build import build_encoder
from sslslr.encoders.inputs._base import measure_inputs
from sslslr.evaluation.features import embed
from sslslr.use.dictionary import Dictionary, copies, rows_of, spread
from sslslr.use.ranking import COPY, MEASURES, by_gloss, chance, cosines, ranks, summary
from sslslr.use.warping import warpable, warped_similarity
from sslslr.utils.errors import UserError
from sslslr.utils.words import counted

CLIPS_A_SIGN = (1, 2, 5, 10)
DRAWS = 5  # dictionaries of k clips a sign, drawn by lot
FEWEST_OF_SIGNER = 5  # queries that make a row of their own
RANDOM_SEED = 1000  # of the random encoder's weights: no seed of a study


@dataclass(frozen=True)
class Queries:
    """Clips that ask, as the scores need them.

    Attributes:
        rows: of the store's table.
        features: of each, by the dictionary's encoder.
        right: place of each one's gloss among the dictionary's.
        barred: bool (queries, entries), itself and its copies.
        signers: of each, or None.
        notes: what was left out, a sentence each.
    """

    rows: np.ndarray
    features: np.ndarray
    right: np.ndarray
    barred: np.ndarray
    signers: list
    notes: list[str]


def score(
    dictionary: Dictionary,
    store: ClipStore,
    splits: list[str] | None = None,
    baselines: bool = False,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Scores with intervals: `answers`, `clips_a_sign`, `queries`, `n`, `signs`, and each measure.

    Args:
        splits: of the queries; all clips for None.
        baselines: also a random encoder and dynamic time warping.

    Raises:
        UserError: no query has its sign in the dictionary.
    """
    encode = dictionary.encoder()
    queries = ask(dictionary, store, splits)
    for note in queries.notes:
        say(note)
    similarity = cosines(queries.features, dictionary.features, dictionary.centre)
    barred = queries.barred | (similarity >= COPY)
    own = (dictionary.gloss_of == queries.right[:, None]) & ~barred
    asks = own.any(axis=1)
    if not asks.all():
        alone = counted(int((~asks).sum()), "query", "queries")
        say(f"{alone} without another clip of the same sign in the dictionary: left out.")
    if not asks.any():
        raise UserError(
            f"{store.path}: no query has another clip of its sign in {dictionary.path}."
        )
    answers = {encode.run["spec"]["run_id"]: similarity}
    if baselines:
        answers["random encoder"] = _random(dictionary, store, queries)
        clips = warpable(dictionary.store, np.arange(len(dictionary.store)))
        answers["dynamic time warping"] = warped_similarity(warpable(store, queries.rows), clips)
    rows: list[dict[str, Any]] = []
    for name, values in answers.items():
        values = np.where(barred, -np.inf, values)[asks]
        rows += _rows(dictionary, name, values, queries, asks)
    signs = len(dictionary.glosses)
    rows.append({"answers": "chance", "clips_a_sign": "any", "queries": "all", "n": int(asks.sum()),
                 **chance(signs)})  # fmt: skip
    say(_not_sure(dictionary, np.where(barred, -np.inf, similarity)[asks], queries.right[asks]))
    return pd.DataFrame(rows).assign(signs=signs)


def ask(dictionary: Dictionary, store: ClipStore, splits: list[str] | None) -> Queries:
    """The clips of a store that may ask: embedded, and their sign is in the dictionary."""
    rows = store.indices()
    if splits is not None:
        rows = rows_of(store, splits)
    glosses = store.clips["gloss"].to_numpy(dtype=str)
    there = np.isin(glosses[rows], dictionary.glosses)
    if not there.any():
        where = f" of the splits {', '.join(splits)}" if splits else ""
        raise UserError(f"{store.path}: no clip{where} has a sign of {dictionary.path}.")
    notes = []
    if not there.all():
        notes.append(
            f"{counted(int((~there).sum()), 'clip')} of signs that the dictionary lacks: left out."
        )
    embedded = dictionary.embed(store, rows[there])
    if embedded.dropped:
        reasons = ", ".join(sorted({drop["reason"] for drop in embedded.dropped}))
        dropped = counted(len(embedded.dropped), "clip")
        notes.append(f"{dropped} that cannot be embedded ({reasons}): left out.")
    kept = embedded.indices
    signers = store.clips["signer"].astype(object).where(store.clips["signer"].notna(), None)
    return Queries(
        kept,
        embedded.features,
        np.searchsorted(dictionary.glosses, glosses[kept]),
        copies(store, kept, dictionary.store),
        list(signers.iloc[kept]),
        notes,
    )


def _rows(
    dictionary: Dictionary, name: str, similarity: np.ndarray, queries: Queries, asks: np.ndarray
) -> Iterator[dict[str, Any]]:
    right = queries.right[asks]
    signers = [signer for signer, ask in zip(queries.signers, asks, strict=True) if ask]
    n = len(dictionary.glosses)
    rank = ranks(by_gloss(similarity, dictionary.gloss_of, n), right)
    own = {"answers": name, "clips_a_sign": "all"}
    yield {**own, "queries": "all", **summary(rank, signers)}
    known = set(dictionary.store.clips["signer"].dropna())
    groups: dict[str, np.ndarray] = {}
    if any(signers) and known:
        groups["known signers"] = np.array([signer in known for signer in signers])
        groups["new signers"] = np.array([bool(s) and s not in known for s in signers])
    for signer in sorted({s for s in signers if s}):
        chosen = np.array([s == signer for s in signers])
        if chosen.sum() >= FEWEST_OF_SIGNER:
            groups[f"signer {signer}"] = chosen
    for group, chosen in groups.items():
        if chosen.any():
            of = (
                [s for s, c in zip(signers, chosen, strict=True) if c]
                if "signers" in group
                else None
            )
            yield {**own, "queries": group, **summary(rank[chosen], of)}
    gloss_of, clips = dictionary.gloss_of, dictionary.store.clips
    most = int(np.bincount(gloss_of).max())
    barred = (np.isneginf(similarity) & (gloss_of == right[:, None])).any(axis=1)
    for k in (k for k in CLIPS_A_SIGN if k < most):
        drawn = []
        for draw in range(DRAWS):
            chosen, order = spread(clips, k, seed=draw), spread(clips, most, seed=draw)
            best = by_gloss(similarity[:, chosen], gloss_of[chosen], n)
            # Were a query's own clip drawn, its sign would have one less.
            for query in np.flatnonzero(barred):
                near = similarity[query, order[gloss_of[order] == right[query]]]
                best[query, right[query]] = near[np.isfinite(near)][:k].max()
            drawn.append(ranks(best, right))
        yield {
            **own,
            "clips_a_sign": str(k),
            "queries": "all",
            **summary(np.array(drawn), signers),
        }


def _random(dictionary: Dictionary, store: ClipStore, queries: Queries) -> np.ndarray:
    """Similarities by an encoder of the same settings with weights as drawn."""
    encode = dictionary.encoder()
    encoder = build_encoder(encode.spec.encoder, encode.preprocess.frames, RANDOM_SEED)
    measure_inputs(encoder, encode.prepare(dictionary.store).batch)

    def features(of: ClipStore, rows: np.ndarray | None) -> np.ndarray:
        batches = encode.batches(of, encode.prepare(of, rows))
        return np.mean([embed(encoder, batch, RANDOM_SEED) for batch in batches], axis=0)

    entries = features(dictionary.store, None)
    return cosines(features(store, queries.rows), entries, entries.mean(axis=0))


def _not_sure(dictionary: Dictionary, similarity: np.ndarray, right: np.ndarray) -> str:
    """How often `not sure` is said of right and of wrong first answers."""
    if dictionary.threshold is None:
        return "The dictionary has no threshold: it is always sure."
    best = by_gloss(similarity, dictionary.gloss_of, len(dictionary.glosses))
    hit, unsure = best.argmax(axis=1) == right, best.max(axis=1) < dictionary.threshold
    parts = [
        f"{int((unsure & which).sum())} of {int(which.sum())} {name}"
        for name, which in (("right", hit), ("wrong", ~hit))
    ]
    return f"`not sure` is said of {parts[0]} and {parts[1]} first answers."


def as_lines(table: pd.DataFrame) -> Iterator[str]:
    """The table for a terminal: a line a row, 95 % intervals over clips in brackets."""
    shown = [name for name in MEASURES if name != "recall@20"]
    yield f"{'answers':<44}{'clips':>6} {'queries':<15}{'n':>6}  " + "".join(
        f"{n:<22}" for n in shown
    )
    for row in table.to_dict("records"):
        cells = []
        for name in shown:
            low = row.get(f"{name}_low")
            interval = (
                f" [{low:.3f}, {row[f'{name}_high']:.3f}]" if low == low and low is not None else ""
            )
            cells.append(f"{row[name]:.3f}{interval}".ljust(22))
        yield (
            f"{row['answers'][:43]:<44}{row['clips_a_sign']:>6} {row['queries'][:14]:<15}{row['n']:>6}  "
            + "".join(cells)
        )
