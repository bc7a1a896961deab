"""The clip store: a folder that holds a data set's keypoints, its table of clips and its card.

    keypoints.npy   float16 (sum of frames, 75, 2), image-normalised x and y, NaN = missing
    clips.parquet   one row a clip, in the order of the frames (see `COLUMNS`)
    card.json       licence, citation, origin, hashes, layout version, which joints exist, drops

`writing` makes one (streamed: memory does not grow with the data set) and either leaves a
whole store or nothing; `ClipStore.open` maps the keypoints into memory and refuses a store that
breaks a rule, naming file, clip and rule.

    with writing("results/data/mine/clips", card) as writer:
        writer.add("clip_1", keypoints, gloss="book", split="train")
    store = ClipStore.open("results/data/mine/clips")
    store.frames(0).shape            # (n_frames, 75, 2)
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslslr.data.clip_table import read_card, read_clips
from sslslr.data.leaks import content_digest, copies
from sslslr.data.readers.npz import read_header
from sslslr.data.writer import (
    CARD,
    CARD_FIELDS,
    CLIPS,
    COLUMNS,
    KEYPOINTS,
    LAYOUT_VERSION,
    SPLITS,
    STATED,
    STORE_FILES,
    ClipWriter,
    summarise_drops,
    writing,
)
from sslslr.pose.skeleton import N_JOINTS
from sslslr.utils.errors import StoreError, UserError, first_line
from sslslr.utils.files import sha256_of
from sslslr.utils.user_files import open_user_file

__all__ = [
    "CARD", "CARD_FIELDS", "CLIPS", "COLUMNS", "KEYPOINTS", "LAYOUT_VERSION", "SPLITS", "ClipStore",
    "ClipWriter", "concatenated_frames", "content_digest", "summarise_drops", "writing",
]  # fmt: skip

CHUNK_FRAMES = 50_000  # frames read at once: 15 MB
CHANGED = (
    "its sha256 is not the one in card.json; the file was changed after the store was written."
)


class ClipStore:
    """A clip store opened for reading; keypoints stay on disk (memory map).

    Attributes:
        keypoints: float16 (sum of frames, 75, 2).
        clips: the table, one row a clip.
        card: the parsed card.json.
    """

    def __init__(self, path: Path, keypoints: np.ndarray, clips: pd.DataFrame, card: dict):
        self.path, self.keypoints, self.clips, self.card = path, keypoints, clips, card

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def name(self) -> str:
        return self.card["dataset"]

    @property
    def data_hash(self) -> str:
        """Identifies the content: what a run records as the data it was made from.

        Raises:
            StoreError: the files are not those that the card states, so its hashes say nothing of them.
        """
        if changed := self.changed_files():
            raise StoreError(self.path / changed[0], CHANGED, advice="Build it again.")
        return joined_hash(self.card["sha256"])

    def changed_files(self) -> list[str]:
        """Names of the files whose sha256 is not the card's; read again only where size or time changed."""
        names = (KEYPOINTS, CLIPS)
        return [
            name for name in names if _sha256_now(self.path / name) != self.card["sha256"].get(name)
        ]

    def frames(self, index: int) -> np.ndarray:
        """The keypoints of one clip, (n_frames, 75, 2) float16, a view of the memory map."""
        start = int(self.clips["start"].iloc[index])
        return self.keypoints[start : start + int(self.clips["n_frames"].iloc[index])]

    def mapped_anew(self) -> "ClipStore":
        """The same store with a memory map of its own, whose pages go when it does."""
        return ClipStore(
            self.path, self._map_keypoints(self.path / KEYPOINTS), self.clips, self.card
        )

    def joints_present(self) -> np.ndarray:
        """bool (75,): joints that are found in at least one frame."""
        found = np.zeros(N_JOINTS, dtype=bool)
        for first in range(0, len(self.keypoints), CHUNK_FRAMES):
            part = self.mapped_anew().keypoints[first : first + CHUNK_FRAMES]
            found |= np.isfinite(part).all(axis=-1).any(axis=0)
        return found

    def indices(self, split: str | None = None) -> np.ndarray:
        """Row numbers of a split's clips; of all clips for None."""
        if split is None:
            return np.arange(len(self))
        return np.flatnonzero((self.clips["split"] == split).to_numpy(dtype=bool, na_value=False))

    def stated(self, rows: np.ndarray) -> Iterator[dict[str, Any]]:
        """What the table says of some clips, as `ClipWriter.add` takes it; None for nothing."""
        table = self.clips.iloc[rows]
        columns = [table[name].to_numpy(dtype=object, na_value=None) for name in STATED]
        return (dict(zip(STATED, values, strict=True)) for values in zip(*columns, strict=True))

    @classmethod
    def open(cls, path: str | Path) -> "ClipStore":
        """Open and validate (shapes, types, offsets, ids; not every coordinate: see `check`).

        Raises:
            StoreError: names the file, the clip and the rule.
        """
        path = Path(path)
        for name in STORE_FILES:
            if not (path / name).is_file():
                rule = "missing; a clip store has three files."
                raise StoreError(path / name, rule, advice="Build it again.")
        card = read_card(path / CARD)
        keypoints = cls._map_keypoints(path / KEYPOINTS)
        return cls(path, keypoints, read_clips(path / CLIPS, len(keypoints)), card)

    @staticmethod
    def _map_keypoints(file: Path) -> np.ndarray:
        try:
            with open_user_file(file) as stream:
                shape, fortran, kind = read_header(stream)
            keypoints = np.load(file, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            why = first_line(error, 120)
            raise StoreError(
                file, f"cannot be read as an array ({why}).", advice="Build it again."
            ) from None
        if kind != np.float16 or shape[1:] != (N_JOINTS, 2) or fortran:
            order = ", Fortran order" if fortran else ""
            rule = (
                f"must be float16 (frames, {N_JOINTS}, 2), found {kind} {str(shape)[:80]}{order}."
            )
            raise StoreError(file, rule, advice="Build it again.")
        return keypoints

    def check(self) -> list[str]:
        """Read everything and list what is wrong: hashes, bad clips, copies across splits.

        Returns:
            One sentence a finding; empty means sound.
        """
        findings, digests = self.read_whole()
        return findings + [f"{self.path / CLIPS}: {line}" for line in copies(self.clips, digests)]

    def read_whole(self) -> tuple[list[str], list[bytes]]:
        """What is wrong with the files and clips by themselves, and what each clip is equal by."""
        findings = [
            f"{self.path / name}: {CHANGED} Build it again." for name in self.changed_files()
        ]
        digests = []
        for index, clip_id in enumerate(self.clips["clip_id"]):
            frames = self.frames(index)
            if np.isnan(frames).all():
                findings.append(f"{self.path / KEYPOINTS}, clip {clip_id!r}: all NaN.")
            if np.isinf(frames).any():
                findings.append(f"{self.path / KEYPOINTS}, clip {clip_id!r}: infinite coordinates.")
            digests.append(content_digest(frames))
        return findings, digests


def joined_hash(sha256: dict[str, str]) -> str:
    """What a run records as the data it was made from, of the hashes in a card.

    Raises:
        UserError: one of them is absent.
    """
    if absent := {KEYPOINTS, CLIPS} - set(sha256):
        raise UserError(
            f"a card states no sha256 of {sorted(absent)[0]}. Build its clip store again."
        )
    return sha256[KEYPOINTS][:16] + sha256[CLIPS][:16]


def _sha256_now(file: Path) -> str:
    state = file.stat()
    return _sha256_of_state(file.resolve(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256_of_state(file: Path, size: int, mtime_ns: int) -> str:
    return sha256_of(file)


def concatenated_frames(store: ClipStore, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames of several clips in one gather: (sum of their frames, 75, 2) float32 and lengths."""
    lengths = store.clips["n_frames"].to_numpy()[indices]
    starts = store.clips["start"].to_numpy()[indices]
    first = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    rows = first + np.arange(lengths.sum())
    return np.asarray(store.keypoints[rows], dtype=np.float32), lengths
