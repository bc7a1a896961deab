"""Keypoints within what a pickle, an npz or a JSON file holds: arrays, nested lists, persons, parts."""

import re
from typing import Any

import numpy as np

from sslslr.data.conversion.arrays import joined
from sslslr.data.readers import ClipError, RawClip
from sslslr.data.readers._numbers import by_numbers
from sslslr.data.readers._parts import of_frames, of_parts, plain_names

POINTS = (
    "keypoints", "keypoint", "landmarks", "xy", "points", "joints", "skeleton", "poses", "pose", "data",
    "arr_0", "kpts", "keypoints_2d", "pose_keypoints_2d", "frames",
)  # fmt: skip
SCORES = (
    "confidences", "confidence", "scores", "keypoint_scores", "keypoints_scores", "keypoint_score",
    "score", "conf", "visibility", "valid", "visible", "presence",
)  # fmt: skip
MASKS = ("mask", "masks", "missing", "keypoint_mask", "keypoints_mask")
SHAPES = ("vid_shape", "img_shape", "original_shape", "image_shape", "frame_shape")  # height, width
# Of the layouts that MediaPipe writes the confidence is its visibility.
MEDIAPIPE = (27, 59, 75, 543, 553, 576, 586)


def clip_of(content: Any) -> RawClip:
    """The clip in what a file holds.

    Raises:
        ClipError: there are no keypoints in it, or several arrays of which none is called so.
    """
    if isinstance(content, np.ndarray):
        return RawClip(content)
    if isinstance(content, list | tuple):
        return _of_list(content)
    if not isinstance(content, dict):
        raise ClipError(f"it holds {_kind(content)}, not keypoints")
    if numbered(content):  # frames by their numbers
        keys = sorted(content, key=int)
        return by_numbers(_of_list([content[key] for key in keys]), [int(key) for key in keys])
    content = plain_names(content)
    if (parts := of_parts(content)) is not None:
        clip = parts
    else:
        there = [name for name in POINTS if name in content]
        several = [name for name in there if np.ndim(_some(content[name]))]
        name = next(iter(several or there), None)
        if name is None:
            axes = {key: np.ndim(_quiet(value)) for key, value in content.items()}
            most = max(2, *axes.values()) if axes else 2  # of points and their scores the points
            arrays = [key for key, ndim in axes.items() if ndim == most]
            if len(arrays) != 1:
                raise ClipError(
                    f"no array called keypoints, but {', '.join(map(str, content))[:100] or 'nothing'}"
                )
            name = arrays[0]
        inner = content[name]
        clip = (
            clip_of(inner)
            if isinstance(inner, dict)
            else _of_list(inner)
            if isinstance(inner, list | tuple)
            else RawClip(_array(inner, name))
        )
    key = next((key for key in SCORES if key in content), None)
    beside = [name for name, value in content.items() if _is_beside(value, clip.points)]
    if key is None:  # kp_score, confs, kpt_conf: no tool's name is another's
        key = next(
            (name for name in beside if re.search("(?<!low_)(conf|score|likelihood)", str(name))),
            None,
        )
    if key is not None and clip.score is None and clip.layout is None:
        clip.score = _scores(content[key], clip.points)
    clip.visibility = bool(set(clip.points.shape) & set(MEDIAPIPE)) and 133 not in clip.points.shape
    masks = [name for name in MASKS if np.ndim(content.get(name)) > 1]
    clip.unused = tuple(dict.fromkeys((*masks, *(str(name) for name in beside if name != key))))
    clip.size = clip.size or _size(content)
    clip.fps = _number(content.get("fps", content.get("frame_rate")))
    return clip


def numbered(content: dict) -> bool:
    """Whether the keys are whole numbers, each once, as of frames."""
    whole = {int(key) for key in content if str(key).isdecimal() and len(str(key)) < 10}
    return len(content) > 1 and len(whole) == len(content)


def _is_beside(value: Any, points: np.ndarray) -> bool:
    """Whether an array has a number for each point."""
    one = isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
    return one and value.shape in (points.shape[:-1], (*points.shape[:-1], 1))


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _some(value: Any) -> Any:
    """A list or dict as an array of one axis, so that what is no number counts as keypoints."""
    return [0] if isinstance(value, list | tuple | dict) else value


def _quiet(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) else None


def _array(value: Any, name: Any) -> np.ndarray:
    if not isinstance(value, np.ndarray):
        what = "objects or text" if value is None else _kind(value)
        raise ClipError(f"{name}: {what}, not an array of numbers")
    return value


def _of_list(items: Any) -> RawClip:
    """A clip of a list of frames: numbers, arrays of persons, or persons with their scores."""
    if not items:
        raise ClipError("no frame")
    each = all(isinstance(item, list | tuple) and len(item) == 2 for item in items)
    for sides in (items, list(zip(*items, strict=True)) if each else ()):  # of the clip, of a frame
        if (pair := _pair(sides)) is not None:
            return pair
    if all(isinstance(item, np.ndarray) for item in items):
        shapes = {item.shape for item in items}
        if len(shapes) == 1:
            return RawClip(np.stack(items))
        if all(item.ndim == 3 for item in items):
            return RawClip(joined([np.asarray(item, np.float32) for item in items]))
        raise ClipError(
            f"frames of different shapes: {', '.join(map(str, sorted(shapes, key=str)))[:100]}"
        )
    try:
        array = np.array(items)
    except ValueError:
        array = None
    if array is not None and array.dtype.kind in "biuf":
        return RawClip(array)
    if (parts := of_frames(items)) is not None:
        return parts
    frames = [_persons(item) for item in items]
    points = joined([points for points, _ in frames])
    scores = [scores for _, scores in frames]
    return RawClip(
        points, score=_scores(scores, points) if all(s is not None for s in scores) else None
    )


def _pair(items: Any) -> RawClip | None:
    """The clip of keypoints and scores side by side, each a list of frames, as rtmlib's call returns them."""
    if len(items) != 2 or not all(isinstance(item, list | tuple | np.ndarray) for item in items):
        return None
    if not len(items[0]) or len(items[0]) != len(items[1]):
        return None
    try:
        points, scores = ([np.asarray(frame, np.float32) for frame in item] for item in items)
    except (TypeError, ValueError):
        return None
    pairs = list(zip(points, scores, strict=True))
    if any(
        p.ndim not in (2, 3) or p.shape[-1] not in (2, 3) or p.shape[:-1] != s.shape
        for p, s in pairs
    ):
        return None
    clip = _of_list(points)
    clip.score = _scores(scores, clip.points)
    return clip


def _persons(frame: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Points (persons, J, C) and scores (persons, J) of a frame that is a list of persons."""
    if isinstance(frame, dict):
        inner = frame.get("instances", frame.get("predictions", frame.get("people")))
        if inner is None and (persons := _together(frame)) is not None:
            return persons
        frame = [frame] if inner is None else inner
    if frame is None:
        frame = []
    try:
        if isinstance(frame, list | tuple) and all(isinstance(person, dict) for person in frame):
            points = [np.asarray(p[next(k for k in POINTS if k in p)], np.float32) for p in frame]
            points = [p.reshape(-1, 3) if p.ndim == 1 and p.size % 3 == 0 else p for p in points]
            keys = [next((k for k in SCORES if k in p), None) for p in frame]
            scores = [np.asarray(p[k], np.float32) for p, k in zip(frame, keys, strict=True) if k]
            if not points:
                return np.empty((0, 0, 2), np.float32), np.empty((0, 0), np.float32)
            scored = len(scores) == len(points) and all(
                s.shape == p.shape[:1] for s, p in zip(scores, points, strict=True)
            )
            return np.stack(points), np.stack(scores) if scored else None
        array = np.asarray(frame, dtype=np.float32)
    except (ValueError, TypeError, StopIteration):
        raise ClipError("frames that are no lists of keypoints") from None
    if array.ndim == 2 and array.shape[-1] in (2, 3, 4):
        array = array[None]
    if array.ndim != 3:
        if array.size:
            raise ClipError(f"a frame of shape {array.shape}, not persons, points and coordinates")
        array = np.empty((0, 0, 2), np.float32)
    return array, None


def _together(frame: dict) -> tuple[np.ndarray, np.ndarray | None] | None:
    """As `_persons`, of a frame whose persons share one array, as rtmlib returns them; None of another."""
    try:
        points = np.asarray(next(frame[k] for k in POINTS if k in frame), dtype=np.float32)
        scores = np.asarray(next((frame[k] for k in SCORES if k in frame), 0), dtype=np.float32)
    except (ValueError, TypeError, StopIteration):
        return None
    if points.size == 0:
        return np.empty((0, 0, 2), np.float32), np.empty((0, 0), np.float32)
    if points.ndim != 3:
        return None
    return points, scores if scores.shape == points.shape[:2] else None


def _scores(values: Any, points: np.ndarray) -> np.ndarray:
    """Scores of each point in the arrangement of `points`."""
    if isinstance(values, list | tuple):
        if not values:
            raise ClipError("confidences that do not go with the keypoints")
        rows = [np.asarray(value, dtype=np.float32) for value in values]
        if (
            len({row.shape for row in rows}) == 1
            and rows[0].size * len(rows) == points[..., 0].size
        ):
            return np.stack(rows)
        out = np.full(points.shape[:-1], np.nan, dtype=np.float32)
        if points.ndim != 4 or len(rows) != len(points):
            raise ClipError("confidences that do not go with the keypoints")
        for number, row in enumerate(rows):
            row = row.reshape(-1, points.shape[2]) if row.size else row.reshape(0, points.shape[2])
            out[number, : len(row)] = row
        return out
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        raise ClipError("confidences that do not go with the keypoints")
    if values.ndim == points.ndim and values.shape[-1] == 1:
        values = values[..., 0]
    return values


def _size(content: dict) -> tuple[float, float] | None:
    for name in SHAPES:
        if name in content:
            return image_size(content[name])
    return image_size((content.get("height"), content.get("width")))


def image_size(shape: Any) -> tuple[float, float] | None:
    """(width, height) of (height, width, ...); None where it is not two such numbers."""
    try:
        height, width = (int(number) for number in tuple(shape)[:2])
    except (TypeError, ValueError, OverflowError):
        return None
    return (width, height) if 0 < width < 100_000 and 0 < height < 100_000 else None


def _number(value: Any) -> float | None:
    try:
        return float(np.asarray(value).reshape(-1)[0]) if value is not None else None
    except (TypeError, ValueError, IndexError):
        return None
