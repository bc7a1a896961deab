"""What `start` and `end` of a table mean: frames, milliseconds or seconds, and the frames that they leave."""

import math

import numpy as np

from sslslr.data.readers import ClipError

CUT = "; of clips that were cut already --times none leaves start and end out"
# A sign lasts longer than so many milliseconds, and less long than so many seconds.
BRIEFEST_SIGN, LONGEST_SIGN = 100, 10


def unit_of(spans: list[float], broken: int, beyond: bool) -> str:
    """What `start` and `end` are, of a sample: a row with a fault does not decide for the others.

    Args:
        spans: end less start of each row; broken: rows with a fraction; beyond: whether a value lies
            beyond the frames of its clip.
    """
    usual = [span for span in spans if span > 0]  # without an end nothing is known of the length
    typical = float(np.median(usual)) if usual else None
    if broken and (2 * broken > len(spans) or typical is None or typical < LONGEST_SIGN):
        return "seconds"
    return "milliseconds" if beyond and (typical is None or typical > BRIEFEST_SIGN) else "frames"


def span(
    times: dict[str, float], unit: str, fps: float | None, frames: int
) -> tuple[int, int, bool]:
    """First frame and the one after the last that `start` and `end` of a table mean, and whether they
    lie beyond the clip's last frame (of a time by more than a frame, which is rounding).

    An end of 0 or less is the clip's own. Milliseconds and seconds are rounded outwards to frames, as
    pose-format does.

    Raises:
        ClipError: no frame is left, or the frame rate is not known.
    """
    ends, beyond = {}, False
    for name, value in times.items():
        side, _, stated = name.partition("_")
        per = {"": unit, "frame": "frames", "ms": "milliseconds", "s": "seconds"}[stated]
        if per != "frames" and value > 0:
            if not fps:
                raise ClipError(
                    f"{name} in {per} needs the frame rate (a column fps; of frames say --times frames){CUT}"
                )
            value *= fps / (1000 if per == "milliseconds" else 1)
            value = math.floor(value + 1e-6) if side == "start" else math.ceil(value - 1e-6)
        ends[side] = int(value)
        beyond |= value > frames + (per != "frames")
    first = max(ends.get("start", 0), 0)
    end = ends.get("end", 0)
    end = min(end, frames) if end > 0 else frames
    if first >= end:
        raise ClipError(
            f"no frame between its start and end ({first} to {end} of {frames} frames){CUT}"
        )
    return first, end, beyond
