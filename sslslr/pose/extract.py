"""Videos through a pose backend into shards of keypoints.

    settings = Extraction(backend="mediapipe")
    prepare_model(settings, Path("models/mediapipe"))          # sslslr/pose/model.py
    extract_shard(settings, Path("models/mediapipe"), folder, entries, Path("shards/0"))

A shard is a whole folder or absent, so a kill loses one shard at most. Frames stream through the
backend in batches and keypoints to the disk: memory does not grow with a video's length.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sslslr.pose.backends import BACKENDS
from sslslr.pose.model import Extraction, backend_options, prepared_model
from sslslr.pose.shards import (
    KEYPOINTS,
    SHARD_VERSION,
    VIDEOS,
    Entry,
    file_hash,
    fingerprint,
)
from sslslr.pose.skeleton import N_JOINTS
from sslslr.pose.video import BadVideo, open_video
from sslslr.utils.files import atomic_folder, read_object, refuse_foreign, write_json

BATCH_BYTES = 256 << 20  # of pictures that wait for the model, whatever batch it wants


def extract_shard(
    settings: Extraction,
    model_folder: Path,
    folder: Path,
    entries: list[Entry],
    out: Path,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Estimate the keypoints of some videos into the shard `out`; whole or absent.

    A bad video is recorded with its reason, and said; the others go on.

    Args:
        folder: what the entries' files are relative to.
        progress: called with (videos done, videos).

    Raises:
        UserError: the backend cannot be used, the disk is full, or `out` cannot be written or holds
            other files.
    """
    refuse_foreign(out, (KEYPOINTS, VIDEOS), "shard of keypoints", (VIDEOS, "shard_version"))
    model = prepared_model(settings, model_folder)
    entry_point = BACKENDS.get(settings.backend)
    backend = entry_point(backend_options(settings), model_folder)
    try:
        with atomic_folder(out) as temporary:
            with open(temporary / KEYPOINTS, "w+b") as stream:
                records = _extract_all(settings, backend, folder, entries, stream, progress, say)
            shown = settings.model_dump(include={"resample_fps"})
            content = {
                "shard_version": SHARD_VERSION,
                "fingerprint": fingerprint(folder, entries, settings.model_dump(), model),
                "settings": shown,
                "model": model,
                "videos": records,
            }
            write_json(temporary / VIDEOS, content)
    finally:
        backend.close()


def _extract_all(
    settings: Extraction,
    backend: Any,
    folder: Path,
    entries: list[Entry],
    stream: BinaryIO,
    progress: Callable[[int, int], None] | None,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    frames, records = 0, []
    _write_header(stream, 0)
    for number, entry in enumerate(entries):
        begin = stream.tell()
        record: dict[str, Any] = {"clip_id": entry.clip_id, "file": entry.file}
        try:
            if entry.fault:
                raise BadVideo(entry.fault)
            path = folder / entry.file
            record["sha256"] = file_hash(path)
            record |= extract_video(path, backend, stream, settings.resample_fps)
            frames += record["n_frames"]
        except BadVideo as error:
            stream.seek(begin)
            stream.truncate()
            record["reason"] = str(error)
            say(f"{entry.file}: left out, {error}.")
        records.append(record)
        if progress:
            progress(number + 1, len(entries))
    stream.seek(0)
    _write_header(stream, frames)
    return records


def _write_header(stream: BinaryIO, frames: int) -> None:
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)),
        "fortran_order": False,
        "shape": (frames, N_JOINTS, 3),
    }
    np.lib.format.write_array_header_1_0(stream, header)  # padded, so that it can be written again


def extract_video(
    path: Path, backend: Any, stream: BinaryIO, resample_fps: float | None = None
) -> dict[str, Any]:
    """Append a video's keypoints to `stream`, (frames, 75, 3) float32; returns what it is.

    Raises:
        BadVideo: the reason; what was appended is for the caller to remove.
    """
    backend.start()
    n_frames = 0
    with open_video(path) as video:
        for batch in batches(video.frames_at(resample_fps), backend.batch):
            joints = np.ascontiguousarray(backend.estimate(batch), dtype=np.float32)
            stream.write(joints.tobytes())
            n_frames += len(joints)
        return {
            "n_frames": n_frames,
            "fps": resample_fps or video.fps,
            "aspect": round(video.aspect, 6),
            "width": video.width,
            "height": video.height,
            "lost": video.lost,
            "several": getattr(backend, "several", None),
        }


def batches(frames: Iterable[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    """Lists of `size` frames, fewer where the pictures are large (`BATCH_BYTES`)."""
    frames = iter(frames)
    for first in frames:
        count = max(1, min(size, BATCH_BYTES // max(first.nbytes, 1)))
        yield [first, *itertools.islice(frames, count - 1)]


def up_to_date(
    out: Path, folder: Path, entries: list[Entry], settings: Extraction, model: dict
) -> bool:
    """Was the shard `out` made from these files with these settings? A killed run goes on so."""
    if not (out / VIDEOS).is_file() or not (out / KEYPOINTS).is_file():
        return False
    wanted = fingerprint(folder, entries, settings.model_dump(), model)
    return read_object(out / VIDEOS).get("fingerprint") == wanted
