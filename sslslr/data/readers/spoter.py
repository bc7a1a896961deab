"""SPOTER's csv: a row a clip, a column a coordinate of a joint (a list over the frames), `labels`.

Bohacek and Hruz, "Sign Pose-based Transformer for Word-level Sign Language Recognition", WACVW 2022.
Columns are called `leftWrist_X`, `indexTip_left_Y` and so on; each cell is a list such as [0.1, 0.2].
"""

import csv
import io
import json
import re

import numpy as np

from sslslr.data.readers import ClipError, RawClip, Reader, Unit, kept, register, split_in
from sslslr.pose.layouts import by_names
from sslslr.pose.skeleton import BODY_NAMES
from sslslr.utils.errors import UserError

_FINGER = {
    "index": "index",
    "middle": "middle",
    "ring": "ring",
    "little": "pinky",
    "thumb": "thumb",
}
_JOINT = {"MCP": "mcp", "PIP": "pip", "DIP": "dip", "Tip": "tip", "CMC": "cmc", "IP": "ip"}
_THUMB = {"CMC": "cmc", "MP": "mcp", "MCP": "mcp", "IP": "ip", "Tip": "tip"}
FIELD = 1 << 24  # characters of a cell


def joint_of(column: str) -> str | None:
    """The joint of a column without its axis; "" for one that the 75 do not have, None for no joint."""
    hand = re.match(
        r"^(wrist|(index|middle|ring|little|thumb)(MCP|PIP|DIP|Tip|CMC|IP|MP))_(left|right|0|1)$",
        column,
    )
    if hand:
        side = {"left": "left", "0": "left", "right": "right", "1": "right"}[hand[4]]
        if hand[1] == "wrist":
            return f"{side}_hand.wrist"
        table = _THUMB if hand[2] == "thumb" else _JOINT
        return f"{side}_hand.{_FINGER[hand[2]]}_{table.get(hand[3], '')}"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower()
    if words in BODY_NAMES:
        return f"body.{words}"
    return "" if words in ("neck", "root", "mid_hip", "nosetip") else None


@register
class Spoter(Reader):
    title = "SPOTER's csv: a row a clip, a column a coordinate (leftWrist_X), lists over the frames, labels"
    why = "a csv whose columns are coordinates of joints"
    together = True

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        units = []
        for name in names:
            if name.lower().endswith(".csv"):
                try:
                    rows = _rows(members, name)
                except UserError:
                    continue
                units += [
                    Unit(
                        f"{name.rpartition('/')[2].removesuffix('.csv')}_{number}",
                        (name,),
                        "spoter",
                        number,
                        _said(row, name),
                    )
                    for number, row in enumerate(rows)
                ]
        return units

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        row = _rows(members, unit.files[0])[unit.key]
        if None in row or None in row.values():
            raise ClipError("its row has more or fewer cells than the header has names")
        joints: dict[str, list] = {}
        for column in row:
            joint = joint_of(column[:-2]) if column[-2:].lower() in ("_x", "_y") else None
            if joint:
                try:
                    values = np.array(
                        json.loads(row[column].replace("nan", "NaN")), dtype=np.float32
                    )
                except (ValueError, TypeError, OverflowError, RecursionError):
                    raise ClipError(f"{column}: not a list of numbers") from None
                if values.ndim != 1:
                    raise ClipError(f"{column}: not a list of numbers")
                joints.setdefault(joint, [None, None])["xy".index(column[-1].lower())] = values
        if any(values is None for pair in joints.values() for values in pair):
            raise ClipError("a joint with one coordinate alone")
        lengths = {len(values) for pair in joints.values() for values in pair}
        if len(lengths) != 1:
            raise ClipError(
                f"columns of different lengths ({', '.join(map(str, sorted(lengths)))} frames)"
            )
        points = np.array(list(joints.values()), dtype=np.float32).transpose(2, 0, 1)
        size = None
        if {"video_size_width", "video_size_height"} <= set(row):
            try:
                size = (float(row["video_size_width"]), float(row["video_size_height"]))
            except ValueError:
                size = None
        fps = row.get("video_fps") or None
        return RawClip(points, by_names(list(joints), "of the columns"), size=size,
                       fps=float(fps) if fps and re.fullmatch(r"\d{1,9}(\.\d+)?", fps) else None)  # fmt: skip


def _said(row: dict[str, str], name: str) -> dict[str, str]:
    label = row.get("labels", row.get("label", row.get("gloss")))
    return {**({"gloss": label} if label else {}), **split_in(name.rpartition("/")[2])}


def _rows(members, name: str) -> list[dict[str, str]]:
    """The rows of such a csv; [] for another."""

    def read() -> list[dict[str, str]]:
        csv.field_size_limit(FIELD)
        try:
            reader = csv.DictReader(io.StringIO(members.read(name).decode("utf-8-sig"), newline=""))
            columns = [c[:-2] for c in reader.fieldnames or () if c[-2:].lower() == "_x"]
            return list(reader) if sum(joint_of(c) is not None for c in columns) >= 10 else []
        except (UnicodeDecodeError, csv.Error):
            return []

    return kept(members, name, read)
