"""JSON: what mmpose's inferencer writes (`instances` of each frame), and keypoints as nested lists."""

import json
from typing import Any

from sslslr.data.readers import ClipError, RawClip, Reader, register
from sslslr.data.readers._held import clip_of, image_size


@register
class MMPose(Reader):
    endings = (".json",)
    title = "JSON of mmpose's inferencer (persons with keypoints and scores), or keypoints as nested lists"

    @classmethod
    def recognise(cls, name: str, head: bytes) -> str:
        if not name.lower().endswith(".json"):
            return ""
        return "JSON" if head.lstrip()[:1] in (b"{", b"[") else ""

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        try:
            held = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ClipError(f"not sound JSON ({str(error)[:80]})") from None
        size = None
        if isinstance(held, dict) and "instance_info" in held:
            size, held = _size(held), held["instance_info"]
        if isinstance(held, list):
            held = sorted(held, key=lambda frame: frame["frame_id"]) if _numbered(held) else held
        clip = clip_of(held)
        clip.size = clip.size or size
        return clip


def _numbered(frames: list[Any]) -> bool:
    return all(isinstance(f, dict) and isinstance(f.get("frame_id"), int) for f in frames)


def _size(held: dict) -> tuple[float, float] | None:
    about = held.get("meta_info")
    return image_size(about.get("img_shape")) if isinstance(about, dict) else None
