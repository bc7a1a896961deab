"""Parts of a body that are arrays of their own: what tools call them, and how they become one clip."""

import functools
import re
from typing import Any

import numpy as np

from sslslr.data.readers import ClipError, RawClip
from sslslr.pose.layouts import named

_WORDS = ("", "_landmarks", "_keypoints", "_keypoints_2d", "_points", "_kpts")
LEFT = (
    *(stem + word for stem in ("left_hand", "hand_left", "lh", "lefthand", "left") for word in _WORDS),
    "hand_landmarks_left", "hand_keypoints_left",
)  # fmt: skip
RIGHT = tuple(name.replace("left", "right").replace("lh", "rh") for name in LEFT)
BODY = (
    *(stem + word for stem in ("pose", "body") for word in _WORDS), "upper_pose", "upper_body",
)  # fmt: skip
BODIES = {33: "body", 25: "body25", 23: "body23"}
HANDS = ("hands", "hand_landmarks", "hand_keypoints", "multi_hand_landmarks")  # of both
# What says which of HANDS, or of `landmarks`, is which; and below what name a category has its word.
SIDES = ("handedness", "handednesses", "multi_handedness")
SIDE = ("category_name", "label", "display_name", "classification", "categories")
PERSONS = ("instances", "predictions", "people")  # around those of a frame
INNER = (
    "landmark",
    "landmarks",
    "keypoints",
    "points",
)  # around a part's points, or a frame's parts


@functools.lru_cache(maxsize=1024)
def plain(name: Any) -> Any:
    """A name in one spelling: left_hand_landmarks for `leftHandLandmarks`, keypoints for `keyPoints`."""
    if not isinstance(name, str):
        return name
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    name = re.sub(r"[\s-]+", "_", parted).lower()
    return name.replace("key_point", "keypoint").replace("land_mark", "landmark")


def plain_names(content: dict) -> dict:
    """With names in one spelling, and what is in `hands` as a part a hand where it says which is which.

    A dict of `hands` names them; of an array's two hands the first is taken for the left one, which is
    looked at like every order.
    """
    content = {plain(name): value for name, value in content.items()}
    for name in HANDS:
        both = content.get(name)
        if isinstance(both, dict):
            sides = plain_names(both)
            if any(side in sides for side in (*LEFT, *RIGHT)):
                del content[name]
                left = next((sides[side] for side in LEFT if side in sides), None)
                right = next((sides[side] for side in RIGHT if side in sides), None)
                content = {**content, "left_hand": left, "right_hand": right}
        elif isinstance(both, np.ndarray) and both.ndim > 1 and _are_two_hands(both):
            sides = content.pop(name).reshape(len(both), 2, 21, -1)
            content = {**content, "left_hand": sides[:, 0], "right_hand": sides[:, 1]}
    return _with_sides(content)


def _with_sides(content: dict) -> dict:
    """A frame of MediaPipe's hands as a part a hand, by what is said of their sides; another as it is."""
    sides = next((content[name] for name in SIDES if name in content), None)
    called = next((name for name in (*HANDS, "landmarks") if name in content), None)
    hands = content.get(called)
    if not isinstance(sides, list) or not isinstance(hands, list) or len(sides) != len(hands):
        return content
    by_side: dict[str, Any] = {"left": None, "right": None}
    for hand, side in zip(map(_bare, hands), map(_side, sides), strict=True):
        if side not in by_side or not isinstance(hand, list) or len(hand) != 21:
            return content
        if by_side[side] is None:  # a second one of a side is the less sure
            by_side[side] = hand
    rest = {name: value for name, value in content.items() if name not in (called, *SIDES)}
    return {**rest, "left_hand": by_side["left"], "right_hand": by_side["right"]}


def _side(category: Any) -> str:
    """left or right of "Left", of a category with its name, or of a list of such."""
    while isinstance(category, list) and category:
        category = category[0]
    if isinstance(category, dict):
        category = {plain(name): value for name, value in category.items()}
        return _side(next((category[name] for name in SIDE if name in category), ""))
    return category.strip().lower() if isinstance(category, str) else ""


def _are_two_hands(both: np.ndarray) -> bool:
    axes = both.shape[1:]
    return axes[:-1] in ((2, 21), (42,)) or axes in ((84,), (126,))


def has_hands(content: dict) -> bool:
    """Whether names in one spelling are those of both hands."""
    return any(name in content for name in LEFT) and any(name in content for name in RIGHT)


def is_frame(content: Any) -> bool:
    """Whether it is one frame of parts, each of them points (or nothing)."""
    if not isinstance(content, dict) or not has_hands(content := plain_names(content)):
        return False
    pieces = [piece for name in (*LEFT, *RIGHT, *BODY) if (piece := _bare(content.get(name)))]
    return all(isinstance(piece, list) for piece in pieces) and all(
        (isinstance(piece[0], dict) and "x" in piece[0])
        or (isinstance(piece[0], list) and np.ndim(piece[0]) == 1 and len(piece[0]) < 5)
        for piece in pieces
    )


def _bare(value: Any) -> Any:
    """Points without what some tools put around them: `{"landmark": [...]}`, or a list of the one person."""
    if isinstance(value, dict):
        value = next((value[name] for name in INNER if name in value), value)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list) and value[0]:
        return value[0] if isinstance(value[0][0], dict) else value
    return value


def of_frames(frames: Any) -> RawClip | None:
    """A clip whose frames are dicts of parts (left_hand, right_hand, pose), None where nothing was found."""
    if not all(isinstance(frame, dict) for frame in frames):
        return None
    frames = [plain_names(frame) for frame in frames]
    for name in INNER:  # {"frame": 3, "landmarks": {"pose": ...}}
        if all(isinstance(frame.get(name), dict) for frame in frames):
            frames = [plain_names(frame[name]) for frame in frames]
    names = {name for frame in frames for name in frame}
    told = {*LEFT, *RIGHT, *INNER, *PERSONS}  # `hands` beside whole persons may be anything
    if sideless := [name for name in HANDS if name in names and not names & told]:
        raise ClipError(
            f"{sideless[0]}: hands that do not say which is the left one. Write them as left_hand and right_hand, "
            "null where one was not found"
        )
    content = {}
    for part in (LEFT, RIGHT, BODY):
        called = next((name for name in part if name in names), None)
        if called is None:
            continue
        pieces = [_piece(frame.get(called)) for frame in frames]
        shapes = {piece.shape for piece in pieces if piece is not None}
        if len(shapes) > 1:
            raise ClipError(f"{called}: frames of different shapes")
        if not shapes and part is BODY:  # nobody knows of how many points
            continue
        blank = np.full(shapes.pop() if shapes else (21, 2), np.nan)
        content[called] = np.stack([blank if piece is None else piece for piece in pieces])
    return of_parts(content)


def _piece(value: Any) -> np.ndarray | None:
    """The points of a part in one frame; None where it was not found."""
    if value is None or (isinstance(value, list | tuple) and not value):
        return None
    value = _bare(value)
    try:
        if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            value = [[point["x"], point["y"]] for point in value]
        piece = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError, KeyError):
        raise ClipError("frames whose parts are no arrays of numbers") from None
    return piece if piece.size else None


def of_parts(content: dict) -> RawClip | None:
    """A clip whose parts are arrays of their own."""
    left = next((content[name] for name in LEFT if name in content), None)
    right = next((content[name] for name in RIGHT if name in content), None)
    if left is None or right is None:
        return None
    body = next((content[name] for name in BODY if name in content), None)
    names, pieces = [], []
    for part, piece in (("left", left), ("right", right), ("body", body)):
        if piece is None:
            continue
        piece = np.asarray(piece)
        if piece.dtype.kind not in "iuf" or piece.ndim < 2:
            raise ClipError(f"{part}: an array of {piece.dtype} and shape {piece.shape}")
        points = 21 if part != "body" else next((n for n in BODIES if _holds(piece, n)), 0)
        if points == 0 or not _holds(piece, points):
            raise ClipError(
                f"{part}: an array of shape {piece.shape}, without its number of points"
            )
        names.append(part if part != "body" else BODIES[points])
        pieces.append(piece.reshape(len(piece), points, -1).astype(np.float32))
    if len({len(piece) for piece in pieces}) > 1:
        raise ClipError("its parts have different numbers of frames")
    most = max(piece.shape[2] for piece in pieces)  # a body may have a visibility more than hands
    pieces = [_widened(piece, most) for piece in pieces]
    if BODIES[25] in names:  # MediaPipe's without legs, or OpenPose's: whose wrists have the hands
        names, pieces = [names[2], *names[:2]], [pieces[2], *pieces[:2]]
    layout = named("-".join(names))
    return RawClip(np.concatenate(pieces, axis=1), layout=layout, custom=BODIES[25] in names)


def _widened(piece: np.ndarray, coordinates: int) -> np.ndarray:
    """With so many coordinates a point; NaN, which says nothing, where it has fewer."""
    more = ((0, 0), (0, 0), (0, coordinates - piece.shape[2]))
    return np.pad(piece, more, constant_values=np.nan)


def _holds(piece: np.ndarray, points: int) -> bool:
    if piece.ndim == 3:
        return piece.shape[1] == points and piece.shape[2] in (2, 3, 4)
    return piece.ndim == 2 and piece.shape[1] in (2 * points, 3 * points, 4 * points)
