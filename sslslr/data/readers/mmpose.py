"""JSON: what mmpose's inferencer writes (`instances` of each frame), and keypoints as nested lists.

Of a folder of images the inferencer writes a file a frame: a list of its persons. AlphaPose and COCO's
results are one list of persons, each with its `image_id` and a flat row of x, y and a confidence.
"""

import re
from typing import Any

import numpy as np

from sslslr.data.readers import ClipError, RawClip, Reader, Unit, register
from sslslr.data.readers._held import clip_of, image_size
from sslslr.data.readers._numbers import by_numbers
from sslslr.data.readers._parts import is_frame
from sslslr.data.readers.openpose import (
    clip_of_frames,
    clips_of_frames,
    frames_in,
    loaded,
    number_of,
)


@register
class MMPose(Reader):
    endings = (".json",)
    title = "JSON of mmpose's inferencer (persons with scores; a file a clip or a frame), or nested lists"
    why = "folders of .json files, each the persons or the parts of one frame"

    @classmethod
    def recognise(cls, name: str, head: bytes) -> str:
        if not name.lower().endswith(".json"):
            return ""
        return "JSON" if head.lstrip()[:1] in (b"{", b"[") else ""

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        return [
            Unit(clip, frames, "mmpose")
            for clip, frames in clips_of_frames(names, lambda name: _is_frame(members, name))
        ]

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        frames = [loaded(members.read(name), f"{name}: ") for name in unit.files]
        clip = clip_of([frame or None for frame in frames])
        return by_numbers(clip, [number_of(name) for name in unit.files])

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        content = loaded(data)
        size = None
        if isinstance(content, dict) and "instance_info" in content:
            size, content = _size(content), content["instance_info"]
        if isinstance(content, dict) and isinstance(content.get("annotations"), list):
            content = content["annotations"]  # COCO's own form
        if frames := frames_in(content):
            return clip_of_frames(
                list(frames.values()), list(frames), [f"frame {n}" for n in frames]
            )
        numbers = None
        if isinstance(content, list) and (images := _by_image(content)):
            numbers = sorted(images)
            content = [images[number] for number in numbers]
        elif isinstance(content, list) and _numbered(content):
            content = sorted(content, key=lambda frame: frame["frame_id"])
            numbers = [frame["frame_id"] for frame in content]
        clip = clip_of(content)
        if numbers is not None:
            clip = by_numbers(clip, numbers)
        clip.size = clip.size or size
        return clip


def _is_frame(members, name: str) -> bool:
    """Whether a file is a list of persons, each with one number pair a point; or a dict of one frame's parts."""
    data = members.read(name)
    if data.strip() == b"[]":  # a frame without persons
        return True
    parts = data.lstrip().startswith(b"{") and b"eft" in data
    if not parts and (not data.lstrip().startswith(b"[") or b'"keypoints"' not in data):
        return False
    try:
        content = loaded(data)
        if parts:
            return is_frame(content)
        points = [np.ndim(person["keypoints"]) for person in content]
    except (ClipError, TypeError, KeyError, ValueError):
        return False
    return set(points) == {2} and not _numbered(content)


def _by_image(persons: list[Any]) -> dict[int, list[dict]]:
    """The persons of each frame, where each says its image, as AlphaPose and COCO's results do; else nothing."""
    images: dict[int, list[dict]] = {}
    for person in persons:
        if not isinstance(person, dict) or "keypoints" not in person:
            return {}
        number = re.search(r"\d+(?=\D*$)", str(person.get("image_id", "")))
        if number is None or len(number[0]) > 18:
            return {}
        images.setdefault(int(number[0]), []).append(person)
    return images


def _numbered(frames: list[Any]) -> bool:
    return all(isinstance(f, dict) and isinstance(f.get("frame_id"), int) for f in frames)


def _size(content: dict) -> tuple[float, float] | None:
    about = content.get("meta_info")
    return image_size(about.get("img_shape")) if isinstance(about, dict) else None
