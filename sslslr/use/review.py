"""What a person should look at again before training on a store: labels, copies, hands, signers.

    review(encode, store, "review/")     # suspects.csv and index.html

Most telling first: two signs that a signer has exchanged, a signer's sign that is taken for another,
single labels by margin; then copies, signs that cannot be told apart, hands, signers.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from sslslr.data.batch import Batch
from sslslr.data.quality import exchanged_frames
from sslslr.data.store import ClipStore, content_digest
from sslslr.pose.skeleton import MIRROR
from sslslr.use.load import Encode
from sslslr.use.ranking import unit
from sslslr.use.review_page import page
from sslslr.use.suspects import Neighbours, alike, far_signers, neighbours, taken_for
from sslslr.utils.errors import UserError
from sslslr.utils.files import atomic_folder, refuse_foreign, write_text
from sslslr.utils.tables import write_csv
from sslslr.utils.words import counted

SUSPECTS, PAGE = "suspects.csv", "index.html"
COLUMNS = (
    *("rank", "kind", "clip_id", "gloss", "signer", "split"),
    *("other_gloss", "other_clip_id", "score", "why"),
)
OTHERS_COUNT = 0.2  # what the clips of other signers add to the margin of all
LEAST = 0.0  # margin from which a label is suspect
ALONE = 0.5  # share of the vote that speaks against the only clip of a sign: nothing speaks for it
MIRRORED = 0.15  # by how much more similar to its sign's clips a clip is in the mirror
EXCHANGED, TELLING = 0.5, 5  # share of frames with exchanged hands, of so many that tell
Row = dict[str, Any]


def review(
    encode: Encode, store: ClipStore, out: str | Path, say: Callable[[str], None] = print
) -> pd.DataFrame:
    """Write `suspects.csv` and a page with two strips side by side each.

    Raises:
        UserError: fewer than two signs, no clip that can be embedded, or `out` holds something else.
    """
    refuse_foreign(out, (SUSPECTS, PAGE), "review", record=None)
    encode.measure(store)
    embedded = encode.store(store, parts=True)
    table, rows = suspects(encode, store, embedded.features, embedded.indices)
    with atomic_folder(out) as folder:
        write_csv(table, folder / SUSPECTS, float_format="%.4f")
        write_text(folder / PAGE, page(store, table, rows))
    for kind, count in table["kind"].value_counts(sort=False).items():
        say(f"{count:6} x {kind}")
    if embedded.dropped:
        say(f"{counted(len(embedded.dropped), 'clip')} could not be embedded: not judged.")
    made = f"{counted(len(table), 'suspect')} of {counted(len(embedded.indices), 'clip')}"
    say(f"{out}: {made}; look at {Path(out) / PAGE}.")
    return table


def suspects(
    encode: Encode, store: ClipStore, features: np.ndarray, indices: np.ndarray
) -> tuple[pd.DataFrame, list[tuple[int, int]]]:
    """The suspects, most telling first, and the rows of the store that each one shows (-1: none)."""
    clips = store.clips.iloc[indices].reset_index(drop=True)
    glosses = clips["gloss"].to_numpy(dtype=str)
    if len(set(glosses)) < 2:
        raise UserError(f"{store.path}: all clips have one gloss; there is nothing to compare.")
    signers = clips["signer"].fillna("").to_numpy(dtype=str)
    everyone = neighbours(features, glosses, np.full(len(clips), ""))
    several = len(set(signers) - {""}) > 1
    others = neighbours(features, glosses, signers) if several else everyone
    found: list[tuple[Row, int, int]] = [
        *_of_signers(others),
        *_labels(everyone, others),
        *_copies(everyone, store, clips, indices),
        *_alike(others),
        *_hands(encode, store, everyone, indices),
        *_far(others),
    ]
    lines = []
    for rank, (row, clip, other) in enumerate(found, start=1):
        about = clips.iloc[clip]
        beside = {} if other < 0 else {"other_clip_id": clips["clip_id"][other]}
        own = {name: about[name] for name in ("clip_id", "gloss", "signer", "split")}
        if other >= 0:
            beside["other_gloss"] = clips["gloss"][other]
        lines.append({"rank": rank, **own, **beside, **row})
    table = pd.DataFrame(lines, columns=list(COLUMNS))
    return table, [(int(indices[a]), int(indices[b]) if b >= 0 else -1) for _, a, b in found]


def label_margin(everyone: Neighbours, others: Neighbours) -> np.ndarray:
    """(clips,): how strongly neighbours speak for another gloss than the label; all of them, and of other signers."""
    margin = everyone.margin
    return margin if others is everyone else margin + OTHERS_COUNT * others.margin


def _of_signers(found: Neighbours) -> list[tuple[Row, int, int]]:
    """A row a clip where two signs of a signer are exchanged; else one row for all clips of the sign."""
    groups = taken_for(found)
    keys = {group[:3] for group in groups}
    first, rows, single = found.votes.argmax(axis=1), [], []
    for signer, gloss, other, taken, n in groups:
        mutual = (signer, other, gloss) in keys
        names = found.glosses[gloss], found.glosses[other]
        clips = np.flatnonzero(
            (found.signers == signer) & (found.gloss_of == gloss) & (first == other)
        )
        clips = clips[np.argsort(-found.margin[clips], kind="stable")]
        why = f"{taken} of {n} clips of {names[0]!r} by {signer} are taken for {names[1]!r}"
        why += ", and the other way round" if mutual else ""
        kind = "signs exchanged by a signer" if mutual else "a signer's sign taken for another"
        for clip in clips if mutual else clips[:1]:
            row = {"kind": kind, "score": float(taken / n), "why": why}
            (rows if mutual else single).append((row, int(clip), int(found.nearest[clip, other])))
    return rows + single


def _labels(everyone: Neighbours, others: Neighbours) -> list[tuple[Row, int, int]]:
    margin = label_margin(everyone, others)
    counts, rows = np.bincount(everyone.gloss_of), []
    for clip in np.argsort(-margin, kind="stable"):
        if margin[clip] <= LEAST:
            break
        other = int(everyone.other[clip])
        share = everyone.votes[clip, other]
        if counts[everyone.gloss_of[clip]] == 1 and (counts[other] == 1 or share <= ALONE):
            continue
        own, means = everyone.gloss_of[clip], everyone.means[clip]
        why = (
            f"{100 * share:.0f} % of its neighbours' vote is for {everyone.glosses[other]!r}; similarity "
            f"{means[other]:.2f} to the mean of that sign's clips, {means[own]:.2f} to its own sign's"
        )
        row = {"kind": "label", "score": float(margin[clip]), "why": why}
        rows.append((row, int(clip), int(everyone.nearest[clip, other])))
    return rows


def _copies(
    found: Neighbours, store: ClipStore, clips: pd.DataFrame, indices: np.ndarray
) -> list[tuple[Row, int, int]]:
    """Near copies that have two glosses, or lie on two sides of a split."""
    rows = []
    for a, b, similarity in found.copies:
        reasons = []
        if found.gloss_of[a] != found.gloss_of[b]:
            reasons.append("have two glosses")
        splits = clips["split"].iloc[[a, b]].dropna()
        if splits.nunique() == 2:
            reasons.append("lie on two sides of a split")
        if reasons:
            digests = {content_digest(store.frames(int(indices[row]))) for row in (a, b)}
            what = (
                "equal keypoints"
                if len(digests) == 1
                else f"near copies (similarity {similarity:.4f})"
            )
            row = {
                "kind": "near copy",
                "score": similarity,
                "why": f"{what} that {' and '.join(reasons)}",
            }
            rows.append((row, a, b))
    return sorted(rows, key=lambda row: (-len(row[0]["why"].split(" and ")), -row[0]["score"]))


def _alike(found: Neighbours) -> list[tuple[Row, int, int]]:
    rows = []
    for a, b, error in alike(found):
        own = np.flatnonzero(found.gloss_of == a)
        clip = int(own[found.best[own, b].argmax()])
        names = f"{found.glosses[a]!r} and {found.glosses[b]!r}"
        why = f"{100 * error:.0f} % of the clips of {names} are nearer to the other"
        row = {"kind": "signs hard to tell apart", "score": error, "why": why}
        rows.append((row, clip, int(found.nearest[clip, b])))
    return rows


def _hands(
    encode: Encode, store: ClipStore, found: Neighbours, indices: np.ndarray
) -> list[tuple[Row, int, int]]:
    """Hands at the body's other wrists; clips that fit their sign much better in the mirror."""
    rows = []
    aspects = store.clips["aspect"].to_numpy(dtype=float, na_value=1.0)
    for clip, index in enumerate(indices):
        exchanged, told = exchanged_frames(np.asarray(store.frames(int(index))), aspects[index])
        if told >= TELLING and exchanged > EXCHANGED * told:
            why = f"left and right hand are at each other's wrist in {exchanged} of {told} frames that tell"
            row = {"kind": "hands exchanged", "score": exchanged / told, "why": why}
            rows.append((row, clip, -1))
    rows.sort(key=lambda row: -row[0]["score"])
    if encode.preprocess.variant == "as_released":
        return rows  # its coordinates are the picture's: no mirror about the body
    return rows + sorted(_mirrored(encode, store, found, indices), key=lambda row: -row[0]["score"])


def _mirrored(
    encode: Encode, store: ClipStore, found: Neighbours, indices: np.ndarray
) -> list[tuple[Row, int, int]]:
    batch = encode.prepare(store, indices).batch
    order = torch.from_numpy(MIRROR)
    flip = batch.keypoints.new_tensor([-1.0, 1.0])
    mirror = Batch(batch.keypoints[:, :, order] * flip, batch.lengths, batch.present[:, order])
    plain, other = encode.features(batch), encode.features(mirror)
    centre, rows = plain.mean(axis=0), []
    plain, other = unit(plain, centre), unit(other, centre)
    for gloss in range(len(found.glosses)):
        own = np.flatnonzero(found.gloss_of == gloss)
        if len(own) < 3:
            continue
        as_is, seen = plain[own] @ plain[own].T, other[own] @ plain[own].T
        for matrix in (as_is, seen):
            np.fill_diagonal(matrix, -np.inf)
        gain = np.sort(seen, axis=1)[:, -2:].mean(axis=1) - np.sort(as_is, axis=1)[:, -2:].mean(
            axis=1
        )
        for place in np.flatnonzero(gain > MIRRORED):
            why = (
                f"mirrored, or signed with the other hand: {gain[place]:.2f} more similar to clips of "
                f"{found.glosses[gloss]!r} in the mirror"
            )
            row = {"kind": "mirrored", "score": float(gain[place]), "why": why}
            rows.append((row, int(own[place]), int(own[seen[place].argmax()])))
    return rows


def _far(found: Neighbours) -> list[tuple[Row, int, int]]:
    rows = []
    for signer, mean, deviations in far_signers(found):
        own = np.flatnonzero(found.signers == signer)
        own_best = found.best[own, found.gloss_of[own]]
        clip = int(own[np.where(np.isfinite(own_best), own_best, np.inf).argmin()])
        why = (
            f"clips of {signer} are far from everybody's of the same sign: similarity {mean:.2f}, "
            f"{deviations:.1f} deviations below the middle of the signers"
        )
        row = {"kind": "far signer", "score": deviations, "why": why}
        rows.append((row, clip, int(found.nearest[clip, found.gloss_of[clip]])))
    return rows
