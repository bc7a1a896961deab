"""`clips.parquet` of `sslslr data export --format parquet`: all clips in one table, a row a joint that was found."""

import io

import numpy as np

from sslslr.data.readers import ClipError, RawClip, Reader, Unit, kept, register
from sslslr.pose.skeleton import NAMES
from sslslr.utils.errors import first_line

COLUMNS = ["clip_id", "frame", "joint", "x", "y"]
LARGEST = 4 << 30  # bytes of a file
ROWS = 500_000_000
LONGEST = 100_000  # frames of a clip


@register
class Exported(Reader):
    title = "clips.parquet of `sslslr data export`: a row a joint (clip_id, frame, joint, x, y)"
    why = "a parquet of clips by id, as `sslslr data export` writes it"
    together = True

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        files = [name for name in names if name.rpartition("/")[2] == "clips.parquet"]
        return [
            Unit(clip_id, (name,), "exported", clip_id)
            for name in files
            for clip_id in _clips(members, name)
        ]

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        frame, joint, xy = _clips(members, unit.files[0])[unit.key]
        points = np.full((int(frame.max()) + 1, len(NAMES), 2), np.nan, dtype=np.float32)
        points[frame, joint] = xy
        return RawClip(points)


def _clips(members, name: str) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Frame, joint and coordinates of each clip's rows; none of another table."""
    return kept(members, ("exported", name), lambda: _read(members, name))


def _read(members, name: str) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    import pandas as pd
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(members.read(name, LARGEST)))
        if set(file.schema_arrow.names) != set(COLUMNS) or file.metadata.num_rows > ROWS:
            return {}
        table = file.read(columns=COLUMNS).to_pandas()
        place = {joint: number for number, joint in enumerate(NAMES)}
        joint = table["joint"].map(place).to_numpy(dtype=float)
        frame = table["frame"].to_numpy(dtype=float)
        xy = table[["x", "y"]].to_numpy(dtype=np.float32)
        clips, ids = pd.factorize(table["clip_id"].astype(str))
    except Exception as error:  # pyarrow raises several kinds
        raise ClipError(f"{name}: not a sound parquet of clips ({first_line(error)})") from None
    if not ((joint >= 0) & (frame >= 0) & (frame < LONGEST)).all():
        raise ClipError(f"{name}: a frame or a joint that there is not")
    order = np.argsort(clips, kind="stable")
    ends = np.searchsorted(clips[order], np.arange(len(ids) + 1))
    return {
        clip_id: (frame[rows].astype(np.int64), joint[rows].astype(np.int64), xy[rows])
        for clip_id, rows in zip(ids, np.split(order, ends[1:-1]), strict=True)
    }
