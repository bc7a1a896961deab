"""Orders in which other tools write their points, and the 75-joint layout of each.

A layout is an int array (75,): for every joint of the store its place among a file's points, -1 where
the file has none. `named` makes one of a text: parts joined by hyphens, in the file's order, such as
`body-left-right` (OpenHands), `body-face-left-right` (MediaPipe Holistic, 543 points) or `coco133`.

    points[:, places]      # (frames, 75, coordinates); then NaN where places < 0
"""

import re
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from sslslr.pose.skeleton import BODY_NAMES, FROM_WHOLEBODY, HAND_NAMES, N_JOINTS, NAMES
from sslslr.utils.errors import UserError

# Parts that a name may be made of: how many points, and the joints that they are ("" = not in the 75).
_OPENPOSE = (
    "nose", "", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear", "left_foot_index", "", "left_heel",
    "right_foot_index", "", "right_heel",
)  # fmt: skip
_COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
_COCO_FEET = ("left_foot_index", "", "left_heel", "right_foot_index", "", "right_heel")
# OpenPose's older body and the feet: COCO-WholeBody as DWPose and rtmlib's `to_openpose` write it.
_OPENPOSE18 = (*_OPENPOSE[:8], *_OPENPOSE[9:19])
_HALPE = (
    *_COCO, "", "", "", "left_foot_index", "right_foot_index", "", "", "left_heel", "right_heel",
)  # fmt: skip


def _body(names: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(name and f"body.{name}" for name in names)


def _hand(side: str) -> tuple[str, ...]:
    return tuple(f"{side}_hand.{name}" for name in HAND_NAMES)


# The 27 points that OpenHands' models take (its configuration `poses: [0, 2, 5, ...]`).
_27_BODY = (
    "nose",
    "left_eye",
    "right_eye",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
)
_27_HAND = tuple(HAND_NAMES[i] for i in (0, 4, 5, 8, 9, 12, 13, 16, 17, 20))
_27_HANDS = tuple(f"{side}_hand.{name}" for side in ("left", "right") for name in _27_HAND)
PARTS: dict[str, tuple[str, ...]] = {
    "left": _hand("left"),
    "right": _hand("right"),
    "body": _body(BODY_NAMES),
    "body25": _body(BODY_NAMES[:25]),  # without legs
    "body23": _body(BODY_NAMES[:23]),  # without hips and legs: pose-format's pose_hide_legs
    "body27": _body(BODY_NAMES[:27]),  # to the knees
    "face": ("",) * 468,
    "face478": ("",) * 478,  # with the irises
    "face68": ("",) * 68,
    "face70": ("",) * 70,
    "world": ("",) * 33,  # the body again, in metres
    "openpose25": _body(_OPENPOSE),
    "openpose24": _body((*_OPENPOSE18, *_COCO_FEET)),
    "halpe26": _body(_HALPE),  # AlphaPose
    "coco17": _body(_COCO),
    "coco23": _body((*_COCO, *_COCO_FEET)),
    "coco133": (),  # see `_part_places`
    "openhands27": (*_body(_27_BODY), *_27_HANDS),
    # SAM-SLR's graphs (Jiang et al., CVPRW 2021), of COCO-WholeBody: the nose and the arms, or the face, too.
    "samslr27": (*_body((_COCO[0], *_COCO[5:11])), *_27_HANDS),
    "samslr31": (*_body(_COCO[:11]), *_27_HANDS),
    # OpenHands' top body: no wrists, no legs.
    "body17": _body((*BODY_NAMES[:15], *BODY_NAMES[23:25])),
}
# Orders that are tried for a number of points, the usual one first.
_TRIED = (
    "left-right-body", "body-left-right", "left-body-right", "left-right",
    "body-face-left-right", "face-left-body-right", "body-left-right-face", "left-right-body-face",
    "face-body-left-right", "left-right-face-body", "face-left-right-body", "body-left-face-right",
    "body-face478-left-right", "face478-left-body-right", "body-left-right-face478",
    "left-right-body-face478", "face478-body-left-right", "face478-left-right-body",
    "body-face-left-right-world", "body-face478-left-right-world",
    "coco133", "openpose25-face70-left-right", "openpose25-left-right", "openpose25-left-right-face70",
    "openpose24-face68-left-right", "halpe26-face68-left-right",
    "body25-left-right", "left-right-body25", "body23-left-right", "left-right-body23",
    "coco23-left-right", "left-right-coco23",
    "openhands27", "samslr27", "samslr31", "body17-left-right", "coco17-left-right", "left-right-coco17",
)  # fmt: skip
# Numbers of points for which one order is the package's own: another is taken only if it is named.
OWN = (75, 42)


@dataclass(frozen=True)
class Layout:
    """A named order of a file's points.

    Attributes:
        name: as `named` takes it.
        points: how many.
        places: int64 (75,), see the module.
    """

    name: str
    points: int
    places: np.ndarray

    @cached_property
    def _as_stored(self) -> bool:
        return self.points == N_JOINTS and bool((self.places == np.arange(N_JOINTS)).all())

    @property
    def words(self) -> str:
        """`left hand, right hand, body` of left-right-body."""
        hands = ("left", "right")
        return ", ".join(f"{p} hand" if p in hands else p for p in self.name.split("-"))

    def apply(self, points: np.ndarray) -> np.ndarray:
        """(..., points, C) to (..., 75, C); NaN where the layout has no point."""
        if self._as_stored:
            return points
        out = points[..., self.places, :]
        out[..., self.places < 0, :] = np.nan
        return out


def by_names(names: tuple[str, ...] | list[str], title: str) -> Layout:
    """A layout of points that say which of the 75 joints they are ("" = none); the first counts."""
    index: dict[str, int] = {}
    for place, name in enumerate(names):
        index.setdefault(name, place)
    return Layout(title, len(names), np.array([index.get(name, -1) for name in NAMES]))


@cache
def named(name: str) -> Layout:
    """The layout called `name`.

    Raises:
        UserError: a part that is not known.
    """
    if name == "coco133":
        return Layout(name, 133, FROM_WHOLEBODY)
    parts = name.split("-")
    if unknown := [part for part in parts if part not in PARTS or part == "coco133"]:
        raise UserError(
            f"layout {name!r}: {unknown[0]!r} is no part. Join parts by hyphens in the order of the "
            f"file, for example body-left-right; known: {', '.join(PARTS)}."
        )
    return by_names([joint for part in parts for joint in PARTS[part]], name)


@cache
def candidates(points: int) -> tuple[Layout, ...]:
    """The layouts of so many points that are tried, the usual first."""
    return tuple(layout for layout in map(named, _TRIED) if layout.points == points)


@cache
def sizes() -> tuple[int, ...]:
    """Numbers of points of which a layout is tried."""
    return tuple(sorted({named(name).points for name in _TRIED}))


# Names of points and parts in files that state them.
_BY_PLACE = {33: "body", 25: "openpose25"}  # bodies whose points have no names
_SHORT = {"r": "right", "l": "left"}
_SYNONYMS = {
    "big_toe": "foot_index", "bigtoe": "foot_index", "mouth_left": "mouth_left",
    "left_mouth": "mouth_left", "right_mouth": "mouth_right",
}  # fmt: skip


def joint_called(part: str, point: str) -> str:
    """The joint of the 75 that a point of a part is, by their names; "" where it is none.

    `POSE_LANDMARKS`/`LEFT_WRIST`, `pose_keypoints_2d`/`RWrist` and `BODY`/`left_wrist` are understood.
    """
    where, name = part.lower(), _words(point)
    if any(word in where for word in ("world", "face", "iris")):
        return ""
    if "hand" in where:
        side = "left" if "left" in where else "right" if "right" in where else ""
        finger = name.removeprefix("left_").removeprefix("right_").removeprefix("hand_")
        finger = finger.replace("_finger_", "_")
        return f"{side}_hand.{finger}" if f"{side}_hand.{finger}" in NAMES else ""
    name = _SYNONYMS.get(name, name)
    for side in ("left", "right"):
        if (rest := _SYNONYMS.get(name.removeprefix(f"{side}_"))) and name.startswith(side):
            name = f"{side}_{rest}"
    return f"body.{name}" if name in BODY_NAMES else ""


def _words(name: str) -> str:
    """`RBigToe` and `RIGHT_BIG_TOE` are `right_big_toe`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=^[RL])(?=[A-Z][a-z])", "_", name)
    words = [word for word in re.split(r"[^a-z0-9]+", parted.lower()) if word]
    return "_".join([_SHORT.get(words[0], words[0]), *words[1:]] if words else words)


@cache
def of_components(components: tuple[tuple[str, tuple[str, ...]], ...], title: str) -> Layout:
    """The layout of a file that names its parts and their points.

    A hand of 21 points whose names say nothing is taken by place: all tools write the same order. The
    133 points of COCO-WholeBody lend the body the knuckles and corners that MediaPipe has.

    Raises:
        UserError: not one point is a joint of the 75.
    """
    joints: list[str] = []
    for part, points in components:
        called = [joint_called(part, point) for point in points]
        side = "left" if "left" in part.lower() else "right" if "right" in part.lower() else ""
        if "hand" in part.lower() and len(points) == 21 and side and sum(map(bool, called)) < 21:
            called = list(PARTS[side])
        elif "world" not in part.lower() and not any(called) and len(points) in _BY_PLACE:
            called = list(PARTS[_BY_PLACE[len(points)]]) if "pose" in part.lower() else called
        joints += called
    sizes_of_parts = tuple(len(points) for _, points in components)
    if sizes_of_parts == (23, 68, 21, 21):
        return named("coco133")
    layout = by_names(joints, title)
    if (layout.places < 0).all():
        parts = ", ".join(name for name, _ in components)[:200]
        raise UserError(f"not one of its points is known by its name (parts: {parts})")
    return layout
