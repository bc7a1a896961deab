"""The clip store's layout and its writer; `sslslr/data/store.py` describes the format and reads it."""

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from sslslr.config.settings import SPLITS
from sslslr.data import croissant
from sslslr.data.deal import Deal, deal_out
from sslslr.data.leaks import digest_of, missing_of, unfair
from sslslr.data.membership import Ledger, summary
from sslslr.pose.skeleton import N_JOINTS, PARTS, to_75
from sslslr.utils.errors import StoreError, UserError
from sslslr.utils.files import atomic_folder, refuse_foreign, sha256_of, write_json
from sslslr.utils.user_files import shown
from sslslr.utils.words import counted

LAYOUT_VERSION = 1
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
# What `add` is told of a clip.
STATED = ("gloss", "language", "signer", "split", "fps", "aspect", "source")
ASPECTS = (0.1, 10.0)  # width / height of an image; beyond, scores would be at chance silently
SPEEDS = (0.1, 10_000.0)  # frames a second
LONGEST_TEXT = 1000  # characters of an id, a gloss or a path
ZEROS = 0.001  # share of joints in the image's very corner that no pose estimator finds there
# Card fields that a data set states about itself.
CARD_FIELDS = ("dataset", "languages", "licence", "citation", "origin", "split_rule", "inputs")
# And what only some have: how keypoints were estimated from videos (sslslr/pose).
# and how numbers of files were read (sslslr/data/conversion).
# and the members of a pool with their shares (sslslr/data/datasets/pool.py).
OPTIONAL_CARD_FIELDS = ("extraction", "conversion", "members")
ADVICE = (
    "Mend or remove it, or import with `--bad-clips drop` to leave such clips out (counted and listed in "
    "card.json)."
)


def refuse_other(path: str | Path) -> None:
    """Raise UserError where `path` holds anything but a clip store, which may be replaced."""
    # Of an interrupted study the description may be all that is left: Snakemake removes what a rule states.
    known = Path(path, CARD).is_file()
    record = (CARD, "layout_version") if known else (croissant.FILE, "recordSet")
    refuse_foreign(path, (*STORE_FILES, croissant.FILE), "clip store", record=record)


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


def fault_of(frames: np.ndarray, min_frames: int) -> str:
    """Why keypoints (frames, 75, 2) are no clip, in words; empty where they are one."""
    if len(frames) == 0:
        return "no frame"
    if len(frames) < min_frames:
        count = counted(len(frames), "frame")
        return f"only {count}; a clip needs at least {min_frames}"
    largest = np.fmax.reduce(np.abs(frames), axis=None)  # NaN only where nothing else is there
    if np.isnan(largest):
        return "every joint is missing in every frame (all NaN)"
    if np.isinf(largest):
        return "infinite coordinates (missing joints are NaN)"
    if largest > 100:
        return (
            f"coordinates up to {largest:.0f}; they must be image-normalised "
            "(divide x by the width and y by the height)"
        )
    return ""


def _text_fault(gloss: str | None, texts: tuple[str | None, ...]) -> str:
    """Why a row's texts cannot be kept: no gloss, or one that no file can hold; empty where they can."""
    if not gloss:
        return "no gloss"
    for text in filter(None, texts):
        if len(text) > LONGEST_TEXT:
            return f"a name of {len(text)} characters; at most {LONGEST_TEXT}"
        if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
            return "a name that is no Unicode text"
    return ""


def _range_fault(aspect: float | None, fps: float | None) -> str:
    """Why a number of a row cannot be; empty where both can."""
    for name, value, (low, high) in (("aspect", aspect, ASPECTS), ("fps", fps, SPEEDS)):
        if value is not None and not low <= value <= high and value == value:
            return f"{name} is {value:g}; it lies between {low:g} and {high:g}, or is empty"
    return ""


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
        self.notes: list[str] = []  # said before the summary
        self.deal = Deal()  # how splits are dealt out where it is not as given
        self._contents: list[bytes] = []
        self._ledger = Ledger()
        self._rows: list[dict[str, Any]] = []
        self._seen: set[str] = set()
        self._joint_frames = np.zeros(N_JOINTS, dtype=np.int64)
        self._n_frames = self._zeros = 0
        self._write_header()

    @property
    def n_clips(self) -> int:
        return len(self._rows)

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
        texts = (clip_id, gloss, signer, language, source)
        if reason := (
            _text_fault(gloss, texts)
            or _range_fault(aspect, fps)
            or fault_of(frames, self.min_frames)
        ):
            if self.on_bad == "error":
                short = " `--min-frames` permits shorter ones." if reason.startswith("only") else ""
                raise StoreError(source or self.path, f"{reason}.", clip_id, ADVICE + short)
            return self.drop(clip_id, reason, split)
        if not frames.all():
            self._zeros += int((frames == 0).all(axis=-1).sum())
        frames = np.ascontiguousarray(frames, dtype=np.float16)
        self._stream.write(frames.data)
        missing = missing_of(frames)
        self._contents.append(digest_of(frames, missing))
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
        self._joint_frames += len(frames)
        if missing is not None:
            self._joint_frames -= missing[..., 0].sum(axis=0)
        return True

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for what is unpacked on the way, on the store's disk; gone afterwards."""
        with tempfile.TemporaryDirectory(prefix=".scratch.", dir=self._folder) as folder:
            yield Path(folder)

    def summary(self) -> list[str]:
        """What was written and what was dropped, a sentence each."""
        name, count = self.card["dataset"], len(self.dropped)
        lines = [
            *self.notes,
            f"{name}: {counted(self.n_clips, 'clip')} written to {self.path}, {count} dropped.",
        ]
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
        self.dropped.append({"clip_id": shown(clip_id), "reason": shown(reason)})
        return False

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
        if self.deal.split_by != "given":
            name = self.card["dataset"]
            self.card["split_rule"] = deal_out(clips, self._contents, self.deal, name)
            self._ledger.deal(clips["split"])
            counts = ", ".join(f"{n} {split}" for split, n in clips["split"].value_counts().items())
            self.notes.append(f"{name}: {self.card['split_rule']}: {counts} clips.")
        warnings = [f"WARNING: {line}" for line in unfair(clips, self._contents)]
        self.notes = [f"{self.card['dataset']}: {line}" for line in warnings] + self.notes
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
            **({"warnings": warnings} if warnings else {}),
            "sha256": {name: sha256_of(self._folder / name) for name in (KEYPOINTS, CLIPS)},
        }
        write_json(self._folder / CARD, card)
        write_json(self._folder / croissant.FILE, croissant.croissant(card, COLUMNS))


def summarise_drops(dropped: list[dict[str, str]]) -> str:
    """`3 x no frame; 1 x all NaN (clip_7)`: counts per reason, with an example."""
    reasons: dict[str, list[str]] = {}
    for drop in dropped:
        reasons.setdefault(drop["reason"], []).append(drop["clip_id"])
    return "; ".join(
        f"{len(ids)} x {reason} ({', '.join(map(shown, ids[:3]))}{', ...' if len(ids) > 3 else ''})"
        for reason, ids in reasons.items()
    )
