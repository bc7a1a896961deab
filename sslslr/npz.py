"""A reader of `clips.npz` that goes through the clips one by one and trusts nothing.

    xy         (frames, 75 or 42, 2 or 3), floating point, image-normalised, NaN = missing
    offsets    (clips + 1,), clip i is xy[offsets[i]:offsets[i + 1]]
    clip_id    (clips,), unique

The archive is streamed (memory does not grow with it) and nothing is ever unpickled.
"""

import io
import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslslr.errors import UserError

JOINT_COUNTS = (75, 42)
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


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
        if not self.path.is_file():
            raise UserError(f"{path}: there is no such file; it holds the keypoints.")
        try:
            with zipfile.ZipFile(self.path) as archive:
                # Read all once: else a flipped byte would be blamed on the clip it lies in.
                if (member := archive.testzip()) is not None:
                    raise zipfile.BadZipFile(f"the checksum of {member} differs")
                offsets = self._small_array(archive, "offsets")
                self.ids = [_text(value) for value in self._small_array(archive, "clip_id")]
                with self._member(archive, "xy") as stream:
                    shape, self._fortran, self._dtype = self._header(stream, "xy")
        except DAMAGED as error:
            raise self._damaged(error) from None
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
        try:
            with zipfile.ZipFile(self.path) as archive, self._member(archive, "xy") as stream:
                self._header(stream, "xy")
                step = self.joints * self.coordinates * self._dtype.itemsize
                _read(stream, int(self.offsets[0]) * step)
                for length, wanted in zip(np.diff(self.offsets), chosen, strict=True):
                    data = _read(stream, int(length) * step)
                    if wanted:
                        values = np.frombuffer(data, self._dtype)
                        yield values.reshape(-1, self.joints, self.coordinates)
        except DAMAGED as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> UserError:
        return UserError(
            f"{self.path}: cut short or damaged ({error or type(error).__name__}). "
            "Copy or download it again."
        )

    def _member(self, archive: zipfile.ZipFile, name: str) -> Any:
        if f"{name}.npy" not in archive.namelist():
            found = ", ".join(n.removesuffix(".npy") for n in archive.namelist()) or "none"
            raise UserError(
                f"{self.path}: array {name!r} is missing (found {found}); expected xy, offsets "
                "and clip_id."
            )
        return archive.open(f"{name}.npy")

    def _header(self, stream: Any, name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
        try:
            version = np.lib.format.read_magic(stream)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(stream)
        except ValueError as error:
            raise UserError(f"{self.path}: array {name!r} cannot be read ({error}).") from None
        if dtype.hasobject:
            raise UserError(
                f"{self.path}: array {name!r} holds Python objects, which only unpickling could "
                "read; that would run code, so it is refused. Save plain numbers or strings."
            )
        return shape, fortran, dtype

    def _small_array(self, archive: zipfile.ZipFile, name: str) -> np.ndarray:
        with self._member(archive, name) as stream:
            self._header(stream, name)
        with self._member(archive, name) as stream:
            data = io.BytesIO(stream.read())
        try:
            array = np.lib.format.read_array(data, allow_pickle=False)
        except ValueError as error:
            raise self._damaged(error) from None
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
        self.offsets = offsets.astype(np.int64)
        back = np.flatnonzero(np.diff(self.offsets) < 0)
        if len(back):
            raise UserError(
                f"{self.path}, clip {self.ids[back[0]]!r}: offsets go back from "
                f"{self.offsets[back[0]]} to {self.offsets[back[0] + 1]}; they must not decrease."
            )
        if self.offsets[0] < 0 or self.offsets[-1] > n_frames:
            raise UserError(
                f"{self.path}: offsets run from {self.offsets[0]} to {self.offsets[-1]}, but xy "
                f"has {n_frames} frames."
            )

    def _check_ids(self) -> None:
        repeated = pd.Series(self.ids, dtype="str")
        repeated = repeated[repeated.duplicated()]
        if len(repeated):
            raise UserError(
                f"{self.path}, clip {repeated.iloc[0]!r}: clip_id occurs twice; ids must be unique."
            )


def plain_array(data: bytes) -> np.ndarray:
    """The array of a `.npy` file's bytes, a view of them; nothing is unpickled.

    Raises:
        ValueError: no such file, cut, holds Python objects, or of a shape that the bytes do not fill
            (which numpy would make room for before it looks).
    """
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"format version {version} is not known here")
    old = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded")
    begin = stream.tell()
    expected = math.prod(shape) * dtype.itemsize
    if any(n < 0 for n in shape) or expected != len(data) - begin:
        raise ValueError(f"shape {shape} needs {expected} bytes, the file has {len(data) - begin}")
    return np.frombuffer(data, dtype, offset=begin).reshape(shape, order="F" if fortran else "C")


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _read(stream: Any, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError(f"{size - len(data)} bytes of xy are missing")
    return data
