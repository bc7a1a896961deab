"""What the numbers of a set's clips mean, decided once from a sample of them and said."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import Field

from sslslr.config.settings import Settings
from sslslr.data.conversion.anatomy import PLAUSIBLE, fitting, misfit, unlike, upright
from sslslr.data.conversion.arrays import Arrangement, arrangements
from sslslr.data.conversion.persons import one_person
from sslslr.data.conversion.units import blanked, filler_of, read_unit
from sslslr.data.readers import ClipError, RawClip
from sslslr.pose.layouts import PARTS, Layout, candidates, named
from sslslr.pose.skeleton import BODY

# Joints found by a detector with less confidence count as missing, as mmpose draws them.
SCORE = 0.3
USUAL = 0.9  # share of the clips from which the others are faults
SCORES = 20.0  # at most: those of RTMW go beyond 1
FARTHEST = 1e15  # squares and sums of larger coordinates are beyond single precision
Units = Literal["image", "pixels", "percent"]


class Conversion(Settings):
    """What a person may say where the files do not tell."""

    layout: str | None = Field(
        None, max_length=200, description="Order of the points where it cannot be told: parts joined by hyphens, "
        "body-left-right or face-left-body-right, or coco133, openhands27 (docs/keypoints.md)."
    )  # fmt: skip
    unit: Units | None = Field(
        None, description="image: 0 to 1; pixels: with width and height; percent: 0 to 100."
    )
    width: float | None = Field(None, gt=0, le=1e5, description="Of the images, in pixels.")
    height: float | None = Field(None, gt=0, le=1e5, description="Of the images, in pixels.")
    aspect: float | None = Field(
        None, gt=0.05, lt=20, description="Of the images: width divided by height."
    )
    min_confidence: float | None = Field(
        None, ge=0, le=1, description="Joints found with less confidence are missing. Default: 0.3 of a "
        "detector's confidence; of MediaPipe's visibility 0 (only what was not found is missing)."
    )  # fmt: skip
    missing: Literal["zeros", "nan"] = Field(
        "zeros", description="zeros: joints at exactly (0, 0) were not found; nan: they were."
    )
    exchange_hands: bool = Field(
        False, description="The files call the left hand right: exchange them."
    )


@dataclass
class Plan:
    """What the numbers of clips of one shape mean.

    Attributes:
        arrangement, layout: which axis is what, and the order of the points.
        third: "", "depth", "a depth?" (never below 0, as confidences are, but too large), "score" (a
            detector's confidence) or "nothing" (all zeros).
        visibility: whether the scores are MediaPipe's visibility.
        unstated: bool (75,), joints whose score is 0 though they were found (MediaPipe's hands).
        unit: "image", "pixels", "percent" or "shoulders" (centred, of no image).
        zeros: whether (0, 0) is a missing joint (of no image's: only a whole hand or frame of zeros).
        filler: a number that stands for a missing coordinate besides, or None.
        threshold: least score of a joint.
        scale: of coordinates in a multiple of the shoulders' width, that width; 0 where they stay as they are.
        why: sentences.
        unlike: what is no signer's in the sample, or "".
    """

    arrangement: Arrangement
    layout: Layout
    third: str = ""
    visibility: bool = False
    unstated: np.ndarray | None = None
    unit: str = "image"
    zeros: bool = False
    filler: float | None = None
    threshold: float = 0.0
    scale: float = 0.0
    why: list[str] = field(default_factory=list)
    unlike: str = ""


def parted(
    raw: RawClip, way: Arrangement | None
) -> tuple[np.ndarray, np.ndarray | None, int, tuple[float, float] | None]:
    """A clip's points (frames, points, C), scores, persons a frame, and the image size it states."""
    points, size = raw.points, raw.size
    if way is not None:
        points = way.apply(points)
        if before := size_before(points):
            size, points = before, points[..., 1:, :]
    if (
        points.ndim not in (3, 4)
        or points.shape[-1] not in (2, 3, 4)
        or points.dtype.kind not in "iuf"
    ):
        axes = "x".join(map(str, points.shape))
        raise ClipError(
            f"keypoints as an array of {axes} ({points.dtype}), not frames, points, x and y"
        )
    if points.dtype.kind != "f":
        points = points.astype(np.float32)
    elif points.dtype.itemsize > 4 and (np.abs(points[np.isfinite(points)]) > FARTHEST).any():
        raise ClipError(f"coordinates that are infinite or beyond {FARTHEST:g}")
    score = _arranged(raw.score, raw.points, way) if raw.score is not None else None
    if score is not None and score.shape[-1] == points.shape[-2] + 1:  # the size's own
        score = score[..., 1:]
    points, score, persons = one_person(points, score)
    return points, score, persons, size


def size_before(points: np.ndarray) -> tuple[float, float] | None:
    """Width and height of the video, where they stand before the 133 points of COCO-WholeBody.

    Else the first of 134 points is the nose of OpenPose's order, which moves and lies above most joints.
    """
    if points.shape[-2] != 134:
        return None
    first, others = (points[..., part, :2].reshape(-1, 2) for part in (slice(1), slice(1, None)))
    first, others = (
        xy[np.isfinite(xy).all(axis=1) & (xy != 0).any(axis=1)] for xy in (first, others)
    )
    if not len(first) or (first != first[0]).any():
        return None
    beyond = not len(others) or (first[0] > np.median(others, axis=0)).all()
    return (float(first[0, 0]), float(first[0, 1])) if beyond else None


def _arranged(score: np.ndarray, points: np.ndarray, way: Arrangement | None) -> np.ndarray:
    """Scores (frames[, persons], points) from the axes that the file has them in."""
    for axis in (-1, 0):
        others = points.shape[:-1] if axis == -1 else points.shape[1:]
        if score.shape == others:
            wide = np.broadcast_to(np.expand_dims(score, axis), points.shape)
            return (way.apply(wide) if way is not None else wide)[..., 0]
    if way is None and score.size == points[..., 0].size:
        return score.reshape(points.shape[:-1])
    raise ClipError("confidences that do not go with the keypoints")


def make_plan(sample: list[RawClip], options: Conversion, sizes: list[tuple | None]) -> Plan:
    """Decide what the numbers of clips of one shape mean.

    Args:
        sizes: of each clip, the image's width and height as the table or the options state it.

    Raises:
        ClipError: it cannot be told, or contradicts what was said; says what would fit.
    """
    named_layout = named(options.layout) if options.layout else None
    ways = _ways(sample[0], named_layout)
    for raw in sample[1:]:  # what one clip's shape allows by chance, another's does not
        same = {way and way.title for way in _ways(raw, named_layout)} | {None}
        ways = tuple(way for way in ways if (way and way.title) in same)
    readings = []  # arrangement, layout, clips of (points, score, persons, size)
    for way in ways:
        parts = [parted(raw, way) for raw in sample]
        for layout in _layouts(sample[0], way, named_layout):
            readings.append((way, layout, parts))
    fillers = [
        filler_of([points for points, *_ in parts]) if options.missing != "nan" else None
        for *_, parts in readings
    ]
    trial = [
        [blanked(layout.apply(points[:, :, :2]), filler) for points, *_ in parts]
        for (_, layout, parts), filler in zip(readings, fillers, strict=True)
    ]
    readings, trial = _upright(readings, trial)
    chosen, reason = fitting([layout for _, layout, _ in readings], trial)
    if named_layout is not None:
        chosen, reason = 0, "as options.layout says"
    elif sample[0].layout is not None and (chosen == 0 or (chosen > 0 and not sample[0].custom)):
        chosen, reason = 0, "by the names of the points"
    if chosen < 0 and not reason:
        raise ClipError(
            f"{readings[0][1].points} points that are not those of {readings[0][1].name}: what would be hands "
            f"is as large as the body.{_bodies(readings[0][1].points)} Name their order by `layout`"
        )
    if chosen < 0:
        raise ClipError(
            f"{readings[0][1].points} points that are not in the order {readings[0][1].words}: the "
            f"hands do not lie at the body's wrists, but they do as {reason}. If that is their order, "
            f"say so: --layout {reason} (layout: {reason})"
        )
    way, layout, parts = readings[chosen]
    plan = Plan(way or Arrangement("", layout.points, lambda points: points), layout)
    plan.unlike = unlike(trial[chosen])
    if plan.arrangement.title:
        plan.why.append(f"read as {plan.arrangement.title}")
    plan.why.append(f"{layout.points} points in the order {layout.name}: {reason}")
    clips = [layout.apply(points) for points, *_ in parts]
    scores = [
        None if score is None else layout.apply(score[..., None])[..., 0] for _, score, *_ in parts
    ]
    _read_zeros(plan, clips, options)
    _read_scores(plan, sample[0], clips, scores, options)
    sizes = [size or stated for size, (*_, stated) in zip(sizes, parts, strict=True)]
    read_unit(plan, sample, clips, sizes, options)
    return plan


def _ways(raw: RawClip, layout: Layout | None) -> tuple[Arrangement | None, ...]:
    if raw.layout is not None:
        return (None,)
    return arrangements(raw.points, layout)


def _layouts(raw: RawClip, way: Arrangement | None, layout: Layout | None) -> tuple[Layout, ...]:
    if layout is not None:
        return (layout,)
    if raw.layout is not None:
        first = raw.layout
        others = candidates(first.points) if raw.custom else ()
        return (first, *(other for other in others if other.name != first.name))
    assert way is not None  # a clip without points of its own has arrangements
    return (named("coco133"),) if size_before(way.apply(raw.points)) else way.layouts()


def _upright(readings: list, trial: list) -> tuple[list, list]:
    """Where the axes may be meant in several ways: the usual, unless the body stands upright in others alone.

    Of (3, frames, 75, 2) the last two numbers may be coordinates, or two persons.
    """
    titles = [way.title if way else "" for way, *_ in readings]
    if len(set(titles)) < 2:
        return readings, trial
    best: dict[str, tuple[float, float]] = {}  # of each way, misfit and sense of its best order
    for title, clips in zip(titles, trial, strict=True):
        fit = float(np.nan_to_num(np.mean([misfit(frames) for frames in clips]), nan=1e3))
        if title not in best or fit < best[title][0]:
            best[title] = fit, float(np.mean([upright(frames) for frames in clips]))
    others = {t for t, (fit, sense) in best.items() if sense > 0.75 and fit <= PLAUSIBLE}
    if best[titles[0]][1] > 0.5 or not others:
        return readings, trial
    chosen = [number for number, title in enumerate(titles) if title in others]
    return [readings[number] for number in chosen], [trial[number] for number in chosen]


def _bodies(points: int) -> str:
    """What so many points may be instead: a body without hands."""
    return (
        f" The first {points} of MediaPipe's body are `--layout body{points}`."
        if f"body{points}" in PARTS
        else ""
    )


def _are_scores(third: np.ndarray, layout: Layout) -> bool:
    """Whether a third coordinate is a confidence; detectors' orders have no depth, and higher ones."""
    most = SCORES if any(word in layout.name for word in ("coco", "openpose", "halpe")) else 1.5
    return bool(third.min() >= 0 and third.max() <= most and (third > 0.01).mean() > 0.2)


def _third(clip: np.ndarray) -> np.ndarray:
    """The third coordinate of the joints that are there: what fills a missing one may stand in all three."""
    third = clip[..., 2]
    return third[np.isfinite(blanked(clip[..., :2])[..., 0]) & np.isfinite(third)]


def _read_scores(plan, raw, clips, scores, options) -> None:
    """What the third and fourth coordinate are, and the least score."""
    coordinates = clips[0].shape[-1]
    stated = scores[0] is not None
    extra = np.concatenate([clip[..., 2:].reshape(clip[..., 0].size, -1) for clip in clips])
    plan.visibility = raw.visibility
    if coordinates == 3:
        thirds = [third for clip in clips if (third := _third(clip)).any()]
        scored = sum(_are_scores(third, plan.layout) for third in thirds)
        if not thirds:
            plan.third = "nothing"
        elif not stated and scored >= USUAL * len(thirds):
            plan.third = "score"
            scores[:] = [clip[..., 2] for clip in clips]
            stated = True
            plan.why.append("third coordinate: a confidence (never below 0)")
        else:
            plan.third = "depth" if min(map(np.min, thirds)) < 0 else "a depth?"
            plan.why.append("third coordinate: a depth; dropped")
    elif coordinates == 4:
        plan.third, fourth = "visibility", extra[:, 1][np.isfinite(extra[:, 1])]
        if len(fourth) and (fourth.min() < -0.01 or fourth.max() > 1.01):
            plan.third = "depth"
            plan.why.append("third and fourth coordinate: not between 0 and 1; dropped")
        else:
            plan.visibility, stated = True, True
            scores[:] = [clip[..., 3] for clip in clips]
            plan.why.append("third coordinate: a depth, dropped; fourth: visibility")
    plan.threshold = options.min_confidence or 0.0
    if stated:
        found = np.concatenate([blanked(clip[..., :2])[..., 0] for clip in clips])
        scored = np.any(np.concatenate(scores) > 0, axis=0)
        zero = ~scored & np.any(np.isfinite(found), axis=0)
        # MediaPipe writes 0 for every point of a hand, and more for the body.
        bodys = zero[: BODY.start].any() and scored[BODY].any() and not scored[: BODY.start].any()
        if plan.third == "score" and bodys:
            plan.visibility = True
            plan.why[-1] = "third coordinate: MediaPipe's visibility (0 for hands that were found)"
        if plan.visibility and (bodys or plan.third == "visibility"):
            plan.unstated = zero
        if options.min_confidence is None and not plan.visibility:
            plan.threshold = SCORE
        if plan.threshold:
            plan.why.append(f"joints with a confidence below {plan.threshold:g} count as missing")


def _read_zeros(plan, clips, options) -> None:
    xy = np.concatenate([clip[..., :2] for clip in clips])
    there = np.isfinite(xy[..., 0]).sum()
    zero = (xy == 0).all(axis=-1)
    plan.zeros = options.missing != "nan"
    if options.missing != "nan" and (filler := filler_of(clips)) is not None:
        plan.filler = filler
        plan.why.append(f"joints at ({filler:g}, {filler:g}) count as missing")
        for number, clip in enumerate(clips):
            gone = (clip[..., :2] == filler).all(axis=-1, keepdims=True)
            clips[number] = np.where(gone, np.nan, clip)
    if plan.zeros and zero.any():
        share = 100 * zero.sum() / max(1, there)
        plan.why.append(f"joints at exactly (0, 0) count as missing ({share:.1f} % of the sample)")
