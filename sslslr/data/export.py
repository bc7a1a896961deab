"""Clips of a store in the formats of the field's own tools: `.pose`, `.npy` with a table, parquet.

    pose       CLIP.pose (pose-format 0.2, MediaPipe Holistic's names), to look at in its viewers
    npy        CLIP.npy (frames, 75, 2), 0 to 1, NaN = missing
    parquet    clips.parquet, a row a joint that was found: clip_id, frame, joint, x, y (and a row of NaN
               where nothing was found in a clip's last frame)

A labels.csv goes with each, so that `sslslr data import` reads what was written. A `.pose` file has to state
a rate and a size: of a clip without them `RATE` and a square are written, and labels.csv says `unknown`.
"""

import functools
import io
import re
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from sslslr.data.conversion.units import around_zero
from sslslr.data.store import ClipStore
from sslslr.pose.skeleton import BODY, BODY_NAMES, EDGES, HAND_NAMES, LEFT_HAND, NAMES, RIGHT_HAND
from sslslr.utils.errors import UserError
from sslslr.utils.files import atomic_folder
from sslslr.utils.tables import UNKNOWN, write_csv

Format = Literal["pose", "npy", "parquet"]
COLUMNS = ("clip_id", "gloss", "split", "signer", "language", "fps", "aspect")
HEIGHTS = range(720, 1441)  # pixels, of which one is written to a .pose file's header
SAMPLE = 200  # clips by which a store is known to be normalised
RATE = 25.0  # of a .pose file whose clip states none


def export(store: ClipStore, out: str | Path, form: Format) -> int:
    """Write every clip of a store into a new folder, whole or not at all; how many.

    Raises:
        UserError: the folder holds something else.
    """
    if Path(out).exists() and (not Path(out).is_dir() or any(Path(out).iterdir())):
        what = "is not empty" if Path(out).is_dir() else "is no folder"
        raise UserError(f"{out}: {what}. Name a new folder.")
    clips = store.clips
    names = [_file_name(str(clip_id), number) for number, clip_id in enumerate(clips["clip_id"])]
    rows, parts = clips[list(COLUMNS)].copy(), []
    # Of a normalised set too a clip of one hand may lie on one side of zero.
    centred = form == "pose" and _mostly_around_zero(store)
    with atomic_folder(out) as folder:
        for number, name in enumerate(names):
            frames = np.asarray(store.frames(number), dtype=np.float32)
            if form == "npy":
                np.save(folder / f"{name}.npy", frames)
            elif form == "pose":
                (folder / f"{name}.pose").write_bytes(
                    pose_file(
                        frames, clips["fps"].iloc[number], clips["aspect"].iloc[number], centred
                    )
                )
            else:
                parts.append(_long(str(clips["clip_id"].iloc[number]), frames))
        if form == "parquet":
            pd.concat(parts, ignore_index=True).to_parquet(folder / "clips.parquet", index=False)
        else:
            rows.insert(0, "file", [f"{name}.{form}" for name in names])
        if form == "pose":
            for name in ("fps", "aspect"):
                rows[name] = rows[name].astype(object).where(rows[name].notna(), UNKNOWN)
        write_csv(rows, folder / "labels.csv")
    return len(names)


def unstated(store: ClipStore, form: Format) -> list[str]:
    """What the store does not know of its clips, and what is written instead; a sentence each."""
    instead = {"fps": f"{RATE:g}", "aspect": "a square image"}
    lines = []
    for name, value in instead.items():
        if count := int(store.clips[name].isna().sum()):
            written = (
                f"{value} is written to their headers, and {UNKNOWN} to labels.csv, which counts in an import"
                if form == "pose"
                else "labels.csv leaves it empty"
            )
            lines.append(f"{name} is not known of {count} of {len(store)} clips: {written}.")
    return lines


@functools.cache
def _image(aspect: float) -> tuple[int, int]:
    """Width and height in whole pixels that come nearest to an aspect; the smallest such."""
    height = min(HEIGHTS, key=lambda height: abs(round(aspect * height) / height - aspect))
    return round(aspect * height), height


def _file_name(clip_id: str, number: int) -> str:
    """A plain name; ids may hold slashes or be longer than a name may be."""
    return f"{number:06d}_" + re.sub(r"[^A-Za-z0-9_-]+", "_", clip_id)[:80]


def _mostly_around_zero(store: ClipStore) -> bool:
    """Whether the clips of a store are normalised, and so of no image."""
    rows = np.unique(np.linspace(0, len(store) - 1, min(SAMPLE, len(store))).astype(int))
    clips = [np.asarray(store.frames(row), dtype=np.float32) for row in rows]
    joints = [xy[np.isfinite(xy).all(axis=-1)] for xy in clips]
    return 2 * sum(len(xy) > 0 and around_zero(xy) for xy in joints) > len(rows)


def pose_file(
    frames: np.ndarray, fps: float | None, aspect: float | None, centred: bool = False
) -> bytes:
    """The bytes of a `.pose` file of (frames, 75, 2): MediaPipe's components, pixels, confidence 1 or 0.

    Args:
        centred: the clip is normalised, and its coordinates are written as they are.
    """
    from pose_format import Pose
    from pose_format.numpy import NumPyPoseBody
    from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

    hand = [name.upper().replace("INDEX", "INDEX_FINGER") for name in HAND_NAMES]
    hand = [re.sub("^(MIDDLE|RING)_", r"\1_FINGER_", name) for name in hand]
    parts = (
        ("POSE_LANDMARKS", [name.upper() for name in BODY_NAMES], "body", BODY),
        ("LEFT_HAND_LANDMARKS", hand, "left_hand", LEFT_HAND),
        ("RIGHT_HAND_LANDMARKS", hand, "right_hand", RIGHT_HAND),
    )
    components = [
        PoseHeaderComponent(
            name, points, [(a - where.start, b - where.start) for a, b in EDGES[part]], [(0, 128, 0)], "XYC"
        )
        for name, points, part, where in parts
    ]  # fmt: skip
    known = aspect is not None and np.isfinite(aspect)
    size = PoseHeaderDimensions(*_image(float(aspect) if known and aspect else 1.0), 0)
    order = np.r_[BODY, LEFT_HAND, RIGHT_HAND]
    found = np.isfinite(frames[:, order]).all(axis=-1)
    points = np.where(found[..., None], frames[:, order], 0)
    if found.any() and not centred and not around_zero(points[found]):
        points = points * (size.width, size.height)
    rate = float(fps) if fps is not None and np.isfinite(fps) else RATE
    body = NumPyPoseBody(
        rate, points[:, None].astype(np.float32), found[:, None].astype(np.float32)
    )
    stream = io.BytesIO()
    Pose(PoseHeader(0.2, size, components), body).write(stream)
    return stream.getvalue()


def _long(clip_id: str, frames: np.ndarray) -> pd.DataFrame:
    found = np.isfinite(frames).all(axis=-1)
    found[-1, 0] |= not found[-1].any()  # so that the length can be read again
    frame, joint = np.nonzero(found)
    x, y = frames[frame, joint].T
    names = np.array(NAMES, dtype=object)[joint]
    return pd.DataFrame(
        {"clip_id": clip_id, "frame": frame.astype(np.int32), "joint": names, "x": x, "y": y}
    )
