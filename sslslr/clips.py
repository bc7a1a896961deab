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

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from sslslr.clip_writer import (
    CARD,
    CARD_FIELDS,
    CLIPS,
    COLUMNS,
    KEYPOINTS,
    LAYOUT_VERSION,
    SPLITS,
    ClipWriter,
    summarise_drops,
    writing,
)
from sslslr.errors import StoreError
from sslslr.files import read_json, sha256_of
from sslslr.skeleton import N_JOINTS, to_75

__all__ = [
    "CARD",
    "CARD_FIELDS",
    "CLIPS",
    "COLUMNS",
    "KEYPOINTS",
    "LAYOUT_VERSION",
    "SPLITS",
    "ClipStore",
    "ClipWriter",
    "concatenated_frames",
    "content_digest",
    "summarise_drops",
    "writing",
]


CHUNK_FRAMES = 50_000  # frames read at once: 15 MB


def content_digest(keypoints: np.ndarray) -> bytes:
    """Equal for clips that a store holds as equal keypoints: (frames, 75 or 42, 2)."""
    frames = to_75(keypoints).astype(np.float16)
    # There are many bit patterns of NaN.
    return hashlib.sha256(np.where(np.isnan(frames), np.float16(np.nan), frames)).digest()


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
        """Identifies the content: what a run records as the data it was made from."""
        return self.card["sha256"][KEYPOINTS][:16] + self.card["sha256"][CLIPS][:16]

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

    @classmethod
    def open(cls, path: str | Path) -> "ClipStore":
        """Open and validate (shapes, types, offsets, ids; not every coordinate: see `check`).

        Raises:
            StoreError: names the file, the clip and the rule.
        """
        path = Path(path)
        for name in (KEYPOINTS, CLIPS, CARD):
            if not (path / name).is_file():
                rule = "missing; a clip store has three files."
                raise StoreError(path / name, rule, advice="Build it again.")
        card = read_json(path / CARD)
        if not isinstance(card, dict):
            raise StoreError(path / CARD, "must be a JSON object.", advice="Build it again.")
        if card.get("layout_version") != LAYOUT_VERSION:
            found = card.get("layout_version")
            rule = f"layout version {found}, this package reads {LAYOUT_VERSION}."
            raise StoreError(path / CARD, rule, advice="Build it again.")
        known = ("dataset", "sha256", "joints", "dropped")
        if absent := [key for key in known if key not in card]:
            raise StoreError(
                path / CARD, f"key {absent[0]!r} is missing.", advice="Build it again."
            )
        keypoints = cls._map_keypoints(path / KEYPOINTS)
        try:
            clips = pd.read_parquet(path / CLIPS)
        except Exception as error:  # pyarrow raises several kinds
            rule = f"cannot be read as parquet ({error})."
            raise StoreError(path / CLIPS, rule, advice="Build it again.") from None
        _validate_table(path / CLIPS, clips, len(keypoints))
        return cls(path, keypoints, clips, card)

    @staticmethod
    def _map_keypoints(file: Path) -> np.ndarray:
        try:
            keypoints = np.load(file, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            rule = f"cannot be read as an array ({error})."
            raise StoreError(file, rule, advice="Build it again.") from None
        shape, kind = keypoints.shape, keypoints.dtype
        if kind != np.float16 or shape[1:] != (N_JOINTS, 2):
            rule = f"must be float16 (frames, {N_JOINTS}, 2), found {kind} {shape}."
            raise StoreError(file, rule, advice="Build it again.")
        return keypoints

    def check(self) -> list[str]:
        """Read everything and list what is wrong: hashes, bad clips, copies across splits.

        Returns:
            One sentence a finding; empty means sound.
        """
        findings = [
            f"{self.path / name}: its sha256 is not the one in card.json; the file was changed "
            "after the store was written. Build it again."
            for name in (KEYPOINTS, CLIPS)
            if sha256_of(self.path / name) != self.card["sha256"].get(name)
        ]
        copies: dict[bytes, list[int]] = {}
        for index, clip_id in enumerate(self.clips["clip_id"]):
            frames = self.frames(index)
            if np.isnan(frames).all():
                findings.append(f"{self.path / KEYPOINTS}, clip {clip_id!r}: all NaN.")
            if np.isinf(frames).any():
                findings.append(f"{self.path / KEYPOINTS}, clip {clip_id!r}: infinite coordinates.")
            copies.setdefault(content_digest(frames), []).append(index)
        for same in copies.values():
            rows = self.clips.iloc[same]
            if len(rows["split"].dropna().unique()) > 1:
                ids = ", ".join(map(repr, rows["clip_id"]))
                splits = ", ".join(rows["split"].dropna().unique())
                findings.append(
                    f"{self.path / CLIPS}: clips {ids} have the same keypoints and lie in splits "
                    f"{splits}: one split leaks into the other."
                )
        return findings


def _validate_table(file: Path, clips: pd.DataFrame, n_frames: int) -> None:
    """The rules of clips.parquet; raises StoreError at the first that is broken."""
    if absent := [column for column in COLUMNS if column not in clips]:
        raise StoreError(file, f"column {absent[0]!r} is missing.")
    if len(clips) == 0:
        raise StoreError(file, "holds no clip.")
    for column in ("start", "n_frames"):
        if clips[column].dtype.kind not in "iu":
            rule = f"column {column!r} must hold whole numbers, found {clips[column].dtype}."
            raise StoreError(file, rule)
    if clips["clip_id"].isna().any():
        row = int(np.flatnonzero(clips["clip_id"].isna())[0])
        raise StoreError(file, f"row {row} has no clip_id.")

    def first_clip(bad: pd.Series | np.ndarray) -> str:
        return str(clips["clip_id"][np.asarray(bad, dtype=bool)].iloc[0])

    repeated = clips["clip_id"].duplicated()
    if repeated.any():
        raise StoreError(file, "clip_id occurs twice; ids must be unique.", first_clip(repeated))
    empty = clips["n_frames"].to_numpy() < 1
    if empty.any():
        raise StoreError(file, "has no frame.", first_clip(empty))
    unknown = ~(clips["split"].isna() | clips["split"].isin(SPLITS))
    if unknown.any():
        rule = f"split is not one of {', '.join(SPLITS)} or empty."
        raise StoreError(file, rule, first_clip(unknown))
    nameless = clips["gloss"].isna()
    if nameless.any():
        raise StoreError(file, "has no gloss.", first_clip(nameless))
    ends = np.cumsum(clips["n_frames"].to_numpy())
    starts = np.concatenate([[0], ends[:-1]])
    astray = clips["start"].to_numpy() != starts
    if astray.any():
        rule = "offsets are not contiguous: start is not the end of the clip before."
        raise StoreError(file, rule, first_clip(astray))
    if ends[-1] != n_frames:
        raise StoreError(
            file.with_name(KEYPOINTS),
            f"holds {n_frames} frames, clips.parquet counts {ends[-1]}; one of the two was cut.",
            first_clip(np.arange(len(clips)) == len(clips) - 1),
        )


def concatenated_frames(store: ClipStore, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames of several clips in one gather: (sum of their frames, 75, 2) float32 and lengths."""
    lengths = store.clips["n_frames"].to_numpy()[indices]
    starts = store.clips["start"].to_numpy()[indices]
    first = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    rows = first + np.arange(lengths.sum())
    return np.asarray(store.keypoints[rows], dtype=np.float32), lengths
