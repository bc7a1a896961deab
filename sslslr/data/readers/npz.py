"""A reader of `clips.npz` that goes through the clips one by one and trusts nothing; and of `.npy` files.

    xy         (frames, 75 or 42, 2 or 3), floating point, image-normalised, NaN = missing
    offsets    (clips + 1,), clip i is xy[offsets[i]:offsets[i + 1]]
    clip_id    (clips,), unique

The archive is streamed (memory does not grow with it) and nothing is ever unpickled. A header is
looked at before room is made for what it announces.
"""

import contextlib
import io
import math
import unicodedata
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from sslslr.data.writer import LONGEST_TEXT
from sslslr.utils.archives import DAMAGED, MemberError, Members, open_members
from sslslr.utils.errors import UserError, first_line
from sslslr.utils.user_files import open_user_file, shown

JOINT_COUNTS = (75, 42)
LARGEST_CLIP = 256 << 20  # bytes: hours of video
LARGEST_HEADER = 1 << 16
LARGEST_LIST = 512 << 20  # bytes of `offsets` and of `clip_id`


class NpzClips:
    """The clips of a `clips.npz`, read one after another; checked when it is opened.

    Attributes:
        ids: list of str.
        offsets: int64 (clips + 1,).
        joints, coordinates: sizes of the last two axes of xy.

    Raises:
        UserError: the file is absent, cut or damaged, holds pickled objects, lacks an array, or
            its arrays contradict each other.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        with self._opened() as members:
            # Read all once: else a flipped byte would be blamed on the clip it lies in.
            members.check()
            offsets = self._list(members, "offsets")
            self.ids = _texts(self._list(members, "clip_id"), self.path)
            with members.stream("xy.npy") as stream:
                shape, self._fortran, self._dtype = self._header(stream, "xy")
        self._check_shape(shape)
        self._check_offsets(offsets, shape[0])
        self._check_ids()

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, chosen: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Yield clips, (frames, joints, coordinates); those where `chosen` is true, or all.

        Raises:
            UserError: the file turns out to be cut or damaged on the way.
        """
        chosen = np.ones(len(self), dtype=bool) if chosen is None else chosen
        with self._opened() as members, members.stream("xy.npy") as stream:
            self._header(stream, "xy")
            step = self.joints * self.coordinates * self._dtype.itemsize
            _skip(stream, int(self.offsets[0]) * step)
            for length, wanted in zip(np.diff(self.offsets), chosen, strict=True):
                data = _read(stream, int(length) * step)
                if wanted:
                    values = np.frombuffer(data, self._dtype)
                    yield values.reshape(-1, self.joints, self.coordinates)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Members]:
        """The archive's members, which are the three arrays (and others that are left alone)."""
        if not self.path.exists():
            raise UserError(f"{self.path}: there is no such file; it holds the keypoints.")
        open_user_file(self.path).close()  # no pipe, no folder
        try:
            with open_members(self.path) as members:
                for name in ("xy", "offsets", "clip_id"):
                    if f"{name}.npy" not in members.names:
                        self._refuse_absent(name, members.names)
                yield members
        except MemberError as error:
            self._refuse_damaged(f"{error.name} {error.why}")
        except DAMAGED as error:
            self._refuse_damaged(str(error) or type(error).__name__)

    def _refuse_absent(self, name: str, names: list[str]) -> NoReturn:
        arrays = ", ".join(n.removesuffix(".npy") for n in names[:20]) or "none"
        raise UserError(
            f"{self.path}: array {name!r} is missing (found {shown(arrays)}); expected xy, offsets "
            "and clip_id."
        )

    def _refuse_damaged(self, why: str) -> NoReturn:
        raise UserError(
            f"{self.path}: cut short or damaged ({first_line(why, 200)}). Copy or download it again."
        ) from None

    def _header(self, stream: Any, name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
        try:
            return read_header(stream)
        except PythonObjects:
            raise UserError(
                f"{self.path}: array {name!r} holds Python objects, which only unpickling could "
                "read; that would run code, so it is refused. Save plain numbers or strings."
            ) from None
        except ValueError as error:
            raise UserError(f"{self.path}: array {name!r} cannot be read ({error}).") from None

    def _list(self, members: Members, name: str) -> np.ndarray:
        data = members.read(f"{name}.npy", LARGEST_LIST)
        self._header(io.BytesIO(data), name)
        try:
            array = plain_array(data)
        except ValueError as error:
            self._refuse_damaged(f"{name}: {error}")
        if array.ndim != 1:
            raise UserError(f"{self.path}: {name} must have one axis, found shape {array.shape}.")
        return array

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        good = len(shape) == 3 and shape[1] in JOINT_COUNTS and shape[2] in (2, 3)
        if not good or self._dtype.kind != "f" or self._fortran:
            order = ", Fortran order" if self._fortran else ""
            raise UserError(
                f"{self.path}: xy must be floating point (frames, 75 or 42, 2), C order; found "
                f"{self._dtype} {shape}{order}. 75 joints are left hand 21, right hand 21, body "
                "33; 42 are the hands alone."
            )
        self.joints, self.coordinates = shape[1:]

    def _check_offsets(self, offsets: np.ndarray, n_frames: int) -> None:
        if offsets.dtype.kind not in "iu" or len(offsets) != len(self.ids) + 1:
            raise UserError(
                f"{self.path}: offsets must be {len(self.ids) + 1} whole numbers, one more than "
                f"clip_id has; found {len(offsets)} of type {offsets.dtype}."
            )
        first, last = int(offsets.min()), int(offsets.max())  # uint64 does not fit int64
        if first < 0 or last > n_frames:
            raise UserError(
                f"{self.path}: offsets run from {first} to {last}, but xy has {n_frames} frames."
            )
        self.offsets = offsets.astype(np.int64)
        lengths = np.diff(self.offsets)
        if len(back := np.flatnonzero(lengths < 0)):
            raise UserError(
                f"{self.path}, clip {self.ids[back[0]]!r}: offsets go back from "
                f"{self.offsets[back[0]]} to {self.offsets[back[0] + 1]}; they must not decrease."
            )
        most = LARGEST_CLIP // (self.joints * self.coordinates * self._dtype.itemsize)
        if len(long := np.flatnonzero(lengths > most)):
            raise UserError(
                f"{self.path}, clip {self.ids[long[0]]!r}: {lengths[long[0]]} frames; a clip has at "
                f"most {most}. Are the offsets those of the clips?"
            )

    def _check_ids(self) -> None:
        repeated = pd.Series(self.ids, dtype="str")
        repeated = repeated[repeated.duplicated()]
        if len(repeated):
            raise UserError(
                f"{self.path}, clip {repeated.iloc[0]!r}: clip_id occurs twice; ids must be unique."
            )


class PythonObjects(ValueError):
    """An array of objects, which only unpickling could read."""


def read_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, Fortran order and type of a `.npy` file; the stream is then at the first number.

    Raises:
        PythonObjects: an array of objects.
        ValueError: no such header, in one line.
    """
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"format version {version} is not known here")
    old = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
    try:
        # A header of Python 2 (`4L`) is read, and nobody need save it again.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            shape, fortran, dtype = read(stream)
    except (ValueError, EOFError) as error:
        raise ValueError(first_line(error, 120, "no header")) from None
    except DAMAGED:
        raise
    except Exception as error:  # what stands there is read as Python's literals
        raise ValueError(f"no sound header ({type(error).__name__})") from None
    if dtype.hasobject:
        raise PythonObjects("Object arrays cannot be loaded")
    whole = all(not isinstance(n, bool) and 0 <= n < 2**62 for n in shape)
    if not whole or math.prod(shape) >= 2**62 or len(shape) > 8:
        raise ValueError(f"shape {str(shape)[:80]} is impossible")
    if dtype.names is not None or dtype.subdtype is not None:
        raise ValueError("an array of records, not of numbers")
    return shape, fortran, dtype


@lru_cache(maxsize=1024)
def _header_of(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """`read_header`, which the files of a folder share: reading one costs as much as its numbers."""
    return read_header(io.BytesIO(data))


def plain_array(data: bytes) -> np.ndarray:
    """The array of a `.npy` file's bytes, a view of them; nothing is unpickled.

    Raises:
        ValueError: no such file, cut, holds Python objects, or of a shape that the bytes do not fill
            (which numpy would make room for before it looks).
    """
    begin = (
        10 + int.from_bytes(data[8:10], "little")
        if data[6:7] == b"\x01"
        else 12 + int.from_bytes(data[8:12], "little")
    )
    shape, fortran, dtype = _header_of(data[: min(begin, LARGEST_HEADER)])
    expected = math.prod(shape) * dtype.itemsize
    if expected != len(data) - begin:
        raise ValueError(
            f"shape {str(shape)[:80]} needs {expected} bytes, the file has {len(data) - begin}"
        )
    if dtype.itemsize == 0:
        raise ValueError("an array of texts that have no characters")
    if expected == 0:
        return np.zeros(shape, dtype)
    return np.frombuffer(data, dtype, offset=begin).reshape(shape, order="F" if fortran else "C")


def _texts(values: np.ndarray, path: Path) -> list[str]:
    """Ids as text.

    Raises:
        UserError: an id that is no text that could be written to a file or a log.
    """
    if values.dtype.kind not in "US" and values.dtype.kind not in "iu":
        raise UserError(f"{path}: clip_id must hold text, found {values.dtype}.")
    texts = []
    for number in range(len(values)):
        try:
            value = values[number]  # numpy's text may hold numbers that are no characters
            text = value.decode("utf-8") if isinstance(value, bytes) else str(value)
            text.encode("utf-8")
        except (UnicodeError, ValueError, SystemError):
            raise UserError(f"{path}: the id of clip {number} is no text in UTF-8.") from None
        if len(text) > LONGEST_TEXT:
            what = f"has {len(text)} characters; at most {LONGEST_TEXT}"
            raise UserError(f"{path}: the id of clip {number} {what}.")
        if not text or any(unicodedata.category(c) == "Cc" for c in text):
            what = "is empty" if not text else f"has a control character ({shown(text)!r})"
            raise UserError(f"{path}: the id of clip {number} {what}.")
        texts.append(text)
    return texts


def _read(stream: Any, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError(f"{size - len(data)} bytes of xy are missing")
    return data


def _skip(stream: Any, size: int) -> None:
    for begin in range(0, size, 1 << 20):
        _read(stream, min(1 << 20, size - begin))
