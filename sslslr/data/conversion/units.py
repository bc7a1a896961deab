"""In which unit a set's coordinates are: parts of the image, pixels, per cent, or the shoulders' width."""

import numpy as np

from sslslr.data.conversion.anatomy import shapeless, shoulders
from sslslr.data.conversion.flips import unflipped
from sslslr.data.conversion.pixels import check_pixels
from sslslr.data.readers import ClipError

LARGEST = 2.0  # coordinates of an image lie in 0..1, a little more where a joint is outside of it
# Share of joints at exactly (-1, -1) or such beyond which that stands for missing joints.
FILLED = 0.001
BELOW = 0.2  # share of one axis below zero beyond which coordinates lie around it
FAR = 999.0  # a number that stands for a missing coordinate, if it is large
SCALES = (0.05, 3.0)  # of the shoulders: normalised coordinates that can stay as they are


def blanked(xy: np.ndarray, filler: float | None = None) -> np.ndarray:
    """NaN where both coordinates are 0, both are -1, or both are a filler."""
    x = xy[..., 0]
    same = (x == xy[..., 1]) & ((x == 0) | (x == -1) | (x == (0 if filler is None else filler)))
    return np.where(same[..., None], np.nan, xy)


def filler_of(clips: list[np.ndarray]) -> float | None:
    """The number that stands for missing coordinates besides 0, such as -1 or -999; None where there is none.

    It stands in both coordinates of many joints. But for -1 it lies beyond all others: below them, or, of
    a large one, far above.

    Args:
        clips: (frames, points, 2 or more).
    """
    xy = np.concatenate([clip[..., :2].reshape(-1, 2) for clip in clips])
    xy = xy[np.isfinite(xy).all(axis=1)]
    if not len(xy):
        return None
    low, high = float(xy.min()), float(xy.max())
    for value in (-1.0, low, high):
        both = (xy == value).all(axis=1)
        if not FILLED * len(xy) < both.sum() < len(xy):
            continue
        if value == -1 or (value == low and low <= -1):
            return value
        if value == high >= FAR and xy[~both].max() < high / 2:
            return value
    return None


def middles(clips: list[np.ndarray]) -> list[float]:
    """The median size of each clip's coordinates; of a clip without any it is left out."""
    sizes = [np.abs(blanked(clip[..., :2])) for clip in clips]
    return [float(np.median(size[there])) for size in sizes if (there := np.isfinite(size)).any()]


def around_zero(xy: np.ndarray) -> bool:
    """Whether coordinates (n, 2) of joints that were found are normalised already: of no image, which begins at 0."""
    return bool(((xy < 0).mean(axis=0) > BELOW).any())


def read_unit(plan, sample, clips, sizes, options) -> None:
    """Decide the plan's unit; raises ClipError where it cannot be told, or contradicts what was said."""
    clips = _turned(clips, plan)
    xy = np.concatenate([clip[..., :2].reshape(-1, 2) for clip in clips])
    xy = xy[np.isfinite(xy).all(axis=1) & ((xy != 0).any(axis=1))]
    if plan.filler is not None:
        xy = xy[(xy != plan.filler).any(axis=1)]
    stated = options.unit or sample[0].unit
    if not len(xy):
        plan.unit = stated or "image"
        return
    largest = float(np.percentile(np.abs(xy), 99))
    middle = float(np.median(np.abs(xy)))
    centred = around_zero(xy)
    sized = [(clip, size) for clip, size in zip(clips, sizes, strict=True) if size]
    size = sized[0][1] if sized else None
    scale = shoulders([blanked(clip[..., :2]) for clip in clips]) if centred else 0.0
    scaled = scale > 0 and not SCALES[0] <= scale <= SCALES[1]
    if options.unit is None and centred and (scaled or middle <= LARGEST):
        if shapeless([blanked(clip[..., :2]) for clip in clips]):
            raise ClipError(
                "coordinates around zero in which no body is seen: was every joint standardised by itself, as "
                "normalize_distribution does? That loses where the hands are; write the clips before it"
            )
        plan.unit = "shoulders"
        plan.scale = scale if scaled else 0.0
        plan.why.append(
            f"coordinates around the middle of shoulders {scale:.4g} wide: normalised; divided by that width"
            if scaled
            else "coordinates around zero: normalised already, taken as they are"
        )
    elif options.unit == "percent" or options.unit == "image":
        plan.unit = options.unit
        plan.why.append(f"unit: {plan.unit}, as the options say")
    elif middle <= LARGEST and options.unit is None:
        plan.unit = "image"
        plan.why.append("coordinates within 0 to 1: parts of the image's width and height")
    elif centred and min(middles(clips)) <= LARGEST:
        raise ClipError(
            f"clips in two units: of {len(clips)} looked at some reach {largest:.0f}, others lie within "
            f"{LARGEST:g}, as after normalising. Import them apart, or write all in one unit"
        )
    elif centred:
        raise ClipError(
            f"coordinates around zero that reach {largest:.0f}: centred, and in no unit that is known. "
            "Divide them by the width of the shoulders, or write pixels or 0 to 1"
        )
    elif size is None:
        raise ClipError(
            f"coordinates up to {xy.max():.4g}: not 0 to 1. Of pixels the image's size must be known: "
            "columns width and height of the table, or --width and --height; of per cent say "
            "--unit percent"
        )
    else:
        check_pixels(sized, stated == "pixels")
        plan.unit = "pixels"
        plan.why.append(f"coordinates in pixels of {size[0]:g} x {size[1]:g}")


def _turned(clips: list[np.ndarray], plan) -> list[np.ndarray]:
    """The clips of the sample with their signs as in a picture.

    Where a clip lies on both sides of zero all are centred, and one on one side of it shows one hand.
    """
    turned = [unflipped(clip[..., :2]) for clip in clips]
    if all(found is None for found in turned):
        return clips
    for clip, found in zip(clips, turned, strict=True):
        joints = blanked(clip[..., :2], plan.filler)
        joints = joints[np.isfinite(joints).all(axis=-1)]
        if found is None and len(joints) and around_zero(joints):
            return clips
    plan.why.append("an axis below 0 throughout: its sign was turned, and is turned back")
    return [
        clip if found is None else np.concatenate([found[0], clip[..., 2:]], axis=-1)
        for clip, found in zip(clips, turned, strict=True)
    ]
