"""X and y: all clips of a set in one array (clips, frames, points, coordinates), and their labels.

Two `.npy` files beside each other, or two arrays of one `.npz`.
"""

import io
import zipfile
from collections.abc import Callable

import numpy as np

from sslslr.data.readers import ClipError, RawClip, Reader, Unit, kept, parts_of, register
from sslslr.data.readers.npz import plain_array
from sslslr.utils.archives import DAMAGED
from sslslr.utils.errors import UserError

X, Y = (
    ("x", "x_train", "x_val", "x_test", "data", "features", "keypoints"),
    ("y", "y_train", "y_val", "y_test", "labels", "label", "glosses"),
)
FEW = 3  # .npz files that are looked into: of more, each is a clip
LARGEST = 16 << 30  # bytes of a set
LABELS = 64 << 20  # bytes of its labels
PACKED, FREE = 30, 256 << 20  # an .npz may unfold to so many times its size, or to so many bytes


@register
class WholeSet(Reader):
    title = "X.npy and y.npy (or X_train, X_test), or one .npz of them: all clips in an array, a label each"
    why = "an array of clips and an array of as many labels beside it"

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        arrays = {name[: -len(".npy")].lower(): name for name in names if _ends(name, ".npy")}
        units = _pairs(arrays, lambda key: _array(members, arrays[key]), lambda key: arrays[key])
        several = [name for name in names if _ends(name, ".npz")]
        for name in several if len(several) <= FEW else ():
            units += _of_npz(members, name)
        return units

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        number, inner = unit.key
        clips = _inner(members, unit.files[0], inner) if inner else _array(members, unit.files[0])
        return RawClip(clips[number])


def _of_npz(members, name: str) -> list[Unit]:
    inner = _inner_names(members, name)
    return _pairs(
        inner, lambda key: _inner(members, name, inner[key]), lambda key: (name, inner[key])
    )


def _ends(name: str, ending: str) -> bool:
    return name.lower().endswith(ending)


def _pairs(
    arrays: dict[str, str], array: Callable[[str], np.ndarray], place: Callable
) -> list[Unit]:
    """The clips of every X that has its y.

    Args:
        arrays: names of arrays by their stems in small letters.
        array: reads one by its stem.
        place: of a stem, its file, or its file and its name in there.
    """
    units = []
    for stem in sorted(arrays):
        last = parts_of(stem)[1]
        if last not in X:
            continue
        other = stem.removesuffix(last) + Y[X.index(last)]
        if other not in arrays:
            continue
        try:
            labels = array(other)
            if labels.ndim == 0 or labels.ndim > 2:
                continue
            clips, texts = array(stem), _texts(labels)
        except (
            ValueError,
            EOFError,
            UserError,
            SystemError,
        ):  # text of numbers that are no characters
            continue
        if len(labels) != len(clips) or clips.ndim < 3:
            continue
        split = last.partition("_")[2] or None
        where, beside = place(stem), place(other)
        files, inner = ((where, beside), "") if isinstance(where, str) else ((where[0],), where[1])
        for number, label in enumerate(texts):
            said = {"gloss": label, **({"split": split} if split else {})}
            units.append(Unit(f"{last}_{number}", files, "whole_set", (number, inner), said))
    return units


def _array(members, name: str) -> np.ndarray:
    try:
        return kept(members, name, lambda: plain_array(members.read(name, LARGEST)))
    except (ValueError, EOFError) as error:
        raise ClipError(f"not a sound array ({error})") from None


def _inner_names(members, name: str) -> dict[str, str]:
    """Names of an npz's arrays by their stems in small letters; none where it is no set that can be read."""
    try:
        with members.stream(name) as stream, zipfile.ZipFile(_seekable(stream)) as archive:
            infos = archive.infolist()
    except (*DAMAGED, RuntimeError, UserError):
        return {}
    size, packed = sum(i.file_size for i in infos), sum(i.compress_size for i in infos)
    if size > min(LARGEST, max(FREE, PACKED * packed)):
        return {}
    inner = {i.filename[: -len(".npy")].lower(): i for i in infos if _ends(i.filename, ".npy")}
    return {stem: i.filename for stem, i in inner.items() if stem not in Y or i.file_size < LABELS}


def _inner(members, name: str, inner: str) -> np.ndarray:
    def read() -> np.ndarray:
        with members.stream(name) as stream, zipfile.ZipFile(_seekable(stream)) as archive:
            return plain_array(archive.read(inner))

    try:
        return kept(members, (name, inner), read)
    except (*DAMAGED, RuntimeError) as error:
        raise ClipError(f"not a sound .npz ({str(error)[:100]})") from None


def _seekable(stream):
    return stream if stream.seekable() else io.BytesIO(stream.read())


def _texts(labels: np.ndarray) -> list[str]:
    """Labels as text; of a row of zeros and a one, the place of the one."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(axis=1)
    labels = labels.reshape(len(labels))
    if labels.dtype.kind == "S":
        return [label.decode("utf-8", "replace") for label in labels]
    if labels.dtype.kind == "f" and (labels == np.round(labels)).all():
        labels = labels.astype(int)
    return [str(label) for label in labels]
