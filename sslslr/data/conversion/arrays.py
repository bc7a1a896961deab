"""Which axis of an array is which: frames, persons, points, coordinates; and flat rows of numbers."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np

from sslslr.data.readers import ClipError
from sslslr.pose.layouts import Layout, candidates, sizes

MOST_PERSONS = 12
LARGEST = 50_000_000  # numbers of a clip with all of its persons
# Axes that are tried, in this order: t frames, m persons, j points, c coordinates.
_AXES = {
    3: ("tjc", "ctj", "tcj", "cjt", "jtc"),
    4: ("tmjc", "mtjc", "ctjm", "tjcm", "mctj", "cmtj"),
}
# Rows of MediaPipe's parts one after another, the body with a visibility: coordinates a point.
_MIXED = {"body": 4, "face": 3, "face478": 3, "left": 3, "right": 3}
_POINTS = {"body": 33, "face": 468, "face478": 478, "left": 21, "right": 21}
_MIXED_SETS = (
    ("body", "face", "left", "right"),
    ("body", "face478", "left", "right"),
    ("body", "left", "right"),
)


@dataclass(frozen=True)
class Arrangement:
    """One way to read an array: a title, how to turn it to (frames[, persons], points, C), points."""

    title: str
    points: int
    apply: Callable[[np.ndarray], np.ndarray]
    orders: tuple[str, ...] | None = None  # layouts that go with it, where it decides them
    persons: int = 1
    frames: int = 1

    def layouts(self) -> tuple[Layout, ...]:
        every = candidates(self.points)
        if self.orders is None:
            return every
        return tuple(layout for layout in every if layout.name in self.orders)


def _axes(order: str) -> Callable[[np.ndarray], np.ndarray]:
    wanted = "tmjc" if "m" in order else "tjc"
    moved = tuple(order.index(axis) for axis in wanted)
    return lambda array: array.transpose(moved)


def _fits(order: str, shape: tuple[int, ...], counts: tuple[int, ...]) -> bool:
    of = dict(zip(order, shape, strict=True))
    return of["j"] in counts and of["c"] in (2, 3, 4) and of.get("m", 1) <= MOST_PERSONS


def _of_rows(coordinates: int, rows: np.ndarray) -> np.ndarray:
    return rows.reshape(len(rows), -1, coordinates)


def _of_columns(coordinates: int, rows: np.ndarray) -> np.ndarray:
    return rows.reshape(len(rows), coordinates, -1).transpose(0, 2, 1)


def _both_hands(hands: np.ndarray) -> np.ndarray:
    return hands.reshape(len(hands), 42, -1)


def _mixed(parts: tuple[str, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """Rows of `parts`, each with its coordinates, to (frames, points, 4) in the usual order."""

    def apply(rows: np.ndarray) -> np.ndarray:
        first, pieces = 0, {}
        for part in parts:
            width = _MIXED[part] * _POINTS[part]
            piece = rows[:, first : first + width].reshape(len(rows), _POINTS[part], _MIXED[part])
            if _MIXED[part] == 3:  # no visibility: NaN, which is not a low one
                blank = np.full((*piece.shape[:2], 1), np.nan, dtype=piece.dtype)
                piece = np.concatenate([piece, blank], axis=2)
            pieces[part] = piece
            first += width
        usual = sorted(
            parts, key=lambda part: ("body", "face", "face478", "left", "right").index(part)
        )
        return np.concatenate([pieces[part] for part in usual], axis=1)

    return apply


@cache
def _flat(width: int, points: int | None) -> tuple[Arrangement, ...]:
    found = []
    for parts in _MIXED_SETS if points is None else ():
        if width == sum(_MIXED[part] * _POINTS[part] for part in parts):
            count = sum(_POINTS[part] for part in parts)
            orders = [p for p in permutations(parts) if p.index("left") < p.index("right")]
            orders.sort(key=lambda order: order != parts)
            found += [
                Arrangement(
                    f"rows of {width} numbers: {', '.join(order)} (the body with visibility)",
                    count, _mixed(order), ("-".join(parts),),
                )
                for order in orders
            ]  # fmt: skip
    for coordinates in (3, 2, 4):
        if width % coordinates == 0:
            count = width // coordinates
            if count == points or (points is None and count in sizes()):
                found.append(
                    Arrangement(
                        f"rows of {width} numbers: {count} points of {coordinates}", count,
                        functools.partial(_of_rows, coordinates),
                    )
                )  # fmt: skip
    for coordinates in (3, 2):  # tried where a body does not stand upright in the usual way
        count = width // coordinates
        if points is None and width % coordinates == 0 and count in sizes() and count != 42:
            found.append(
                Arrangement(
                    f"rows of {width} numbers: the {count} of each coordinate together", count,
                    functools.partial(_of_columns, coordinates),
                )
            )  # fmt: skip
    return tuple(found)


@cache
def _of_shape(axes: tuple[int, ...], points: int | None) -> tuple[Arrangement, ...]:
    counts = (points,) if points is not None else sizes()
    if len(axes) == 2:
        return _flat(axes[1], points)
    found = [
        Arrangement(
            "" if order == "tjc" else f"axes {', '.join(_SAID[axis] for axis in order)}",
            axes[order.index("j")],
            _axes(order),
            persons=axes[order.index("m")] if "m" in order else 1,
            frames=axes[order.index("t")],
        )
        for order in _AXES.get(len(axes), ())
        if _fits(order, axes, counts)
    ]
    if points is None and len(axes) == 4 and axes[1:3] == (2, 21) and axes[3] in (2, 3, 4):
        found.append(Arrangement("two hands of 21 points", 42, _both_hands))
    found.sort(key=lambda way: way.persons > way.frames)  # more frames than persons, if it may be
    return tuple(found)


_SAID = {"t": "frames", "m": "persons", "j": "points", "c": "coordinates"}


def arrangements(array: np.ndarray, layout: Layout | None = None) -> tuple[Arrangement, ...]:
    """The ways in which an array may be a clip, the usual first.

    Args:
        layout: the order that somebody named; then only its number of points counts.

    Raises:
        ClipError: there is none; says the shape.
    """
    if array.dtype.kind not in "fiu":
        raise ClipError(f"an array of {array.dtype}, not of numbers")
    shape = array.shape
    if array.size == 0:
        raise ClipError(f"an array without a value, of shape {shape}")
    ways = _of_shape(shape, layout.points if layout else None) if len(shape) > 1 else ()
    if layout is not None and layout.points == 133 and not ways:
        ways = _of_shape(shape, 134)
    if not ways:
        raise ClipError(_unknown(shape, layout))
    return ways


def _unknown(shape: tuple[int, ...], layout: Layout | None) -> str:
    axes = "x".join(map(str, shape))
    if not shape:
        return "a single number, not frames of points"
    if len(shape) > 4:
        return f"an array of {axes}: a clip has frames, persons, points and coordinates, not {len(shape)} axes"
    if layout is not None:
        return f"an array of {axes}, in which the layout {layout.name} ({layout.points} points) is no axis"
    if any(number in sizes() for number in shape) and len(shape) > 2:
        return f"an array of {axes}: of each point 2, 3 or 4 numbers are read, on one axis (x, y and so on)"
    known = ", ".join(map(str, sizes()))
    hint = ""
    counts = {*shape, *(shape[1] / n for n in (2, 3, 4))} if len(shape) == 2 else set(shape)
    if 21 in counts:
        hint = "; 21 are one hand: say which by `layout` (left or right)"
    elif 33 in counts:
        hint = "; 33 are a body without hands: name it by `layout: body`"
    elif 17 in counts:
        hint = "; 17 are COCO's body without hands: name it by `layout: coco17`"
    elif len(shape) == 1:
        hint = "; one frame a file is read from a folder a clip"
    elif len(shape) == 2 and math.prod(shape[1:]) > 4:
        hint = "; rows of numbers are read where they are such points with 2, 3 or 4 numbers each"
    elif len(shape) == 3:
        hint = "; of other points write the hands alone (42), or them and MediaPipe's body (75)"
    return f"an array of {axes}: no axis has a known number of points ({known}){hint}"


def joined(points: list[np.ndarray]) -> np.ndarray:
    """Frames of (persons, points, C), their numbers differing, to (frames, persons, points, C)."""
    most = max((len(frame) for frame in points), default=0)
    shape = next((frame.shape[1:] for frame in points if len(frame)), None)
    if shape is None:
        raise ClipError("no person in any frame")
    if len(points) * max(most, 1) * math.prod(shape) > LARGEST:
        raise ClipError(f"{len(points)} frames with up to {most} persons")
    out = np.full((len(points), max(most, 1), *shape), np.nan, dtype=np.float32)
    for number, frame in enumerate(points):
        if not len(frame):  # nobody; how many points they would have does not matter
            continue
        if frame.shape[1:] != shape:
            raise ClipError(f"frames of {shape} and of {frame.shape[1:]} points and coordinates")
        out[number, : len(frame)] = frame
    return out
