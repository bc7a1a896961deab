"""The clip store's layout and its writer; `sslslr/clips.py` describes the format and reads it."""

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from sslslr.errors import StoreError, UserError
from sslslr.files import atomic_folder, refuse_foreign, sha256_of, write_json
from sslslr.membership import Ledger, summary
from sslslr.skeleton import N_JOINTS, PARTS, to_75

LAYOUT_VERSION = 1
SPLITS = ("train", "val", "test")
KEYPOINTS, CLIPS, CARD = STORE_FILES = ("keypoints.npy", "clips.parquet", "card.json")
COLUMNS = {
    "clip_id": "string",  # unique
    "dataset": "string",
    "language": "string",  # ISO 639-3 code of the signed language where known
    "gloss": "string",
    "signer": "string",  # may be null
    "split": "string",  # train, val, test or null
    "start": "int64",  # first frame in keypoints.npy
    "n_frames": "int64",
    "fps": "float64",  # may be null
    "aspect": "float64",  # image width / height, null = unknown: makes x and y one unit
    "source": "string",  # the file the clip came from
}
ZEROS = 0.001  # share of joints in the image's very corner that no pose estimator finds there
# Card fields that a data set states about itself.
CARD_FIELDS = ("dataset", "languages", "licence", "citation", "origin", "split_rule", "inputs")
# And what only some have: how keypoints were estimated from videos (sslslr/pose).
OPTIONAL_CARD_FIELDS = ("extraction",)


def refuse_other(path: str | Path) -> None:
    """Raise UserError where `path` holds anything but a clip store, which may be replaced."""
    refuse_foreign(path, STORE_FILES, "clip store", record=(CARD, "layout_version"))


@contextlib.contextmanager
def writing(path: str | Path, card: dict[str, Any], **settings: Any) -> Iterator["ClipWriter"]:
    """Make a clip store at `path` through a :class:`ClipWriter`; on an exception nothing remains.

    Args:
        path: the folder to make (replaced as a whole where it exists).
        card: what the data set says of itself, keys of `CARD_FIELDS`; `inputs` maps each input
            file's name to its sha256.
        settings: see :class:`ClipWriter`.

    Raises:
        StoreError: wrong shape, a repeated clip_id, an unknown split; or a bad clip.
        UserError: no clip was kept, the disk is full or the folder cannot be written.
    """
    refuse_other(path)
    with atomic_folder(path) as folder:
        with open(folder / KEYPOINTS, "wb") as stream:
            writer = ClipWriter(Path(path), folder, stream, card, **settings)
            yield writer
            writer.finish_keypoints()
        writer.finish_tables()


class ClipWriter:
    """Receives clips one by one and streams their frames to disk; made by :func:`writing`.

    Args:
        min_frames: shorter clips are bad.
        on_bad: "error" raises at a bad clip (no gloss, all NaN, too short, absurd coordinates),
            "drop" leaves it out, counted and listed in the card with the reason.
    """

    def __init__(
        self,
        path: Path,
        folder: Path,
        stream: BinaryIO,
        card: dict[str, Any],
        min_frames: int = 2,
        on_bad: str = "error",
    ):
        if unknown := set(card) - {*CARD_FIELDS, *OPTIONAL_CARD_FIELDS}:
            raise ValueError(f"unknown card fields {sorted(unknown)}; known: {CARD_FIELDS}")
        self.path, self._folder, self._stream = path, folder, stream
        self.card, self.min_frames, self.on_bad = card, min_frames, on_bad
        self.dropped: list[dict[str, str]] = []
        self._ledger = Ledger()
        self._rows: list[dict[str, Any]] = []
        self._seen: set[str] = set()
        self._joint_frames = np.zeros(N_JOINTS, dtype=np.int64)
        self._n_frames = self._zeros = 0
        self._write_header()

    @property
    def n_clips(self) -> int:
        return len(self._rows)

    def has(self, clip_id: str) -> bool:
        """Was a clip of this id added before (kept, or dropped as bad)?"""
        return clip_id in self._seen

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)),
            "fortran_order": False,
            "shape": (self._n_frames, N_JOINTS, 2),
        }
        # numpy pads the header so that the first axis can grow: written again at the end.
        np.lib.format.write_array_header_1_0(self._stream, header)

    def add(
        self,
        clip_id: str,
        keypoints: np.ndarray,
        *,
        gloss: str,
        language: str | None = None,
        signer: str | None = None,
        split: str | None = None,
        fps: float | None = None,
        aspect: float | None = None,
        source: str | None = None,
        **extra: Any,
    ) -> bool:
        """Append one clip; True if it was kept, False if it was dropped.

        Args:
            keypoints: (n_frames, 75 or 42, 2), image-normalised, NaN = missing.
            extra: further columns of clips.parquet, the same for every clip of the store.
        """
        clip_id = str(clip_id)
        if clip_id in self._seen:
            rule = "clip_id occurs twice; ids must be unique."
            raise StoreError(self.path / CLIPS, rule, clip_id)
        self._seen.add(clip_id)
        if split is not None and split not in SPLITS:
            rule = f"split {split!r} is not one of {', '.join(SPLITS)} or empty."
            raise StoreError(self.path / CLIPS, rule, clip_id)
        try:
            frames = to_75(np.asarray(keypoints))
        except ValueError as error:
            raise StoreError(source or self.path, f"{error}.", clip_id) from None
        if reason := self._fault(frames, gloss):
            if self.on_bad == "error":
                raise StoreError(
                    source or self.path,
                    f"{reason}.",
                    clip_id,
                    "Mend or remove it, or import with `--bad-clips drop` to leave such clips out "
                    "(counted and listed in card.json)."
                    + (
                        " `--min-frames` permits shorter ones." if reason.startswith("only") else ""
                    ),
                )
            return self.drop(clip_id, reason, split)
        self._zeros += int((frames == 0).all(axis=-1).sum())
        frames = frames.astype(np.float16)
        self._stream.write(np.ascontiguousarray(frames).tobytes())
        self._rows.append(
            {
                "clip_id": clip_id,
                "dataset": self.card["dataset"],
                "language": language,
                "gloss": gloss,
                "signer": signer,
                "split": split,
                "start": self._n_frames,
                "n_frames": len(frames),
                "fps": fps,
                "aspect": aspect,
                "source": source,
                **extra,
            }
        )
        self._ledger.keep(split)
        self._n_frames += len(frames)
        self._joint_frames += np.isfinite(frames[..., 0]).sum(axis=0)
        return True

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for what is unpacked on the way, on the store's disk; gone afterwards."""
        with tempfile.TemporaryDirectory(prefix=".scratch.", dir=self._folder) as folder:
            yield Path(folder)

    def summary(self) -> list[str]:
        """What was written and what was dropped, a sentence each."""
        name, count = self.card["dataset"], len(self.dropped)
        lines = [f"{name}: {self.n_clips} clips written to {self.path}, {count} dropped."]
        if self.dropped:
            reasons = summarise_drops(self.dropped)
            lines.append(f"{name}: dropped {reasons}. All are listed in {self.path / CARD}.")
        share = self._zeros / max(1, self._joint_frames.sum())
        if share > ZEROS:
            lines.append(
                f"{name}: {100 * share:.1f} % of the joints lie at exactly (0, 0) and count as found there. "
                "If zero means missing in your files, write NaN instead."
            )
        return lines

    def drop(self, clip_id: str, reason: str, split: str | None = None, found: bool = True) -> bool:
        """List a clip that the store leaves out, with the reason; always False.

        Args:
            found: False where a clip that ought to be there has no file.
        """
        self._ledger.drop(split, reason, found)
        self.dropped.append({"clip_id": str(clip_id), "reason": reason})
        return False

    def _fault(self, frames: np.ndarray, gloss: str | None) -> str:
        if not gloss:
            return "no gloss"
        if len(frames) == 0:
            return "no frame"
        if len(frames) < self.min_frames:
            count = "1 frame" if len(frames) == 1 else f"{len(frames)} frames"
            return f"only {count}; a clip needs at least {self.min_frames}"
        if np.isinf(frames).any():
            return "infinite coordinates (missing joints are NaN)"
        if np.isnan(frames).all():
            return "every joint is missing in every frame (all NaN)"
        largest = np.nanmax(np.abs(frames))
        if largest > 100:
            return (
                f"coordinates up to {largest:.0f}; they must be image-normalised "
                "(divide x by the width and y by the height)"
            )
        return ""

    def finish_keypoints(self) -> None:
        if not self._rows:
            drops = f"{len(self.dropped)} were dropped: {summarise_drops(self.dropped)}"
            raise UserError(
                f"{self.path}: no clip was left to write{'; ' + drops if self.dropped else ''}."
            )
        self._stream.seek(0)
        self._write_header()

    def finish_tables(self) -> None:
        clips = pd.DataFrame(self._rows)
        for column, kind in COLUMNS.items():
            clips[column] = clips[column].astype(kind)
        clips.to_parquet(self._folder / CLIPS, index=False)
        card = {
            "layout_version": LAYOUT_VERSION,
            **{field: self.card.get(field) for field in CARD_FIELDS},
            **{field: self.card[field] for field in OPTIONAL_CARD_FIELDS if field in self.card},
            "n_clips": len(clips),
            "n_frames": self._n_frames,
            "joints": {
                part: round(float(self._joint_frames[where].mean() / self._n_frames), 4)
                for part, where in PARTS.items()
            },
            "dropped": {
                "count": len(self.dropped),
                "by_reason": dict(Counter(drop["reason"] for drop in self.dropped).most_common()),
                "clips": self.dropped,
            },
            "counts": self._ledger.rows(),
            "splits": summary(clips),
            "sha256": {name: sha256_of(self._folder / name) for name in (KEYPOINTS, CLIPS)},
        }
        write_json(self._folder / CARD, card)


def summarise_drops(dropped: list[dict[str, str]]) -> str:
    """`3 x no frame; 1 x all NaN (clip_7)`: counts per reason, with an example."""
    reasons: dict[str, list[str]] = {}
    for drop in dropped:
        reasons.setdefault(drop["reason"], []).append(drop["clip_id"])
    return "; ".join(
        f"{len(ids)} x {reason} ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})"
        for reason, ids in reasons.items()
    )
