"""What a body tells of the numbers: the order of the parts, exchanged hands, a picture that is mirrored."""

import math

import numpy as np

from sslslr.pose.layouts import OWN, Layout
from sslslr.pose.skeleton import (
    BODY,
    BODY_LEFT_WRIST,
    BODY_RIGHT_WRIST,
    LEFT_HAND,
    LEFT_SHOULDER,
    LEFT_WRIST,
    RIGHT_HAND,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)

NOSE = BODY.start
# The joints by which hands and orientation are judged.
WATCHED = np.array([
    LEFT_WRIST, RIGHT_WRIST, BODY_LEFT_WRIST, BODY_RIGHT_WRIST, LEFT_SHOULDER, RIGHT_SHOULDER, NOSE,
])  # fmt: skip
# Misfit below which an order is a body's (measured: 0.2 to 0.5; of others: 0.8 to 2).
PLAUSIBLE = 0.62
MOST = 0.6  # share of the frames that tell beyond which the hands of a clip, or of a set, are exchanged
APART = 0.25  # widths of the shoulders that the body's wrists must lie apart to tell the hands
ASTRAY = 0.6  # widths of the shoulders from a hand to a wrist of the body, beyond which it is not its hand
OVER = 0.05  # of a hand's size between two hands that lie over one another
CENTRED = 0.1  # widths of the shoulders between their middle and zero, at most, of what is centred on them
# A layout without the body's wrists has one misfit less. Measured on six sets of four languages: of one with
# wrists the misfit is at most so much larger (95 % of clips); where its wrists are no wrists it is larger by 0.5.
WRISTS = 0.4
# Width of the shoulders by how high the nose lies above them: of six real sets a median of 0.97 to 1.5, most of
# them without the picture's shape. Of width and height exchanged in 16:9 it is three times as large.
SLENDER = (0.6, 2.6)
# Share of frames with fingers above the wrist, 0.84 to 0.99 in seven sets; with the left hand on the picture's
# right, 0.68 to 0.95. Of a picture turned over or hands exchanged they are what is left to 1.
HANDS = 0.35
LEAST = 20  # clips that are asked for that
BETTER = 0.6  # a named order is contradicted where another's misfit is below this share of its own


def misfit(frames: np.ndarray) -> float:
    """How little (frames, 75, 2) look like two hands at the wrists of a body; NaN where it cannot be told.

    For each hand: the distance of its wrist to the nearer wrist of the body and the mean distance of its
    joints to its middle, both in units of the spread of all joints. Exchanged hands do not matter.
    """
    xy = np.asarray(frames, dtype=np.float32)
    with np.errstate(all="ignore"):
        spread = _mean(_norm(xy - _mean(xy)[:, None]))
        terms = []
        for hand in (LEFT_HAND, RIGHT_HAND):
            to_body = xy[:, hand.start, None] - xy[:, [BODY_LEFT_WRIST, BODY_RIGHT_WRIST]]
            near = np.fmin(*np.moveaxis(_norm(to_body), -1, 0))
            if np.isnan(xy[:, [BODY_LEFT_WRIST, BODY_RIGHT_WRIST], 0]).all():
                near = 0  # a layout without them: then only that a hand is small
            radius = _mean(_norm(xy[:, hand] - _mean(xy[:, hand])[:, None]))
            flat = np.where(radius < 1e-3 * spread, 2.0, 0.0)  # all at one point: no hand
            terms.append((near + radius) / spread + flat)
        values = np.concatenate(terms)
        values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else float("nan")


def upright(frames: np.ndarray) -> float:
    """Share of (frames, 75, 2) that show a body upright, or, without a body, that are no line of points."""
    xy = np.asarray(frames, dtype=np.float32)
    nose, left, right = xy[:, NOSE], xy[:, LEFT_SHOULDER], xy[:, RIGHT_SHOULDER]
    beside = np.abs(left - right)
    told = ~np.isnan(nose + left + right).any(axis=1)
    if told.any():
        above = np.minimum(left[:, 1], right[:, 1]) - nose[:, 1] > 0.1 * beside[:, 0]
        return float((above & (beside[:, 0] > beside[:, 1]))[told].mean())
    with np.errstate(all="ignore"):
        spread = _mean((xy - _mean(xy)[:, None]) ** 2)
        return float((spread.min(axis=1) > 1e-4 * spread.max(axis=1)).mean())


def shoulders(clips: list[np.ndarray]) -> float:
    """The width of the shoulders that clips (frames, 75, 2) are centred on, a median; 0 where one is not."""
    widths = []
    for xy in clips:
        left, right = xy[:, LEFT_SHOULDER], xy[:, RIGHT_SHOULDER]
        told = ~np.isnan(left + right).any(axis=1)
        if not told.any():
            continue
        width = float(_norm(left - right)[told].mean())
        if not _norm(((left + right) / 2)[told].mean(axis=0)) < CENTRED * width:
            return 0.0
        widths.append(width)
    return _median(widths) if widths else 0.0


def shapeless(clips: list[np.ndarray]) -> bool:
    """Whether clips (frames, 75, 2) with hands and a body show neither hands at its wrists nor it upright."""
    misfits = [misfit(frames) for frames in clips]
    return _median(misfits) > PLAUSIBLE and float(np.mean([upright(f) for f in clips])) < 0.4


def unlike(clips: list[np.ndarray]) -> str:
    """What of clips (frames, 75, 2) is no signer's, in a sentence; "" where they may be one's, or nothing tells."""
    whole = [xy for xy in clips if np.isfinite(xy[:, BODY, 0]).any()]
    if (value := _median([misfit(xy) for xy in whole])) > PLAUSIBLE:
        return (
            f"no hand lies at a wrist of a body in any order of the points that is known (misfit {value:.2f}; of "
            f"signers below {PLAUSIBLE:g}): another order, differences between frames, or noise?"
        )
    if _overlaid(clips):
        return (
            "both hands lie over one another in most frames: each in a box of its own, or measured from its wrist? "
            "How they lie to each other is lost; write both in one frame of reference."
        )
    return ""


def _overlaid(clips: list[np.ndarray]) -> bool:
    """Whether, wherever both hands were found, their boxes or their wrists lie at one place."""
    told = over = 0
    for clip in clips:
        xy, low, high, wrists = np.asarray(clip, dtype=np.float32), [], [], []
        for hand in (LEFT_HAND, RIGHT_HAND):  # NaN where a hand was not found
            low.append(np.fmin.reduce(xy[:, hand], axis=1))
            high.append(np.fmax.reduce(xy[:, hand], axis=1))
            wrists.append(np.nan_to_num(xy[:, hand.start]))  # (0, 0) counts as missing
        size = _norm(high[0] - low[0])
        corners = np.fmax(_norm(low[0] - low[1]), _norm(high[0] - high[1]))
        both = (size > 0) & np.isfinite(corners)
        near = np.fmin(corners, _norm(wrists[0] - wrists[1])) <= OVER * size
        told, over = told + int(both.sum()), over + int((both & near).sum())
    return over > MOST * told


def proportions(clips: list[np.ndarray]) -> str:
    """What bodies (frames, 75, 2), x and y in one unit, say of the picture's shape; "" of usual proportions."""
    shapes = []
    for xy in clips:
        nose, left, right = xy[:, NOSE], xy[:, LEFT_SHOULDER], xy[:, RIGHT_SHOULDER]
        above = (left[:, 1] + right[:, 1]) / 2 - nose[:, 1]
        shapes += (_norm(left - right)[above > 0] / above[above > 0]).tolist()
    shape = _median(shapes)
    if np.isnan(shape) or SLENDER[0] <= shape <= SLENDER[1]:
        return ""
    return (
        f"shoulders are {shape:.2g} times as wide as the nose lies above them (of people 1 to 2): were width and "
        "height exchanged, or is the shape of the picture not stated? See --width, --height and --aspect."
    )


def of_hands(clips: list[np.ndarray]) -> list[str]:
    """What clips (frames, 75, 2) of hands without a body say of the picture, as questions; see `HANDS`."""
    sides: list[float] = []
    ups: list[float] = []
    for xy in clips:
        left, right = xy[:, LEFT_HAND], xy[:, RIGHT_HAND]
        with np.errstate(all="ignore"):  # a hand that is not there
            across = _mean(left)[:, 0] - _mean(right)[:, 0]
        up = np.concatenate([hand[:, 0, 1] - hand[:, 9, 1] for hand in (left, right)])
        for shares, values in ((sides, across), (ups, up)):
            if (told := values[np.isfinite(values)]).size:
                shares.append(float((told > 0).mean()))
    said = (
        (sides, "left hands lie on the left of the picture", "hands exchanged, or a mirrored picture?"),
        (ups, "fingers point down", "y must grow downwards; write 1 - y where it does not."),
    )  # fmt: skip
    return [
        f"{what} in {100 - 100 * np.mean(shares):.0f} % of the frames of hands without a body: {advice}"
        for shares, what, advice in said
        if len(shares) >= LEAST and np.mean(shares) < HANDS
    ]


def lacks_wrists(layout: Layout) -> bool:
    """Whether a layout has hands and a body, but not the body's wrists to tell by."""
    has_body, has_hands = (layout.places[BODY] >= 0).any(), (layout.places[: BODY.start] >= 0).any()
    return bool(
        has_body and has_hands and (layout.places[[BODY_LEFT_WRIST, BODY_RIGHT_WRIST]] < 0).all()
    )


def _norm(values: np.ndarray) -> np.ndarray:
    return np.sqrt((values * values).sum(axis=-1))


def _mean(values: np.ndarray) -> np.ndarray:
    """nanmean over axis 1 without a warning; NaN where nothing is there."""
    seen = ~np.isnan(values)
    return np.where(seen, values, 0).sum(axis=1) / seen.sum(axis=1)


def fitting(layouts: list[Layout], clips: list[list[np.ndarray]]) -> tuple[int, str]:
    """Which of several orders the clips have, and why.

    Args:
        clips: for each layout, the sample as (frames, 75, 2).

    Returns:
        The place in `layouts`, -1 where the package's own order is contradicted; and a sentence.
    """
    if len(layouts) == 1:
        only = layouts[0]
        size = _median([misfit(frames) for frames in clips[0]]) if lacks_wrists(only) else 0
        if size > PLAUSIBLE:
            return -1, ""
        return 0, f"the only order of {only.points} points that is known"
    misfits = np.array([_median([misfit(frames) for frames in sample]) for sample in clips])
    lacks = np.array([lacks_wrists(layout) for layout in layouts])
    if lacks.any() and not lacks.all() and np.isfinite(misfits).all():
        least, without = misfits[~lacks].min(), misfits[lacks].min()
        wrists = least <= without + WRISTS and min(least, without) <= PLAUSIBLE
        kept = np.flatnonzero(lacks != wrists)
        place, why = fitting([layouts[n] for n in kept], [clips[n] for n in kept])
        if place >= 0:
            why = (
                f"hands at the body's wrists (misfit {least:.2f})"
                if wrists
                else f"no wrists at the hands; {why}"
            )
        return (int(kept[place]) if place >= 0 else -1), why
    told = np.where(np.isfinite(misfits), misfits, np.inf)
    best = int(np.argmin(told))
    if not np.isfinite(misfits[0]):
        if layouts[0].points not in OWN and told[best] <= PLAUSIBLE:
            return best, f"hands at the body's wrists (misfit {told[best]:.2f})"
        return 0, "taken for granted: nothing tells (no hand together with a body)"
    usual = misfits[0]
    if best == 0 or misfits[best] > PLAUSIBLE or misfits[best] > BETTER * usual:
        if usual > PLAUSIBLE:
            return 0, f"taken for granted: no hand lies at a body's wrist (misfit {usual:.2f})"
        return 0, f"hands at the body's wrists (misfit {usual:.2f})"
    if layouts[0].points in OWN and layouts[0].name != layouts[best].name:
        # Of rows in another order the parts alone were turned.
        return -1, sided(layouts[best].name, clips[best])
    return (
        best,
        f"hands at the body's wrists (misfit {misfits[best]:.2f}; {usual:.2f} in the usual order)",
    )


def sided(order: str, clips: list[np.ndarray]) -> str:
    """The name of an order whose hands are those of the body: of two that fit but for them, the right one.

    Args:
        order: that places hands and body, such as body-left-right.
        clips: (frames, 75, 2), read in it.
    """
    counts = [watched(frames[:, WATCHED]) for frames in clips]
    exchanged = sum(count["exchanged"] for count in counts)
    if exchanged <= MOST * sum(count["compared"] for count in counts):
        return order
    other = {"left": "right", "right": "left"}
    return "-".join(other.get(part, part) for part in order.split("-"))


def _median(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else float("nan")


def near_wrists(joints: list[list[float]]) -> bool:
    """Whether a hand of an upright body lies at its wrist in one frame: then the order of the parts is sound.

    Args:
        joints: those of `WATCHED`, as numbers of Python (thrice as quick as arrays of seven).
    """
    *hands, left_wrist, right_wrist, left, right, nose = joints
    # In another order a foot and a hand may stand for the shoulders, and everything is near.
    level = abs(left[0] - right[0]) > abs(left[1] - right[1])
    if not level or nose[1] >= max(left[1], right[1]):  # a nose that is not there says nothing
        return False
    reach = 0.5 * math.dist(left, right)
    return any(
        math.dist(hand, wrist) <= reach for hand in hands for wrist in (left_wrist, right_wrist)
    )


def watched(points: np.ndarray) -> dict[str, int]:
    """Counts of a clip's frames by what its joints tell; see :func:`telling`."""
    return {name: int(frames.sum()) for name, frames in telling(points).items()}


@np.errstate(invalid="ignore")  # infinities, which the store refuses with a sentence
def telling(points: np.ndarray) -> dict[str, np.ndarray]:
    """What the joints of each frame tell, bool (frames,).

    Args:
        points: (frames, 7, 2), the joints of `WATCHED`, x and y in one unit.

    Returns:
        `compared` and `exchanged`: frames that tell which hand is which, and where they are exchanged
        (`sslslr.data.quality`); `placed` and `astray`: frames with a hand and a body, and those in which no
        hand is near a wrist of the body; `facing`, `mirrored`, `upside_down`, `turned`: frames with both
        shoulders, those with the left one on the picture's left, with the nose below them, and with one
        shoulder above the other.
    """
    hands, wrists, shoulders = points[:, :2], points[:, 2:4], points[:, 4:6]
    width = _norm(shoulders[:, 0] - shoulders[:, 1])
    apart = _norm(wrists[:, 0] - wrists[:, 1])
    own, other = _norm(hands - wrists), _norm(hands - wrists[:, ::-1])
    here = ~np.isnan(own) & ~np.isnan(other)
    tells = (apart > APART * width) & here.any(axis=1)
    swapped = tells & (np.where(here, own, 0).sum(axis=1) > np.where(here, other, 0).sum(axis=1))
    nearest = np.fmin(own, other)  # NaN where neither can be compared
    placed = ~np.isnan(nearest).all(axis=1) & (width > 0)
    astray = placed & ~(nearest <= ASTRAY * width[:, None]).any(axis=1)
    facing, beside = width > 0, np.abs(shoulders[:, 0] - shoulders[:, 1])
    across = shoulders[:, 0, 0] - shoulders[:, 1, 0]
    above = points[:, 6, 1] - shoulders[:, :, 1].mean(axis=1)
    return {
        "compared": tells,
        "exchanged": swapped,
        "placed": placed,
        "astray": astray,
        "facing": facing,
        "mirrored": across < -0.3 * width,
        "upside_down": above > 0.1 * width,
        "turned": beside[:, 1] > beside[:, 0],
    }
