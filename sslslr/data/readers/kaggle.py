"""Parquet in the long form of Kaggle's Google ISLR: a row a landmark (frame, type, landmark_index, x, y, z)."""

import io

import numpy as np

from sslslr.data.readers import ClipError, RawClip, Reader, register
from sslslr.data.readers._numbers import by_numbers
from sslslr.pose.layouts import PARTS, by_names
from sslslr.utils.errors import first_line
from sslslr.utils.user_files import shown

COLUMNS = ("frame", "type", "landmark_index", "x", "y")
KINDS = {"left_hand": ("left", 21), "right_hand": ("right", 21), "pose": ("body", 33)}
LONGEST = 100_000  # frames
LARGEST = 50_000_000  # cells of a table
WIDE = [
    f"{axis}_{kind}_{i}"
    for kind, (_, points) in KINDS.items()
    for i in range(points)
    for axis in "xy"
]


@register
class Kaggle(Reader):
    endings = (".parquet",)
    title = "parquet of Kaggle's Google ISLR: a row a landmark (frame, type, landmark_index, x, y), with train.csv"

    @classmethod
    def recognise(cls, name: str, head: bytes) -> str:
        return "begins as parquet does" if head.startswith(b"PAR1") else ""

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            file = pq.ParquetFile(io.BytesIO(data))
            kinds = {field.name: field.type for field in file.schema_arrow}
            rows, named = file.metadata.num_rows, {str(name).lower(): name for name in kinds}
            if "sequence_id" in named and rows <= LARGEST:
                _refuse_several(file.read(columns=[named["sequence_id"]]).column(0))
            cells = rows * max(1, len(kinds))
            if cells > LARGEST:  # runs of one value take no room in a file
                raise ClipError(f"a table of {cells} cells")
            long = set(COLUMNS) <= set(kinds)
            wanted = list(COLUMNS if long else filter(None, map(named.get, WIDE)))
            if long:  # a word a landmark: as numbers and their dictionary
                file = pq.ParquetFile(io.BytesIO(data), read_dictionary=["type"])
            elif wanted and "frame" in named:
                wanted.append(named["frame"])
            if not wanted:
                raise ClipError(
                    f"parquet with the columns {shown(', '.join(list(kinds)[:6]))}: expected "
                    f"{', '.join(COLUMNS)} (a row a landmark), or x_left_hand_0 and so on (a row a frame)"
                )
            for name in wanted:
                kind = kinds[name]
                if name != "type" and not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
                    raise ClipError(f"column {shown(name)} holds {shown(str(kind))}, not numbers")
            table = file.read(columns=wanted).to_pandas(ignore_metadata=True)
        except ClipError:
            raise
        except Exception as error:  # pyarrow raises several kinds
            raise ClipError(f"not a sound parquet file ({first_line(error)})") from None
        return of_long(table) if long else _wide(table)


def _refuse_several(sequences) -> None:
    """Raise ClipError for a file of several clips, as Kaggle's fingerspelling has a thousand."""
    if (count := len(sequences.unique())) > 1:
        raise ClipError(
            f"{count} sequences (sequence_id) in one file: write each into a file of its own"
        )


def of_long(table) -> RawClip:
    frames, place = np.unique(table["frame"].to_numpy(), return_inverse=True)
    if len(frames) > LONGEST:
        raise ClipError(f"{len(frames)} frames")
    out = np.full((len(frames), 75, 2), np.nan, dtype=np.float32)
    kinds, index = table["type"].to_numpy(dtype=object), table["landmark_index"].to_numpy()
    if index.dtype.kind not in "iu":
        raise ClipError("landmark_index holds what is no whole number")
    first = 0
    for kind, (_, points) in KINDS.items():
        rows = kinds == kind
        if rows.any() and not (index[rows].min() >= 0 and index[rows].max() < points):
            raise ClipError(
                f"landmark_index {index[rows].max()} of {kind}, which has {points} points"
            )
        joints = place[rows] * points + index[rows]
        if joints.size > 1 and np.bincount(joints).max() > 1:
            raise ClipError(
                f"landmarks of {kind} that stand twice in a frame: several clips or persons in a file? One clip of "
                "one person is read"
            )
        out[place[rows], first + index[rows]] = table.loc[rows, ["x", "y"]].to_numpy(np.float32)
        first += points
    if np.isnan(out).all():
        raise ClipError("no landmark of a hand or a body")
    names = [joint for part, _ in KINDS.values() for joint in PARTS[part]]
    clip = RawClip(out, layout=by_names(names, "of its types and landmarks"))
    return by_numbers(clip, frames.tolist()) if frames.dtype.kind in "iu" else clip


def _wide(table) -> RawClip:
    """A row a frame and columns such as x_left_hand_0 (Kaggle's fingerspelling)."""
    index = {str(name).lower(): name for name in table.columns}
    names, columns = [], []
    for kind, (part, points) in KINDS.items():
        for number in range(points):
            pair = [index.get(f"{axis}_{kind}_{number}") for axis in "xy"]
            if all(pair):
                columns += pair
                names.append(PARTS[part][number])
    if not columns:
        raise ClipError("no landmark has both of its coordinates")
    points = table[columns].to_numpy(np.float32).reshape(len(table), -1, 2)
    clip = RawClip(points, layout=by_names(names, "of its columns"))
    frames = table[index["frame"]].to_numpy() if "frame" in index else np.empty(0)
    return by_numbers(clip, list(map(int, frames))) if frames.dtype.kind in "iu" else clip
