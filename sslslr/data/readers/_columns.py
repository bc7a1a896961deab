"""What a column of a table is, by its name: a coordinate of a point of a part, or of a joint by its name."""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from sslslr.data.readers import ClipError
from sslslr.data.readers._parts import BODY, LEFT, RIGHT
from sslslr.pose.layouts import PARTS, joint_called

_SEEN, _SURE = ("v", "visibility", "vis"), ("c", "conf", "confidence", "score")
_AXIS = "|".join(("x", "y", "z", *_SEEN, *_SURE))
_FORMS = [
    re.compile(form.replace("AXIS", f"(?P<axis>{_AXIS})"))
    for form in (
        r"AXIS_(?P<part>[a-z].*?)_?(?P<number>\d+)",  # x_left_hand_0
        r"(?P<part>.*?)_?(?P<number>\d+)_?AXIS",  # left_hand_0_x, kp0_x
        r"(?P<part>|.+_)AXIS_?(?P<number>\d+)",  # lh_x0, x1
        r"(?P<part>.+)_AXIS",  # left_wrist_x
        r"AXIS_(?P<part>.+)",
    )
]
_CALLED = {
    **dict.fromkeys(BODY, "body"),
    **dict.fromkeys(LEFT, "left"),
    **dict.fromkeys(RIGHT, "right"),
    **dict.fromkeys(
        ("", "kp", "kpt", "keypoint", "joint", "point", "landmark", "p", "lm", "j"), ""
    ),
}


class Place(NamedTuple):
    """Part ("" = all points, "none" = no joint of the 75), the point's number or joint, and axis of a column."""

    part: str
    point: int | str
    axis: str


@cache
def place_of(column: str) -> Place | None:
    """What a column is whose name is in one spelling (`left_hand_3_x`); None of one that is no coordinate."""
    for form in _FORMS:
        if match := form.fullmatch(column):
            found = match.groupdict()
            axis, part = found["axis"], found["part"].strip("_")
            axis = "v" if axis in _SEEN else "c" if axis in _SURE else axis
            number = found.get("number")
            if re.search("face|world|iris", part):
                return Place("none", part, axis)
            if number is None:
                return Place("joint" if (joint := _joint(part)) else "none", joint or part, axis)
            if part in _CALLED:
                return Place(_CALLED[part], int(number), axis)
    return None


def _joint(name: str) -> str:
    """The joint of the 75 that a name means; "" of another."""
    if joint := joint_called("pose", re.sub("^(pose|body)_(landmarks?_)?", "", name)):
        return joint
    side = re.search("left|right|^[lr]h_", name)
    if side is None:
        return ""
    hand = f"{'left' if side[0][0] == 'l' else 'right'}_hand"
    point = re.sub(r"^((left|right)(_hand)?|hand_(left|right)|[lr]h)_|_(left|right)$", "", name)
    return joint_called(hand, point.replace("little", "pinky"))


def joints_of(part: str, numbers: Sequence[int]) -> list[str]:
    """The joints of a part's points by their numbers in ascending order, from 0 or from 1.

    Raises:
        ClipError: they are not those of a hand, or of MediaPipe's body.
    """
    if list(numbers) == list(range(1, len(numbers) + 1)):
        numbers = range(len(numbers))
    known, whole = PARTS[part], list(numbers) == list(range(len(numbers)))
    # Of some points of the body the numbers are MediaPipe's where some are left out; 17 or 18 may be COCO's.
    told = len(numbers) == len(known) if whole or part != "body" else max(numbers) < len(known)
    if not told and not (whole and part == "body" and len(numbers) in (23, 25)):
        raise ClipError(
            f"columns of {len(numbers)} points of {part}, numbered {numbers[0]} to {numbers[-1]}: a hand has 21, "
            "MediaPipe's body 33. Call them by their joints (left_wrist_x), or write an array of known points"
        )
    return [known[number] for number in numbers]
