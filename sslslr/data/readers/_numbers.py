"""Frames by their numbers: one that is not there is missing at its place, not closed up."""

import itertools
from collections.abc import Sequence

import numpy as np

from sslslr.data.readers import RawClip


def places_of(numbers: Sequence[int]) -> np.ndarray | None:
    """Place of each frame in the clip by its number; None where the numbers do not tell.

    Numbers may begin anywhere and have a step. Where no step goes through all and is most differences'
    own (times in milliseconds, chosen frames), or more frames were left out than are there, nothing says
    that a frame is missing.

    Args:
        numbers: in ascending order.

    Examples:
        (1, 2, 4) gives [0, 1, 3]; (0, 5, 10, 20) gives [0, 1, 2, 4]; (0, 33, 67, 100) gives None.
    """
    if len(numbers) < 2:
        return np.arange(len(numbers))
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    step = min(steps)
    if step < 1 or any(other % step for other in steps) or 2 * steps.count(step) < len(steps):
        return None
    if (numbers[-1] - numbers[0]) // step + 1 > 2 * len(numbers):
        return None
    return np.array([(number - numbers[0]) // step for number in numbers])


def by_numbers(clip: RawClip, numbers: Sequence[int]) -> RawClip:
    """A clip whose first axis is its frames, with frames of NaN where a number is left out.

    Args:
        numbers: of the clip's frames, in its order, ascending.
    """
    if len(clip.points) != len(numbers):  # several values are no frames: what it is decides later
        return clip
    places = places_of([int(number) for number in numbers])
    if places is None:
        clip.unnumbered = True
    elif len(numbers) and (gaps := int(places[-1]) + 1 - len(numbers)):
        clip.gaps = gaps
        clip.points = _spread(clip.points, places)
        if clip.score is not None and len(clip.score) == len(numbers):
            clip.score = _spread(clip.score, places)
    return clip


def _spread(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    kind = values.dtype if values.dtype.kind == "f" else np.dtype(np.float32)
    out = np.full((int(places[-1]) + 1, *values.shape[1:]), np.nan, dtype=kind)
    out[places] = values
    return out
