"""What is wrong with a clip store, as far as its clips tell: beyond its files, their meaning.

The rules of the files are `ClipStore.check`'s. Here: the order of the parts, exchanged hands, a mirrored
picture, clips that preprocessing cannot use, glosses that are written in two ways, equal clips of two
glosses, clips in which nothing moves, glosses that are tested but never trained, and signers on two sides of a
split by signers.
"""

import numpy as np

from sslslr.config.study import PreprocessConfig
from sslslr.data.conversion.anatomy import (
    BETTER,
    PLAUSIBLE,
    WATCHED,
    misfit,
    of_hands,
    proportions,
    sided,
    unlike,
)
from sslslr.data.conversion.clip import is_frozen, is_still
from sslslr.data.conversion.tally import Tally
from sslslr.data.leaks import unfair
from sslslr.data.preprocess import UNMEASURED, preprocess
from sslslr.data.store import ClipStore
from sslslr.pose.layouts import candidates
from sslslr.pose.skeleton import BODY
from sslslr.utils.errors import UserError
from sslslr.utils.tables import several_spellings
from sslslr.utils.words import counted, some

SIDED = 24  # clips by which left and right of another order are told
SAMPLE = 200  # clips that the order of the parts is looked for in
TOGETHER = 2000  # clips that are preprocessed at once


def examine(store: ClipStore) -> tuple[list[str], list[str]]:
    """Findings, a sentence each (none: sound), and notes that are no faults."""
    findings, digests = store.read_whole()
    if findings:
        return findings, []  # what the files break comes first: the rest would be about other data
    used, notes = _preprocessed(store)
    anatomy, few = _anatomy(store)
    findings += [*used, *anatomy, *_spellings(store), *unfair(store.clips, digests)]
    notes += few
    return [f"{store.path}: {finding}" for finding in findings], notes


def _preprocessed(store: ClipStore) -> tuple[list[str], list[str]]:
    """Clips that cannot be used, and the range of what an encoder would see."""
    findings: list[str] = []
    reasons: dict[str, list[str]] = {}
    highs, largest, farthest = [], 0.0, ""
    for rows in np.array_split(np.arange(len(store)), -(-len(store) // TOGETHER)):
        try:
            prepared = preprocess(store, PreprocessConfig(), rows)
        except UserError as error:  # none of these clips is left
            findings.append(str(error).removeprefix(f"{store.path}: "))
            continue
        values = prepared.batch.keypoints.abs()
        of_clips = values.amax(dim=(1, 2, 3))
        highs.append(float(np.percentile(values[values > 0].numpy(), 99)))
        if float(of_clips.max()) > largest:
            largest = float(of_clips.max())
            farthest = store.clips["clip_id"].iloc[prepared.indices[int(of_clips.argmax())]]
        for drop in prepared.dropped:
            reasons.setdefault(drop["reason"], []).append(drop["clip_id"])
    if not highs:
        return findings, []
    high = float(np.median(highs))
    notes = [
        f"preprocessed coordinates: 99 % within {high:.1f}, at most {largest:.1f} shoulder widths ({farthest!r})."
    ]
    if not 0.3 < high < 30:
        findings.append(
            f"preprocessed coordinates lie within {high:.3g} shoulder widths; a signer's reach 1 to 10. Are "
            "the coordinates in one unit, and are the shoulders where they should be?"
        )
    for reason, ids in reasons.items():
        line = (
            f"{len(ids)} of {len(store)} clips cannot be used: {reason} ({some(map(repr, ids))})."
        )
        (findings if reason == UNMEASURED else notes).append(line)
    return findings, notes


def _anatomy(store: ClipStore) -> tuple[list[str], list[str]]:
    """What bodies and hands tell: findings, and notes of what is no fault."""
    sample = set(np.linspace(0, len(store) - 1, min(SAMPLE, len(store))).astype(int).tolist())
    orders = candidates(75)
    tally, misfits, still, frozen, looked = Tally(), {}, [], [], []
    aspects = store.clips["aspect"].to_numpy(dtype=float, na_value=1.0)
    for row, clip_id in enumerate(store.clips["clip_id"]):
        frames = np.asarray(store.frames(row), dtype=np.float32)
        tally.begin(clip_id)
        tally.watch(frames[:, WATCHED] * np.array([aspects[row], 1.0], dtype=np.float32))
        if is_still(frames):
            still.append(clip_id)
        elif is_frozen(frames):
            frozen.append(clip_id)
        if row in sample:
            looked.append(frames * np.array([aspects[row], 1.0], dtype=np.float32))
        if row in sample and np.isfinite(frames[:, BODY, 0]).any():  # hands alone tell no order
            misfits[row] = [misfit(order.apply(frames)) for order in orders]
    findings, notes = [], []
    if still:
        many = f"{counted(len(still), 'clip')} ({some(map(repr, still))})"
        findings.append(f"nothing moves in {many}: every frame is the same.")
    if frozen:
        many = f"{counted(len(frozen), 'clip')} ({some(map(repr, frozen))})"
        notes.append(f"The last frame is repeated at the end of {many}: padded to one length?")
    misfits = {row: values for row, values in misfits.items() if not np.isnan(values[0])}
    usual, *others = np.nanmedian(list(misfits.values()) or [[np.inf] * len(orders)], axis=0)
    wrong = []
    for order, other in zip(orders[1:], others, strict=True):
        if other < min(PLAUSIBLE, BETTER * usual):
            some_clips = [
                np.asarray(store.frames(row), dtype=np.float32) for row in list(misfits)[:SIDED]
            ]
            name = sided(order.name, [order.apply(frames) for frames in some_clips])
            wrong.append(
                f"the parts look like {name}, not left hand, right hand, body. Import again with --layout {name}."
            )
    # Of another order, or of what is no signer, hands and shoulders mean nothing.
    if wrong and usual > PLAUSIBLE:
        return findings + wrong, notes
    if not tally.astray and (strange := unlike(looked)):
        return [*findings, *wrong, strange], notes
    said = [line.removeprefix("WARNING: ") for line in tally.warnings(False)]
    shape = proportions(looked) if not said else ""
    said += [shape] if shape else []
    notes += of_hands([frames for frames in looked if np.isnan(frames[:, BODY]).all()])
    return findings + wrong + said, notes + tally.few()


def _spellings(store: ClipStore) -> list[str]:
    findings = []
    for column, nouns, advice in (
        ("signer", ("signer", "signers"), "write each in one way"),
        ("gloss", ("gloss", "glosses"), "import with --fold-glosses to join them"),
    ):
        if spellings := several_spellings(store.clips[column], *nouns):
            findings.append(f"{spellings}; {advice}.")
    return findings
