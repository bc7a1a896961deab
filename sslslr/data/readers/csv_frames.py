"""One csv a clip: a row a frame, a column a coordinate (left_hand_0_x, x_pose_3), or numbers without names."""

import io
import math
import re

import numpy as np
import pandas as pd

from sslslr.data.readers import ClipError, RawClip, Reader, Unit, endings, parts_of, register
from sslslr.data.readers._held import clip_of
from sslslr.data.readers._numbers import by_numbers
from sslslr.data.readers._parts import BODY, LEFT, RIGHT, plain
from sslslr.utils.archives import DAMAGED
from sslslr.utils.errors import UserError, first_line
from sslslr.utils.user_files import shown

AXES = {
    "x": 0, "y": 1, "z": 2, "v": 3, "c": 3, "visibility": 3, "confidence": 3, "score": 3,
}  # fmt: skip
_AXIS = "|".join(sorted(AXES, key=len, reverse=True))
FORMS = (rf"(?P<axis>{_AXIS})[_. ]?(?P<joint>.+)", rf"(?P<joint>.+?)[_. ]?(?P<axis>{_AXIS})")
FRAMES = ("frame", "frame_id", "frame_number", "frame_index", "frame_idx")
FEWEST = 2 * 21  # coordinates of a hand
HEADER = 1 << 18  # bytes
LARGEST = 50_000_000  # numbers


@register
class CsvFrames(Reader):
    title = "a csv a clip: a row a frame, a column a coordinate (left_hand_0_x), or numbers without names"
    why = "csv files whose columns are coordinates"

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        known = {parts_of(name)[:2] for name in names if name.lower().endswith(endings())}
        found = []
        for name in names:
            if name.lower().endswith(".csv") and parts_of(name)[:2] not in known:
                try:
                    with members.stream(name) as stream:
                        header = stream.readline(HEADER).decode("utf-8-sig").strip().split(",")
                except (*DAMAGED, UserError, UnicodeDecodeError):
                    continue
                if len(_coordinates(header)) >= FEWEST or _are_numbers(header):
                    found.append(Unit(name, (name,), "csv_frames"))
        return found

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        if data.count(b",") > LARGEST:
            raise ClipError(f"a table of more than {LARGEST} cells")
        header = data[:HEADER].partition(b"\n")[0].decode("utf-8-sig").strip().split(",")
        numbers = _are_numbers(header)
        cells = [cell.strip('" ') for cell in header]
        index = cells[0] == "" and len(cells) > 1  # of pandas
        counted = cells[index:] == list(map(str, range(len(cells) - index)))
        try:
            table = pd.read_csv(io.BytesIO(data), header=None if numbers and not counted else 0)
        except (ValueError, UnicodeDecodeError) as error:
            raise ClipError(f"not a sound csv file ({first_line(error)})") from None
        columns = [str(column).strip() for column in table]
        coordinates = {} if numbers else _coordinates(columns)
        used = list(coordinates) if coordinates else range(index and counted, len(columns))
        try:
            values = table.iloc[:, list(used)].to_numpy(np.float32)
        except (ValueError, TypeError) as error:
            raise ClipError(f"a cell that is no number ({first_line(error)})") from None
        clip = _of_joints(list(coordinates.values()), values) if coordinates else RawClip(values)
        frames = next((n for n, column in enumerate(columns) if column.lower() in FRAMES), None)
        if coordinates and frames is not None and table.iloc[:, frames].dtype.kind in "iu":
            return by_numbers(clip, table.iloc[:, frames].tolist())
        return clip


def _are_numbers(header: list[str]) -> bool:
    """Whether there are no names, but enough numbers for two hands, or their places; a missing one is empty or NaN."""
    cells = [cell.strip('" ') for cell in header]
    try:
        return len(cells) >= 2 * FEWEST and not any(
            math.isinf(float(cell or "nan")) for cell in cells
        )
    except ValueError:
        return False


def _coordinates(columns: list[str]) -> dict[int, tuple[str, int]]:
    """Joint and axis of the columns that are coordinates, by their places."""
    for form in FORMS:
        found = {}
        for place, column in enumerate(columns):
            if match := re.fullmatch(form, column.strip(' "'), re.IGNORECASE):
                found[place] = (match["joint"], AXES[match["axis"].lower()])
        axes: dict[str, set[int]] = {}
        for joint, axis in found.values():
            axes.setdefault(joint, set()).add(axis)
        found = {place: one for place, one in found.items() if {0, 1} <= axes[one[0]]}
        if len(found) >= FEWEST:
            return found
    return {}


def _of_joints(coordinates: list[tuple[str, int]], values: np.ndarray) -> RawClip:
    """Columns as parts of points, where the names of joints say part and number; else points in their order."""
    joints = list(dict.fromkeys(joint for joint, _ in coordinates))
    width = 1 + max(axis for _, axis in coordinates)
    points = np.full((len(values), len(joints), width), np.nan, np.float32)
    place = {joint: number for number, joint in enumerate(joints)}
    for column, (joint, axis) in enumerate(coordinates):
        points[:, place[joint], axis] = values[:, column]
    parts: dict[str, dict[int, int]] = {}
    for joint in joints:
        match = re.fullmatch(
            r"(.+?)[_. ]?(?:landmark|point|joint)?[_. ]?(\d+)", joint, re.IGNORECASE
        )
        part = plain(match[1]).rstrip("_") if match else ""
        if not match or part not in (*LEFT, *RIGHT, *BODY):
            return RawClip(points)
        parts.setdefault(part, {})[int(match[2])] = place[joint]
    first = {part: min(numbers) for part, numbers in parts.items()}  # from 0 or from 1
    for part, numbers in parts.items():
        if first[part] > 1 or sorted(numbers) != list(
            range(first[part], first[part] + len(numbers))
        ):
            raise ClipError(f"columns of {shown(part)} that leave out numbers")
    return clip_of(
        {part: points[:, [numbers[n] for n in sorted(numbers)]] for part, numbers in parts.items()}
    )
