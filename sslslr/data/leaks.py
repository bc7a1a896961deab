"""What makes scores unfair: copies on two sides of a split or of two glosses, glosses never trained, signers
on two sides of a split by signers.

Found when a store is written, by `sslslr data check`, and before pretraining begins.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd

from sslslr.pose.skeleton import to_75
from sslslr.utils.words import counted, some

EXAMPLES = 3


def content_digest(keypoints: np.ndarray) -> bytes:
    """Equal for clips that a store holds as equal keypoints: (frames, 75 or 42, 2)."""
    frames = np.ascontiguousarray(to_75(keypoints), dtype=np.float16)
    return digest_of(frames, missing_of(frames))


def digest_of(frames: np.ndarray, missing: np.ndarray | None) -> bytes:
    """:func:`content_digest` of float16 (frames, 75, 2) of which it is known where they are NaN."""
    bits = frames.view(np.uint16)
    if missing is not None:  # there are many bit patterns of NaN
        bits = np.where(missing, np.float16(np.nan).view(np.uint16), bits)
    return hashlib.sha256(bits.data).digest()


def missing_of(frames: np.ndarray) -> np.ndarray | None:
    """Where float16 numbers are NaN; None: nowhere. By their bits: isnan would convert them."""
    magnitude = frames.view(np.uint16) & 0x7FFF
    return magnitude > 0x7C00 if magnitude.max(initial=0) > 0x7C00 else None


def unfair(clips: pd.DataFrame, digests: Iterable[bytes]) -> list[str]:
    """A sentence for each of the four, with counts and examples; empty where the split is fair.

    Args:
        clips: columns clip_id, gloss, signer and split.
        digests: of each clip, see :func:`content_digest`.
    """
    digests = list(digests)
    return [
        *copies(clips, digests),
        *untrained(clips),
        *conflicts(clips, digests),
        *known_signers(clips),
    ]


def copies(clips: pd.DataFrame, digests: Iterable[bytes]) -> list[str]:
    """Copies of clips on two sides of a split, in one sentence."""
    groups = _equal_but_for("split", clips, digests)
    lie = f"{counted(len(groups), 'group')} of clips have the same keypoints and lie in several splits"
    return [f"{lie}: one split leaks into the other ({some(groups)})."] if groups else []


def conflicts(clips: pd.DataFrame, digests: Iterable[bytes]) -> list[str]:
    """Equal clips under two glosses, in one sentence."""
    groups = _equal_but_for("gloss", clips, digests)
    many = f"{counted(len(groups), 'group')} of equal clips with different glosses"
    return [f"{many}: {some(groups)}."] if groups else []


def _equal_but_for(column: str, clips: pd.DataFrame, digests: Iterable[bytes]) -> list[str]:
    """Groups of equal clips that differ in a column, in words; clips without a value are in none."""
    values = clips[column].to_numpy(dtype=object, na_value=None)
    ids = clips["clip_id"].to_numpy(dtype=object)
    alike: dict[bytes, list[int]] = {}
    for row, digest in enumerate(digests):
        if values[row] is not None:
            alike.setdefault(digest, []).append(row)
    return [
        " = ".join(f"{ids[row]!r} ({values[row]})" for row in rows[:EXAMPLES])
        for rows in alike.values()
        if len({values[row] for row in rows}) > 1
    ]


def untrained(clips: pd.DataFrame) -> list[str]:
    """Glosses that are tested and never trained, a sentence a split."""
    split = clips["split"].fillna("")
    trained, lines = set(clips["gloss"][split == "train"]), []
    for name in ("val", "test") if trained else ():
        unseen = sorted(set(clips["gloss"][split == name]) - trained)
        if unseen:
            are = (
                f"1 gloss of {name} has"
                if len(unseen) == 1
                else f"{len(unseen)} glosses of {name} have"
            )
            lines.append(
                f"{are} no training clip ({some(map(repr, unseen))}): no classifier can name them."
            )
    return lines


def signers_of(clips: pd.DataFrame) -> pd.DataFrame:
    """Clips of each signer (a row) in each split (a column); rows without either are left out."""
    return pd.crosstab(clips["signer"], clips["split"])


def known_signers(clips: pd.DataFrame) -> list[str]:
    """Signers who are trained and tested where most are not: a slip in a split by signers, a sentence a split."""
    counts, lines = signers_of(clips), []
    for name in ("val", "test") if "train" in counts else ():
        if name not in counts:
            continue
        tested = counts[counts[name] > 0]
        known = tested[tested["train"] > 0]
        if 0 < len(known) <= len(tested) / 2:
            shown = [
                f"{signer!r}: {train} in train, {there} in {name}"
                for signer, train, there in zip(
                    known.index, known["train"], known[name], strict=True
                )
            ]
            lines.append(
                f"{len(known)} of {counted(len(tested), 'signer')} of {name} {'is' if len(known) == 1 else 'are'} in "
                f"train too, unlike the others ({some(shown)} clips): the split is not quite by signers."
            )
    return lines
