"""Shards of estimated keypoints into a clip store: threshold, smoothing, what was left out and why."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sslslr.data.quality import exchanged_frames
from sslslr.data.store import ClipWriter
from sslslr.pose.shards import Entry, Shard
from sslslr.pose.skeleton import PARTS
from sslslr.pose.smoothing import Smoothing, smooth
from sslslr.utils.errors import UserError


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
    totals: Counter[str] = Counter()
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
    writer.notes += _notes(totals)


def _notes(totals: Counter[str]) -> list[str]:
    """What a person should know of the keypoints before trusting them, a sentence each."""

    def share(part: str, whole: str) -> str:
        return f"{100 * totals[part] / totals[whole]:.0f} %"

    lines = []
    if totals["frames"]:
        left, right = share("left", "frames"), share("right", "frames")
        lines.append(f"The left hand was found in {left} of the frames, the right hand in {right}.")
    lines.append(
        f"The hands look exchanged in {share('exchanged', 'compared')} of the frames that tell."
        if totals["compared"]
        else "No frame tells whether the hands are exchanged: wrists of the body were not found."
    )
    lines.append(
        f"Several persons are in {totals['several']} of {totals['looked']} videos; one is followed."
        if totals["looked"]
        else "Whether videos show several persons was not looked for: there is no detector."
    )
    return lines


def _add(
    writer: ClipWriter,
    entry: Entry,
    video: dict[str, Any],
    keypoints: np.ndarray,
    min_confidence: float,
    smoothing: Smoothing,
    language: str | None,
    totals: Counter[str],
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
        totals["frames"] += len(frames)
        for part in ("left_hand", "right_hand"):
            found = np.isfinite(frames[:, PARTS[part], 0]).any(axis=1)
            totals[part.removesuffix("_hand")] += int(found.sum())
        if video.get("several") is not None:
            totals["looked"] += 1
            totals["several"] += video["several"] > 0
