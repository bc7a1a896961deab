"""A csv with a row a frame and a column a coordinate: a file a clip, or a column that says which clip a row is of.

Columns are called by part and number (`left_hand_3_x`, `x_pose_0`, `rh_y20`), by the joint (`LEFT_WRIST_x`,
`left_hand_index_finger_tip_y`), by numbers of points (`x0`, `kp_12_y`), or are numbers alone, with or without a header.
"""

import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sslslr.data.readers import ClipError, RawClip, Reader, Unit, kept, parts_of, register
from sslslr.data.readers._columns import joints_of, place_of
from sslslr.data.readers._numbers import by_numbers
from sslslr.data.readers._parts import plain
from sslslr.data.readers.kaggle import COLUMNS, LARGEST, of_long
from sslslr.pose.layouts import Layout, by_names, named
from sslslr.utils.errors import UserError, first_line
from sslslr.utils.tables import ALIASES, split_name
from sslslr.utils.user_files import shown
from sslslr.utils.words import some

FEWEST = 40  # columns of coordinates: a hand has 42
HEAD = 1 << 18  # bytes with the header and the first row
CLIP = (*ALIASES["clip_id"], *ALIASES["file"], "video", "sequence", "sample")
SAID = {"gloss": (*ALIASES["gloss"], "target"), "signer": ALIASES["signer"], "split": ("split",)}
FRAME = ("frame", "frame_id", "frame_number", "frame_idx", "frame_index", "frame_no", "frame_num")
NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?|nan|", re.IGNORECASE)


@register
class Rows(Reader):
    title = "csv, a row a frame: columns left_hand_3_x, x_pose_0, LEFT_WRIST_x, or numbers alone; one clip or many"
    why = "a csv of many columns of numbers, a row a frame"
    together = True

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        units = []
        for name in names:
            folder, _, ending = parts_of(name)
            if ending not in (".csv", ".tsv", ".txt"):
                continue
            with members.stream(name) as stream:
                form = _form(stream.read(HEAD))
            if form is None:
                continue
            clips, own = {}, name[: -len(ending)]
            if set(form.names) & {*CLIP, *SAID["gloss"]}:
                try:
                    clips = _clips(members, name)
                except UserError:
                    clips = {}  # said when it is read
            if len(clips) > 1:
                units += [
                    Unit(key, (name,), "rows", key, _said(rows)) for key, rows in clips.items()
                ]
            else:
                said = {} if folder else _said(*clips.values()) if clips else {}
                units.append(Unit(own, (name,), "rows", None, said))
        return units

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        clips = _clips(members, unit.files[0])
        return _clip(next(iter(clips.values())) if unit.key is None else clips[unit.key])


class _Form(NamedTuple):
    names: list[str]
    separator: str
    headless: bool
    decimal: str


def _form(head: bytes) -> _Form | None:
    """How such a table is written; None of another file."""
    lines = head.decode("utf-8-sig", "replace").splitlines()[:2]
    if len(lines) < 2:
        return None
    separator = max(",;\t", key=lines[0].count)
    separator = separator if separator in lines[0] else r"\s+"
    first, second = (
        [
            cell.strip(' "')
            for cell in (line.split() if separator == r"\s+" else line.split(separator))
        ]
        for line in lines
    )
    decimal = "," if separator == ";" and "," in lines[1] else "."
    names = [re.sub(r"[\W_]+", "_", plain(cell)).strip("_") for cell in first]
    if set(COLUMNS) <= set(names):
        return _Form(names, separator, False, decimal)
    if len(names) != len(second) or sum(bool(NUMBER.fullmatch(cell)) for cell in second) < FEWEST:
        return None
    numbers = [name for name in names if name.isdecimal()]
    counting = (
        numbers in ([*map(str, range(n, n + len(numbers)))] for n in (0, 1)) and len(numbers) > 1
    )
    if all(NUMBER.fullmatch(cell) for cell in first) and not counting:
        return _Form([str(number) for number in range(len(first))], separator, True, decimal)
    told = len(numbers) if counting else sum(place_of(name) is not None for name in names)
    return _Form(names, separator, False, decimal) if told >= FEWEST else None


def _clips(members, name: str) -> dict[str, pd.DataFrame]:
    """The rows of each clip by its id."""

    def read() -> dict:
        table = _table(members.read(name))
        column = next((column for column in CLIP if column in table), None)
        return (
            {"": table}
            if column is None
            else {str(k): t for k, t in table.groupby(column, sort=False)}
        )

    return kept(members, ("rows", name), read)


def _table(data: bytes) -> pd.DataFrame:
    form = _form(data[:HEAD])
    assert form is not None  # else it was not gathered
    if (cells := data.count(b"\n") * len(form.names)) > LARGEST:
        raise ClipError(f"a table of {cells} cells")
    if twice := [name for name in form.names if name and form.names.count(name) > 1]:
        raise ClipError(f"two columns are called {shown(twice[0])}")
    try:
        table = pd.read_csv(
            io.BytesIO(data), sep=form.separator, header=None, names=form.names, index_col=False, low_memory=False,
            skiprows=0 if form.headless else 1, decimal=form.decimal, encoding="utf-8-sig",
        )  # fmt: skip
    except (ValueError, pd.errors.ParserError) as error:
        raise ClipError(f"not a sound table ({first_line(error)})") from None
    return table.drop(columns=[name for name in table if name in ("", "index", "unnamed_0")])


def _said(rows: pd.DataFrame) -> dict[str, str]:
    """Gloss, signer and split of a clip whose rows all say the same."""
    said = {}
    for name, columns in SAID.items():
        column = next((column for column in columns if column in rows), None)
        if column and len(rows[column].unique()) == 1 and pd.notna(rows[column].iloc[0]):
            said[name] = str(rows[column].iloc[0])
    return {**said, **({"split": split_name(said["split"])} if "split" in said else {})}


def _clip(rows: pd.DataFrame) -> RawClip:
    gloss = next((column for column in SAID["gloss"] if column in rows), None)
    if gloss and len(glosses := rows[gloss].unique()) > 1:
        raise ClipError(
            f"rows of {len(glosses)} glosses ({some(map(repr, glosses))}), and no column says "
            "which rows are one clip: add a column clip_id, or write a file a clip"
        )
    named_so = next((column for column in FRAME if column in rows), None)
    frames: np.ndarray = rows[named_so].to_numpy() if named_so else np.empty(0)
    if frames.dtype.kind in "iu" and (np.diff(frames) < 0).any():
        raise ClipError(
            "frames that begin anew: several clips? Add a column clip_id, or write a file a clip"
        )
    if set(COLUMNS) <= set(rows):
        return of_long(rows)
    clip = _points(rows)
    return by_numbers(clip, list(map(int, frames))) if frames.dtype.kind in "iu" else clip


def _points(rows: pd.DataFrame) -> RawClip:
    if numbers := [name for name in rows if name.isdecimal()]:
        return RawClip(_floats(rows, numbers))
    columns = {place: name for name in rows if (place := place_of(name)) and place.part != "none"}
    points = sorted(
        {place[:2] for place in columns}, key=lambda key: (key[0], str(key[1]).zfill(9))
    )
    if alone := [key for key in points if not {(*key, "x"), (*key, "y")} <= set(columns)]:
        raise ClipError(f"point {alone[0][1]} of {alone[0][0] or 'the columns'}: x or y alone")
    floats = _floats(rows, list(columns.values())).T
    values = {tuple(place): column for place, column in zip(columns, floats, strict=True)}

    def each(axis: str, otherwise: float) -> np.ndarray:
        blank = np.full(len(rows), otherwise, dtype=np.float32)
        return np.stack([values.get((*key, axis), blank) for key in points], axis=1)

    there = {place.axis for place in columns}
    xyz = np.stack([each(axis, np.nan) for axis in "xyz" if axis in there], axis=2)
    clip = RawClip(xyz, _layout(points), visibility="v" in there)
    if sure := next((axis for axis in "vc" if axis in there), None):
        clip.score = each(sure, 1.0)  # 1 of a part without
    clip.custom = (
        clip.layout is not None and clip.layout.name == "body25-left-right"
    )  # or OpenPose's
    return clip


def _layout(points: Sequence[tuple[str, Any]]) -> Layout | None:
    """The order of points by part and number, or by joint; None of points that are numbered all through."""
    numbers = {part: tuple(n for other, n in points if other == part) for part, _ in points}
    if set(numbers) == {""}:
        return None
    if "" in numbers:
        raise ClipError(f"columns of point {numbers[''][0]} that do not say of which part it is")
    joints = [
        joint
        for part, own in numbers.items()
        for joint in (own if part == "joint" else joints_of(part, own))
    ]
    if [(part, len(own)) for part, own in numbers.items()] == [
        ("body", 25),
        ("left", 21),
        ("right", 21),
    ]:
        return named("body25-left-right")
    return by_names(joints, "of the columns")


def _floats(rows: pd.DataFrame, names: list[str]) -> np.ndarray:
    try:
        return rows[names].to_numpy(dtype=np.float32)
    except (ValueError, TypeError):
        texts = next(name for name in names if rows[name].dtype.kind not in "iufb")
        raise ClipError(f"column {shown(texts)} holds what is no number") from None
