"""A clip store in words and numbers, on one screen."""

from collections.abc import Iterator

import numpy as np

from sslslr.data.leaks import signers_of
from sslslr.data.store import ClipStore, summarise_drops
from sslslr.utils.tables import several_spellings
from sslslr.utils.words import some

PART_NAMES = {"left_hand": "left hand", "right_hand": "right hand", "body": "body"}
GLOSSES, OTHERS = 12, 8  # named at most
BINS, BAR = 6, 30


def about(store: ClipStore) -> Iterator[str]:
    """Lines for a person: what is stated and what is there; nothing is said of what is not."""
    clips, card = store.clips, store.card
    yield f"{store.name}: {len(store)} clips of {clips['gloss'].nunique()} glosses, {len(store.keypoints)} frames"
    for key in ("licence", "citation", "origin", "split_rule"):
        if card.get(key):
            yield f"{key.replace('_', ' ')}: {card[key]}"
    for name, told in (card.get("members") or {}).items():
        yield f"member {name}: {told['clips']} clips, {100 * told['share']:.1f} %"
    for column in ("split", "language", "signer", "fps", "aspect"):
        yield from _counts(clips, column)
    yield from _signers(clips)
    yield from _glosses(clips["gloss"])
    yield from _lengths(clips["n_frames"].to_numpy())
    missing = (
        f"{PART_NAMES.get(p, p)} {100 * (1 - there):.1f} %" for p, there in card["joints"].items()
    )
    yield f"missing joints: {', '.join(missing)} of the frames"
    yield from _expected(card.get("counts") or [])
    dropped = card["dropped"]
    if dropped["count"]:
        yield f"dropped: {dropped['count']} clips: {summarise_drops(dropped['clips'])}"


def _counts(clips, column: str) -> Iterator[str]:
    sizes = clips[column].value_counts()
    if not len(sizes):
        return
    numbers = clips[column].dtype.kind == "f"
    named = [
        f"{name:.4g}: {count}" if numbers else f"{name} {count}"
        for name, count in sizes.iloc[:OTHERS].items()
    ]
    if len(sizes) > OTHERS:
        named.append(f"{len(sizes) - OTHERS} more with {sizes.iloc[OTHERS:].sum()}")
    if absent := int(clips[column].isna().sum()):
        named.append(f"not stated {absent}")
    yield f"clips by {column}: {', '.join(named)}"


def _signers(clips) -> Iterator[str]:
    """Signers with clips in several splits, where any has."""
    counts = signers_of(clips)
    several = counts[(counts > 0).sum(axis=1) > 1]
    if len(several):
        shown = (
            f"{signer} ({', '.join(f'{split} {count}' for split, count in row.items() if count)})"
            for signer, row in several.iterrows()
        )
        yield f"signers in several splits: {len(several)} of {len(counts)}: {some(shown)}"


def _glosses(glosses) -> Iterator[str]:
    sizes = glosses.value_counts().sort_index().sort_values(kind="stable")
    shown = ", ".join(f"{name} {count}" for name, count in sizes.iloc[:GLOSSES].items())
    more = f" ... {sizes.index[-1]} {sizes.iloc[-1]}" if len(sizes) > GLOSSES else ""
    yield f"clips by gloss, rarest first: {shown}{more}"
    if spellings := several_spellings(glosses, "gloss", "glosses"):
        yield f"{spellings}; import with --fold-glosses"


def _lengths(lengths: np.ndarray) -> Iterator[str]:
    low, median, high = np.percentile(lengths, [10, 50, 90])
    yield f"frames a clip: median {median:g}, p10 {low:g}, p90 {high:g}"
    edges = np.unique(np.linspace(lengths.min(), lengths.max() + 1, BINS + 1).astype(int))
    counts, _ = np.histogram(lengths, edges)
    for first, last, count in zip(edges[:-1], edges[1:] - 1, counts, strict=True):
        span = str(first) if first == last else f"{first} to {last}"
        yield f"  {span:>12} {count:>7} {'█' * round(BAR * count / counts.max())}"


def _expected(counts: list[dict]) -> Iterator[str]:
    """A line a split that lost clips on the way, and one for all others."""
    whole = 0
    for row in counts:
        if row["expected"] == row["found"] == row["kept"]:
            whole += row["kept"]
            continue
        reasons = "; ".join(f"{count} x {reason}" for reason, count in row["dropped"].items())
        kept = f"{row['kept']} kept" + (f" ({reasons})" if reasons else "")
        yield f"{row['split']}: {row['expected']} expected, {row['found']} found, {kept}"
    if whole:
        yield f"splits of which nothing is missing: {whole} clips expected, found and kept"
