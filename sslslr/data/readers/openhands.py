"""Pickles: OpenHands' clips (Selvaraj et al., ACL 2022), rtmlib's persons, bare arrays and nested lists.

OpenHands' pickle holds `keypoints` (frames, 75, 3: x and y divided by the image's width and height, and
a depth that is dropped), in the order body 33, left hand 21, right hand 21, `confidences` (frames, 75),
and in some sets `vid_shape` (height, width). What was not found is zero with confidence zero. All pickles
are read by `sslslr/data/readers/_unpickle.py`, which runs nothing of them.
"""

from typing import Any

from sslslr.data.conversion.arrays import MOST_PERSONS
from sslslr.data.readers import RawClip, Reader, register
from sslslr.data.readers._held import clip_of
from sslslr.data.readers._unpickle import load
from sslslr.data.readers.tensors import OLD
from sslslr.pose.layouts import named

ORDERS = {
    75: "body-left-right", 543: "body-face-left-right", 553: "body-face478-left-right", 27: "openhands27",
}  # fmt: skip


@register
class OpenHands(Reader):
    endings = (".pkl", ".pickle")
    title = (
        "pickles, read without running them: OpenHands (75, 27, 543, 553 points), rtmlib (persons and "
        "scores), bare arrays, nested lists"
    )

    @classmethod
    def recognise(cls, name: str, head: bytes) -> str:
        if head.startswith(OLD):  # PyTorch's
            return ""
        if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
            return f"begins as a pickle of protocol {head[1]} does"
        old = name.lower().endswith((".pkl", ".pickle")) and head[:1] in b"(c]})"
        return "a pickle of protocol 0 or 1, by its ending" if old else ""

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        return of_pickle(load(data))


def of_pickle(held: Any) -> RawClip:
    """The clip that a pickle holds; of OpenHands' own names the order of the points is known."""
    clip = clip_of(held)
    if isinstance(held, dict) and "keypoints" in held and "confidences" in held:
        points = clip.points
        joints = points.shape[-2] if points.ndim in (3, 4) else 0
        if joints in ORDERS and points.shape[-1] in (2, 3):
            clip.layout, clip.custom = named(ORDERS[joints]), True
            frames, persons = points.shape[:2]
            if points.ndim == 4 and not (persons <= MOST_PERSONS and persons < frames):
                clip.points = points.transpose(1, 0, 2, 3)  # persons first
                if clip.score is not None and clip.score.ndim == 3:
                    clip.score = clip.score.transpose(1, 0, 2)
    return clip
