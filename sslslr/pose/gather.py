"""Shards of estimated keypoints into a clip store: threshold, smoothing, what was left out and why."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sslslr.clips import ClipWriter
from sslslr.errors import UserError
from sslslr.pose.quality import exchanged_frames
from sslslr.pose.shards import Entry, Shard
from sslslr.pose.smooth import Smoothing, smooth


def gather(
    folders: Iterable[Path],
    entries: list[Entry],
    left_out: list[tuple[str, str]],
    writer: ClipWriter,
    *,
    min_confidence: float,
    smoothing: Smoothing,
    language: str | None = None,
) -> None:
    """Add every video of the shards to a clip store; bad ones are listed with their reason.

    Args:
        min_confidence: joints below it become NaN.

    Raises:
        UserError: a shard is missing, broken, of other videos or of another model.
    """
    shards = [Shard(folder) for folder in folders]
    first, expected = shards[0], [entry.clip_id for entry in entries]
    found = [video["clip_id"] for shard in shards for video in shard.videos]
    if found != expected:
        raise UserError(f"{first.folder.parent}: shards of other videos. Extract them again.")
    totals = {"lost_frames": 0, "exchanged": 0, "compared": 0}
    digest = hashlib.sha256()
    records = iter(entries)
    for shard in shards:
        if (shard.settings, shard.model) != (first.settings, first.model):
            raise UserError(
                f"{shard.folder}: made with other settings or another model than {first.folder}. "
                "Extract both again."
            )
        for video, keypoints in shard.clips():
            entry = next(records)
            digest.update(f"{entry.file} {video.get('sha256')}\n".encode())
            if keypoints is None:
                writer.drop(
                    entry.clip_id,
                    video["reason"],
                    entry.columns["split"],
                    found=video.get("sha256") is not None,
                )
            else:
                _add(writer, entry, video, keypoints, min_confidence, smoothing, language, totals)
    for name, reason in left_out:
        writer.drop(name, reason)
    writer.card["inputs"] = {**(writer.card.get("inputs") or {}), "videos": digest.hexdigest()}
    compared = totals["compared"]
    writer.card["extraction"] = {
        **first.settings,
        **first.model,
        "min_confidence": min_confidence,
        "smoothing": smoothing.model_dump(),
        "lost_frames": totals["lost_frames"],
        "hands_exchanged": round(totals["exchanged"] / compared, 4) if compared else None,
    }


def _add(
    writer: ClipWriter,
    entry: Entry,
    video: dict[str, Any],
    keypoints: np.ndarray,
    min_confidence: float,
    smoothing: Smoothing,
    language: str | None,
    totals: dict[str, int],
) -> None:
    sure = keypoints[..., 2] >= min_confidence  # NaN is not
    frames = np.where(sure[..., None], keypoints[..., :2], np.float32(np.nan))
    frames = smooth(frames, video["fps"], smoothing)
    exchanged, compared = exchanged_frames(frames, video["aspect"])
    kept = writer.add(
        entry.clip_id,
        frames,
        **{**entry.columns, "language": entry.columns["language"] or language},
        fps=video["fps"],
        aspect=video["aspect"],
        source=entry.file,
        lost_frames=video["lost"],
        hands_exchanged=exchanged / compared if compared else np.nan,
    )
    if kept:
        totals["lost_frames"] += video["lost"]
        totals["exchanged"] += exchanged
        totals["compared"] += compared
