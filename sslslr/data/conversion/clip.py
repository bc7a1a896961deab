"""One clip as its file has it, to a clip of the store, as its plan says."""

import math
from typing import Any

import numpy as np

from sslslr.data.conversion.anatomy import (
    BETTER,
    PLAUSIBLE,
    WATCHED,
    misfit,
    near_wrists,
    shoulders,
    sided,
)
from sslslr.data.conversion.flips import unflipped
from sslslr.data.conversion.plan import Conversion, Plan, make_plan, parted
from sslslr.data.conversion.tally import FROZEN, Tally
from sslslr.data.conversion.units import LARGEST, around_zero
from sslslr.data.readers import ClipError, RawClip
from sslslr.pose.layouts import candidates
from sslslr.pose.skeleton import (
    BODY,
    LEFT_HAND,
    LEFT_SHOULDER,
    N_JOINTS,
    RIGHT_HAND,
    RIGHT_SHOULDER,
)

FASTEST = 240.0  # frames a second of a camera; pose-format writes 1000 where a video has no rate


def to_clip(
    raw: RawClip,
    plan: Plan,
    options: Conversion,
    tally: Tally,
    size: tuple[float, float] | None = None,
    aspect: float | None = None,
) -> dict:
    """The clip as `ClipWriter.add` takes it: keypoints (frames, 75, 2) float32, fps, aspect.

    Args:
        size, aspect: of the image, as the clip's row of the table states them.

    Raises:
        ClipError: the clip contradicts the plan; says how.
    """
    points, score, persons, own_size = parted(raw, plan.arrangement if raw.layout is None else None)
    if points.shape[1] != plan.layout.points:
        raise ClipError(f"{points.shape[1]} points, but the others have {plan.layout.points}")
    points = plan.layout.apply(points)
    if score is not None:
        score = plan.layout.apply(score[..., None])[..., 0]
    elif plan.third == "score":
        score = points[..., 2]
        below = (score < 0) & (score != points[..., 0])  # not what fills a missing joint
        if np.count_nonzero(below) > np.count_nonzero(score > 0):
            raise ClipError("its third coordinate is below 0, but the other clips' is a confidence")
    elif plan.third == "visibility":
        score = points[..., 3]
    xy = points[..., :2]
    if xy.dtype != np.float32 or xy.base is not None or not xy.flags.writeable:
        with np.errstate(over="ignore"):
            xy = xy.astype(np.float32)
    tally.saw("several", persons > 1)
    tally.depth += plan.third == "depth"
    tally.doubtful += plan.third == "a depth?"
    frames = len(xy)
    if score is not None:
        _drop_unsure(xy, score, plan, tally)
    if plan.zeros or plan.filler is not None:
        xy = _drop_zeros(xy, plan, tally)
    size = (
        size
        or own_size
        or (options.width and options.height and (options.width, options.height))
        or None
    )
    if options.missing != "nan" and score is None:
        _drop_collapsed(xy, tally)
    # Around zero a clip of one hand may lie on one side of it.
    turned = unflipped(xy) if plan.unit != "shoulders" else None
    xy, mirrored = turned or (xy, None)
    tally.saw("flipped", mirrored is not None)
    if options.unit is None:
        _refuse_other_origin(xy, plan)
    xy = _scaled(xy, plan, size, options.unit is not None)
    tally.saw("outside", plan.unit == "pixels" and _is_outside(xy))
    if mirrored:
        xy[..., 0] = 1 - xy[..., 0]
    if aspect is None:
        aspect = options.aspect
    tally.unsized += plan.unit == "shoulders" and aspect is None and size not in (None, own_size)
    if aspect is None and size is not None and plan.unit != "shoulders":
        aspect = size[0] / size[1]
    if options.exchange_hands:
        xy = np.concatenate([xy[:, RIGHT_HAND], xy[:, LEFT_HAND], xy[:, RIGHT_HAND.stop :]], axis=1)
    _watch(xy, aspect, plan, options, tally, raw.layout is not None)
    tally.frames += frames
    for name in raw.unused:
        tally.unused[name] = tally.unused.get(name, 0) + 1
    tally.gaps += raw.gaps
    tally.gapped += raw.gaps > 0
    tally.unnumbered += raw.unnumbered
    tally.centred += plan.unit == "shoulders"
    still = is_still(xy)
    tally.saw("still", still)
    tally.saw("frozen", not still and is_frozen(xy))
    return {"keypoints": xy, "fps": _rate(raw.fps, tally), "aspect": aspect}


def to_clip_alone(raw: RawClip, options: Conversion) -> dict[str, Any]:
    """As :func:`to_clip`, of a clip whose numbers are judged by themselves."""
    return to_clip(raw, make_plan([raw], options, [None]), options, Tally())


def _drop_unsure(xy: np.ndarray, score: np.ndarray, plan: Plan, tally: Tally) -> None:
    low = ~((score > 0) & (score >= plan.threshold))  # NaN is no confidence
    if plan.unstated is not None:
        low[:, plan.unstated] = False
    low &= ~np.isnan(xy[..., 0])
    tally.unsure += int((low & (score > 0)).sum())
    tally.absent += int((low & ~(score > 0)).sum())
    xy[low] = np.nan


def _drop_zeros(xy: np.ndarray, plan: Plan, tally: Tally) -> np.ndarray:
    """Zeros and fillers to NaN, and without the frames at the end that hold nothing else."""
    if plan.filler is None and xy.all():
        return xy
    zero: Any = (xy == 0).all(axis=-1) if plan.zeros else np.zeros(xy.shape[:2], dtype=bool)
    if plan.unit == "shoulders":  # there the point that it was centred on is at zero
        hands = [zero[:, hand].all(axis=1) for hand in (LEFT_HAND, RIGHT_HAND)]
        whole = zero.mean(axis=1) > 0.5
        zero = np.where(whole[:, None], zero, False)
        for hand, empty in zip((LEFT_HAND, RIGHT_HAND), hands, strict=True):
            zero[:, hand] = empty[:, None]
    filled = (xy == plan.filler).all(axis=-1) if plan.filler is not None else np.zeros_like(zero)
    gone = zero | filled
    if not gone.any():
        return xy
    xy[gone] = np.nan
    there = np.flatnonzero(~np.isnan(xy[..., 0]).all(axis=1))
    end = int(there[-1]) + 1 if len(there) else len(xy)
    if end < len(xy) and gone[end:].any():
        tally.saw("padded")
        tally.padding += len(xy) - end
        zero, filled, xy = zero[:end], filled[:end], xy[:end]
    tally.zeros += int(zero.sum())
    if filled.any():
        name = f"({plan.filler:g}, {plan.filler:g})"
        tally.fillers[name] = tally.fillers.get(name, 0) + int(filled.sum())
    return xy


def _drop_collapsed(xy: np.ndarray, tally: Tally) -> None:
    """A hand whose joints all lie at one point was not found: zeros that were moved with all others.

    Where the file has confidences, they say it.
    """
    for hand in (LEFT_HAND, RIGHT_HAND):
        same = xy[:, hand.start, 0] == xy[:, hand.stop - 1, 0]
        if not same.any():  # most clips: two numbers a frame tell
            continue
        joints = xy[np.isfinite(xy).all(axis=-1)]
        if not len(joints) or (joints == joints[0]).all():  # no clip, or one point: said by itself
            return
        rows = np.flatnonzero(same)
        rows = rows[(xy[rows, hand] == xy[rows, None, hand.start]).all(axis=(1, 2))]
        xy[rows, hand] = np.nan
        tally.collapsed += len(rows)


def _refuse_other_origin(xy: np.ndarray, plan: Plan) -> None:
    """Raise ClipError for a body around zero among parts of the image, or the other way round."""
    left, right = (
        xy[len(xy) // 2, [LEFT_SHOULDER, RIGHT_SHOULDER]].tolist() if len(xy) else ((0, 0),) * 2
    )
    width = math.dist(left, right)
    if not width > 0:  # NaN: without a body one hand may lie on one side of zero
        return
    # Quick: the middle frame's shoulders lie about zero, or nowhere near.
    near = math.dist(left, (-right[0], -right[1])) < 2 * width
    if plan.unit != "shoulders" and near and shoulders([xy]):
        others = "lie within 0 to 1" if plan.unit == "image" else f"are in {plan.unit}"
        raise ClipError(f"its shoulders lie around zero: normalised, but the other clips {others}")
    if plan.unit == "shoulders" and not around_zero(xy[np.isfinite(xy).all(axis=-1)]):
        raise ClipError(
            "it lies on one side of zero: parts of the image, but the other clips are normalised"
        )


def _scaled(
    xy: np.ndarray, plan: Plan, size: tuple[float, float] | None, stated: bool
) -> np.ndarray:
    """In the store's unit.

    Args:
        stated: whether the options name the plan's unit; else it is that of the other clips.

    Raises:
        ClipError: another unit than the other clips have, or pixels without a size.
    """
    size_of = np.abs(xy)
    peak = float(np.fmax.reduce(size_of, axis=None, initial=0))  # NaN is passed over
    if plan.unit in ("percent", "pixels"):
        small = np.count_nonzero((size_of > 0) & (size_of <= LARGEST))
        if 2 * small > np.count_nonzero(size_of > 0):
            unit = "per cent" if plan.unit == "percent" else "pixels"
            others = f"--unit {plan.unit} was said" if stated else f"the other clips are in {unit}"
            raise ClipError(
                f"most coordinates within {LARGEST:g}: 0 to 1 or normalised, but {others}"
            )
    if plan.scale:
        xy = xy / np.float32(shoulders([xy]) or plan.scale)
        size_of = np.abs(xy)
        peak = float(np.fmax.reduce(size_of, axis=None, initial=0))
    if plan.unit == "percent":
        return xy / np.float32(100)
    if plan.unit == "pixels":
        if size is None:
            raise ClipError("coordinates in pixels, without the image's size to divide them by")
        return xy / np.array(size, dtype=np.float32)
    if LARGEST < peak < 1e30 and 2 * np.count_nonzero(size_of > LARGEST) > np.count_nonzero(
        size_of >= 0
    ):
        others = "--unit image was said" if stated else "the other clips lie within 0 to 1"
        raise ClipError(f"coordinates up to {peak:.4g}: in pixels or per cent, but {others}")
    return xy


def _watch(
    xy, aspect: float | None, plan: Plan, options: Conversion, tally: Tally, stated: bool
) -> None:
    """Count what the joints tell; refuse a clip whose parts are in another order than the others'."""
    few = xy.take(WATCHED, axis=1) * np.array([aspect or 1.0, 1.0], dtype=np.float32)
    middle = few[len(few) // 2].tolist() if len(few) else [[0.0, 0.0]] * 7
    if (
        options.layout is None
        and plan.layout.points == N_JOINTS
        and not (stated or near_wrists(middle))
    ):
        _refuse_other_order(xy, plan)
    tally.watch(few)
    tally.saw("handless", bool(np.isnan(few[:, :2, 0]).all()))
    tally.saw("points", len(few) > 0 and middle.count(middle[0]) == len(middle))


def _refuse_other_order(xy: np.ndarray, plan: Plan) -> None:
    """Raise ClipError for a clip whose parts are in another order than the others'."""
    mine = misfit(xy)
    if not mine > PLAUSIBLE:  # NaN: hands that were not found say nothing
        return
    for layout in candidates(plan.layout.points)[1:]:
        turned = layout.apply(xy)
        if misfit(turned) < BETTER * min(PLAUSIBLE, mine):
            order = sided(layout.name, [turned])
            raise ClipError(f"its points are in the order {order}, unlike the other clips'")


def is_still(xy: np.ndarray) -> bool:
    """Whether a clip (frames, 75, 2) of several frames that hold something repeats one throughout."""
    if len(xy) < 2 or not np.array_equal(xy[0], xy[-1], equal_nan=True):  # quick: most clips
        return False
    return np.array_equal(xy[1:], xy[:-1], equal_nan=True) and not np.isnan(xy[0]).all()


def _is_outside(xy: np.ndarray) -> bool:
    """Whether most joints of the hands lie right of the picture or below it."""
    hands = xy[:, : BODY.start]
    return bool(
        np.count_nonzero(hands.max(axis=-1) > 1.05) * 2
        > np.count_nonzero(hands[..., 0] == hands[..., 0])
    )


def is_frozen(xy: np.ndarray) -> bool:
    """Whether a clip ends in repetitions of a frame that holds something."""
    last = xy[-FROZEN:]
    if len(xy) <= FROZEN + 1 or not np.array_equal(last[-1, BODY.start], last[0, BODY.start], True):
        return False
    return np.array_equal(last[:-1], last[1:], equal_nan=True) and not np.isnan(last[-1]).all()


def _rate(fps: float | None, tally: Tally) -> float | None:
    if fps is None:
        return None
    if not 0 < fps <= FASTEST:
        tally.rates[f"{fps:g}"] = tally.rates.get(f"{fps:g}", 0) + 1
        return None
    return float(fps)
