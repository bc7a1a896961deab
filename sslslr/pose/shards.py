"""Which videos there are, and what a shard of estimated keypoints is.

A shard holds the keypoints of some videos (`shard_size` of them), as the backend estimated them:

    keypoints.npy   float32 (sum of frames, 75, 3): x and y normalised, confidence; NaN = not found
    videos.json     the settings, the model, and a record a video: frames, rate, aspect, or why not

Threshold and smoothing come when shards are gathered (`sslslr/data/datasets/_gather_shards.py`), so that
neither asks for a new extraction.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sslslr.config.settings import SPLITS
from sslslr.pose.skeleton import N_JOINTS
from sslslr.utils.errors import UserError
from sslslr.utils.files import read_object, sha256_of
from sslslr.utils.tables import plain_path, read_table, without_suffix

SHARD_VERSION = 1
KEYPOINTS, VIDEOS = "keypoints.npy", "videos.json"
SUFFIXES = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .ts .mts .m2ts .flv .wmv .asf .ogv .3gp .gif".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Entry:
    """A video of the data set: its file (relative to the folder) and what its clip is called."""

    clip_id: str
    file: str
    columns: dict[str, Any]  # gloss, signer, split, language
    fault: str = ""  # why it is not even opened


def list_videos(folder: Path, table: Path | None) -> tuple[list[Entry], list[tuple[str, str]]]:
    """The videos of a data set, in the order of the table, and what is left out from the start.

    Args:
        folder: the videos.
        table: csv with `file` (relative to the folder), `gloss`, and where known `clip_id`,
            `split`, `signer`, `language`. None: a sub-folder a gloss, `book/1.mp4`.

    Returns:
        Entries, and (name, reason) of files that are no part of the data set.

    Raises:
        UserError: no such folder or table, a row without a file, two clips of one name.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder of videos.")
    files = {p.relative_to(folder).as_posix() for p in _visible(folder)}
    entries = _of_table(table, files) if table is not None else _of_folder(folder)
    seen: dict[str, str] = {}
    for entry in entries:
        if entry.clip_id in seen:
            raise UserError(
                f"{table or folder}: {seen[entry.clip_id]!r} and {entry.file!r} would both be the "
                f"clip {entry.clip_id!r}; give the table a column clip_id with unique names."
            )
        seen[entry.clip_id] = entry.file
    named = {Path(entry.file).as_posix() for entry in entries}
    why = f"no row in {table.name}" if table is not None else "its name does not end as a video's"
    skip = {table.resolve()} if table is not None else set()
    left_out = [
        (printable(name), why)
        for name in sorted(files)
        if name not in named and (folder / name).resolve() not in skip
    ]
    if not entries:
        raise UserError(f"{table or folder}: names no video.")
    return entries, left_out


def _visible(folder: Path) -> Iterator[Path]:
    """Files and links below a folder, hidden ones and those in hidden folders left out."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if not any(part.startswith(".") for part in parts) and (
            path.is_symlink() or not path.is_dir()
        ):
            yield path


def _of_table(table: Path, files: set[str]) -> list[Entry]:
    there = {plain_path(name): name for name in files}
    rows = read_table(table, required=("file", "gloss"))
    entries = []
    for number, row in enumerate(rows.to_dict("records")):
        if not row["file"]:
            raise UserError(f"{table}, row {number + 2}: file is empty.")
        if row.get("split") not in (None, *SPLITS):
            raise UserError(
                f"{table}, row {number + 2}: split {row['split']!r} is not one of {', '.join(SPLITS)} "
                "or empty."
            )
        name = row["file"]
        if Path(name).as_posix() not in files:
            name = there.get(plain_path(name), name)  # as the folder spells it
        file = Path(name)
        columns = {key: row.get(key) for key in ("gloss", "signer", "split", "language")}
        clip_id = row.get("clip_id") or without_suffix(row["file"])
        fault = "" if file.name else "its path names no file"
        if file.is_absolute() or ".." in file.parts:
            fault = "its path leads out of the folder"
        entries.append(Entry(clip_id, name, columns, fault))
    return entries


def _of_folder(folder: Path) -> list[Entry]:
    entries = []
    for path in sorted(_visible(folder)):
        if path.suffix.lower() not in SUFFIXES:
            continue
        name = path.relative_to(folder)
        gloss = name.parts[0] if len(name.parts) > 1 else None
        columns = {"gloss": gloss, "signer": None, "split": None, "language": None}
        shown = printable(name.as_posix())
        fault = "" if shown == name.as_posix() else "its name is not UTF-8"
        entries.append(Entry(printable(name.with_suffix("").as_posix()), shown, columns, fault))
    return entries


def printable(name: str) -> str:
    """A file name that is not UTF-8, with its odd bytes written out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def n_shards(n_videos: int, shard_size: int) -> int:
    """How many shards; known before anything is decoded."""
    return -(-n_videos // shard_size)


def shard_of(entries: list[Entry], shard_size: int, number: int) -> list[Entry]:
    """The videos of shard `number`, counted from 0.

    Raises:
        UserError: there is no such shard.
    """
    count = n_shards(len(entries), shard_size)
    if not 0 <= number < count:
        raise UserError(f"shard {number} of {count}: there is no such shard.")
    return entries[number * shard_size : (number + 1) * shard_size]


class Shard:
    """A shard opened for reading (memory map); raises UserError where it is not whole."""

    def __init__(self, folder: Path):
        self.folder = folder
        content = read_object(folder / VIDEOS)
        if content.get("shard_version") != SHARD_VERSION:
            raise UserError(f"{folder / VIDEOS}: another version's shard. Extract it again.")
        self.settings, self.model, self.videos = (
            content["settings"],
            content["model"],
            content["videos"],
        )
        try:
            self.keypoints = np.load(folder / KEYPOINTS, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"{folder / KEYPOINTS}: not readable ({error}). Extract it again."
            ) from None
        frames = sum(video.get("n_frames", 0) for video in self.videos)
        if self.keypoints.shape != (frames, N_JOINTS, 3):
            raise UserError(
                f"{folder / KEYPOINTS}: shape {self.keypoints.shape}, but {VIDEOS} counts {frames} "
                "frames. Extract it again."
            )

    def clips(self) -> Iterator[tuple[dict[str, Any], np.ndarray | None]]:
        """A video's record and its (frames, 75, 3) keypoints; None for a bad video."""
        start = 0
        for video in self.videos:
            if "reason" in video:
                yield video, None
                continue
            yield video, np.asarray(self.keypoints[start : start + video["n_frames"]])
            start += video["n_frames"]


def fingerprint(folder: Path, entries: list[Entry], settings: dict, model: dict) -> str:
    """Identifies what a shard is made from: settings, model, and the files by size and time."""
    files = []
    for entry in entries:
        try:
            state = (folder / entry.file).stat()
            files.append([entry.clip_id, entry.file, state.st_size, state.st_mtime_ns])
        except (OSError, ValueError):
            files.append([entry.clip_id, entry.file, None, None])
    text = json.dumps([SHARD_VERSION, settings, model, files], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def file_hash(path: Path) -> str | None:
    """sha256 of a video, None where it cannot be read."""
    try:
        return sha256_of(path) if path.is_file() else None
    except (OSError, ValueError):
        return None
