"""OpenPose's JSON: a folder a clip, a file a frame; frames without people among them.

`people` holds `pose_keypoints_2d` (25 points), `hand_left_keypoints_2d`, `hand_right_keypoints_2d` (21
each), every point x, y and a confidence, in pixels (or 0 to 1, if OpenPose was told to).
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from sslslr.data.conversion.arrays import joined
from sslslr.data.readers import ClipError, RawClip, Reader, Unit, parts_of, register
from sslslr.data.readers._numbers import by_numbers
from sslslr.pose.layouts import named
from sslslr.utils.files import MOST_JSON, refuse_vast_json

PARTS = (
    ("pose_keypoints_2d", 25), ("hand_left_keypoints_2d", 21), ("hand_right_keypoints_2d", 21),
)  # fmt: skip
LAYOUT = "openpose25-left-right"
COCO18 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)  # of OpenPose's older body


@register
class OpenPose(Reader):
    title = "OpenPose: a folder a clip, one .json a frame (25 body points and hands); or all frames in one .json"
    why = "folders of .json files with OpenPose's `people`"

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        return [
            Unit(clip, frames, "openpose")
            for clip, frames in clips_of_frames(names, lambda name: _is_frame(members, name))
        ]

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        names = [name.rpartition("/")[2] for name in unit.files]
        frames = [
            loaded(members.read(file), f"{name}: ")
            for file, name in zip(unit.files, names, strict=True)
        ]
        return clip_of_frames(frames, [number_of(name) for name in unit.files], names)


def clips_of_frames(
    names: Sequence[str], is_frame: Callable[[str], bool]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Name and files of the clips whose frames are `.json` files with a number each.

    Args:
        is_frame: whether such a file is a frame; asked of the first of each folder.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for name in names:
        folder, stem, ending = parts_of(name)
        if ending == ".json" and re.search(r"\d", stem):
            folders[folder].append(name)
    for folder, files in sorted(folders.items()):
        if not is_frame(files[0]):
            continue
        clips: dict[str, list[str]] = defaultdict(list)
        for name in files:  # clips side by side in one folder, by what stands before the frame
            clips[re.sub(r"[_-]?\d+(_keypoints)?$", "", parts_of(name)[1])].append(name)
        alone = len(clips) == 1 and folder
        for stem, frames in sorted(clips.items()):
            clip = folder if alone else f"{folder}/{stem or 'clip'}".lstrip("/")
            yield clip, tuple(sorted(frames, key=lambda name: (number_of(name), name)))


def _is_frame(members, name: str) -> bool:
    """Whether a file is one frame: several may lie in one file, which is a clip."""
    data = members.read(name)
    try:
        return b'"people"' in data[:4096] and "people" in json.loads(data)
    except (ValueError, TypeError, RecursionError):
        return False


def frames_in(content: Any) -> dict[int, dict] | None:
    """The frames of a clip in one file by their numbers, a list or by names; None where it holds others."""
    content = content.get("frames", content) if isinstance(content, dict) else content
    if isinstance(content, list):
        frames = dict(enumerate(content))
    elif isinstance(content, dict):
        frames = {number_of(name): content[name] for name in sorted(content, key=number_of)}
    else:
        return None
    sound = all(isinstance(frame, dict) and "people" in frame for frame in frames.values())
    return frames if sound and 0 < len(frames) == len(content) else None


def clip_of_frames(frames: Sequence[Any], numbers: Sequence[int], names: Sequence[str]) -> RawClip:
    """The clip of frames with `people`; `names` are said where one is none."""
    persons = [_persons(frame, name) for frame, name in zip(frames, names, strict=True)]
    if not any(len(frame) for frame in persons):
        raise ClipError("no person in any frame")
    points = joined(persons)
    clip = RawClip(points[..., :2], named(LAYOUT), np.nan_to_num(points[..., 2]))
    return by_numbers(clip, numbers)


def number_of(name: str) -> int:
    """Of a frame: the last number in the name of its file."""
    numbers = re.findall(r"\d+", parts_of(name)[1].removesuffix("_keypoints"))
    return int(numbers[-1]) if numbers else 0


def loaded(data: bytes, where: str = "") -> Any:
    """What JSON holds; raises ClipError where it is none."""
    try:
        refuse_vast_json(data, 4 * MOST_JSON)
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ClipError(f"{where}not sound JSON ({str(error)[:80]})") from None


def _persons(frame: Any, name: str) -> np.ndarray:
    """(persons, 67, 3) of one frame."""
    try:
        people = frame["people"]
        if isinstance(people, dict):  # AI Hub's Korean signs: the one person, not in a list
            people = [people]
        return np.array([_person(person) for person in people], np.float32).reshape(-1, 67, 3)
    except ClipError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise ClipError(
            f"{name}: not a frame of OpenPose ({type(error).__name__}: {str(error)[:60]})"
        ) from None


def _person(person: dict) -> np.ndarray:
    if not isinstance(person, dict):
        raise TypeError("a person that is no mapping")
    pieces = []
    for part, points in PARTS:
        numbers = person.get(part) or [0.0] * (3 * points)
        piece = np.array(numbers, dtype=np.float32)
        if part == "pose_keypoints_2d" and piece.size == 54:
            whole = np.zeros((25, 3), dtype=np.float32)
            whole[list(COCO18)] = piece.reshape(18, 3)
            piece = whole
        if piece.size != 3 * points:
            raise ClipError(f"{part}: {piece.size} numbers, not {3 * points} ({points} points)")
        pieces.append(piece.reshape(points, 3))
    return np.concatenate(pieces)
