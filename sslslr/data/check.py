"""What is wrong with a clip store, as far as its clips tell: beyond its files, their meaning.

The rules of the files are `ClipStore.check`'s. Here: the order of the parts, exchanged hands, a mirrored
picture, clips that preprocessing cannot use, glosses that are written in two ways, equal clips of two
glosses, and glosses that are tested but never trained.
"""

import numpy as np

from sslslr.config.study import PreprocessConfig
from sslslr.data.conversion.anatomy import BETTER, PLAUSIBLE, WATCHED, misfit, sided
from sslslr.data.conversion.tally import Tally
from sslslr.data.leaks import some, unfair
from sslslr.data.preprocess import UNMEASURED, preprocess
from sslslr.data.store import ClipStore
from sslslr.pose.layouts import candidates
from sslslr.pose.skeleton import BODY
from sslslr.utils.errors import UserError
from sslslr.utils.tables import several_spellings

SIDED = 24  # clips by which left and right of another order are told
SAMPLE = 200  # clips that anatomy and preprocessing are tried on


def examine(store: ClipStore) -> tuple[list[str], list[str]]:
    """Findings, a sentence each (none: sound), and notes that are no faults."""
    findings, digests = store.read_whole()
    if findings:
        return findings, []  # what the files break comes first: the rest would be about other data
    rows = np.unique(np.linspace(0, len(store) - 1, min(SAMPLE, len(store))).astype(int))
    used, notes = _preprocessed(store, rows)
    findings += [*used, *_anatomy(store, rows), *_spellings(store)]
    findings += unfair(store.clips, digests)
    return [f"{store.path}: {finding}" for finding in findings], notes


def _preprocessed(store: ClipStore, rows: np.ndarray) -> tuple[list[str], list[str]]:
    """Clips that cannot be used, and the range of what an encoder would see."""
    try:
        prepared = preprocess(store, PreprocessConfig(), rows)
    except UserError as error:
        return [str(error)], []
    values = prepared.batch.keypoints.abs()
    largest, high = float(values.max()), float(np.percentile(values[values > 0].numpy(), 99))
    note = (
        f"preprocessed coordinates: 99 % within {high:.1f}, at most {largest:.1f} shoulder widths."
    )
    findings = []
    if not 0.3 < high < 30:
        findings.append(
            f"preprocessed coordinates lie within {high:.3g} shoulder widths; a signer's reach 1 to 10. Are "
            "the coordinates in one unit, and are the shoulders where they should be?"
        )
    reasons: dict[str, list[str]] = {}
    for drop in prepared.dropped:
        reasons.setdefault(drop["reason"], []).append(drop["clip_id"])
    notes = [note]
    for reason, ids in reasons.items():
        line = f"{len(ids)} of {len(rows)} clips looked at cannot be used: {reason} ({some(map(repr, ids))})."
        (findings if reason == UNMEASURED else notes).append(line)
    return findings, notes


def _anatomy(store: ClipStore, rows: np.ndarray) -> list[str]:
    orders = candidates(75)
    tally, misfits = Tally(), np.full((len(rows), len(orders)), np.nan)
    aspects = store.clips["aspect"].to_numpy(dtype=float, na_value=1.0)
    for place, row in enumerate(rows):
        frames = np.asarray(store.frames(row), dtype=np.float32)
        tally.watch(frames[:, WATCHED] * np.array([aspects[row], 1.0], dtype=np.float32))
        if np.isfinite(frames[:, BODY, 0]).any():  # hands alone tell nothing of an order
            misfits[place] = [misfit(order.apply(frames)) for order in orders]
    told = ~np.isnan(misfits[:, 0])
    if not told.any():
        return []
    usual, *others = np.nanmedian(misfits[told], axis=0)
    findings = []
    for order, other in zip(orders[1:], others, strict=True):
        if other < min(PLAUSIBLE, BETTER * usual):
            some_clips = [
                np.asarray(store.frames(row), dtype=np.float32) for row in rows[told][:SIDED]
            ]
            name = sided(order.name, [order.apply(frames) for frames in some_clips])
            findings.append(
                f"the parts look like {name}, not left hand, right hand, body. Import again with --layout {name}."
            )
    # Of another order hands and shoulders mean nothing; without one that fits the hands are astray.
    if usual <= PLAUSIBLE or (tally.astray and not findings):
        findings += [line.removeprefix("WARNING: ") for line in tally.warnings(False)]
    return findings


def _spellings(store: ClipStore) -> list[str]:
    findings = []
    for column, nouns, advice in (
        ("signer", ("signer", "signers"), "write each in one way"),
        ("gloss", ("gloss", "glosses"), "import with --fold-glosses to join them"),
    ):
        if spellings := several_spellings(store.clips[column], *nouns):
            findings.append(f"{spellings}; {advice}.")
    return findings
