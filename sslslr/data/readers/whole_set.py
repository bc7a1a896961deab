"""X and y: all clips of a set in one array (clips, frames, points, coordinates), and their labels.

Two `.npy` files beside each other, or two arrays of one `.npz`: `X_train.npy` and `y_train.npy`, the
readers of ST-GCN's `train_data_joint.npy` and `train_label.pkl` (names and labels).
"""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from sslslr.data.readers import ClipError, RawClip, Reader, Unit, kept, parts_of, register, tensors
from sslslr.data.readers._unpickle import load
from sslslr.data.readers.npz import plain_array
from sslslr.utils.archives import DAMAGED
from sslslr.utils.errors import UserError
from sslslr.utils.tables import split_name
from sslslr.utils.words import counted

# Words that a name is made of: `train_data_joint` is data, of the split train.
X = ("x", "data", "features", "keypoints", "sequences")
Y = ("y", "labels", "label", "glosses", "targets")
SPLITS = ("train", "val", "dev", "valid", "test")
BESIDE = ("joint", "data")  # words that say nothing more
FEW = 3  # .npz files that are looked into: of more, each is a clip
LARGEST = 16 << 30  # bytes of a set
LABELS = 64 << 20  # bytes of its labels
PACKED, FREE = 30, 256 << 20  # an .npz may unfold to so many times its size, or to so many bytes


@register
class WholeSet(Reader):
    title = "X.npy and y.npy (or X_train, X_test), or one .npz of them: all clips in an array, a label each"
    why = "an array of clips and an array of as many labels beside it"
    together = True

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        whole = [name for name in names if parts_of(name)[2] in (".npy", *tensors.ENDINGS)]
        arrays = {name.rpartition(".")[0].lower(): name for name in whole}
        for name in names:
            stem, _, ending = name.rpartition(".")
            if ending.lower() in ("pkl", "pickle") and role(parts_of(stem)[1])[0] == "y":
                arrays.setdefault(stem.lower(), name)
        # With a table the one may be a clip and the other, too.
        tables = [name for name in members.names if name.lower().endswith((".csv", ".tsv"))]
        units = pairs(
            arrays,
            lambda key: _array(members, arrays[key]),
            lambda key: arrays[key],
            _refuse_labels if not tables else None,
        )
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
    return pairs(
        inner, lambda key: _inner(members, name, inner[key]), lambda key: (name, inner[key])
    )


def _ends(name: str, ending: str) -> bool:
    return name.lower().endswith(ending)


def role(stem: str) -> tuple[str, str | None]:
    """Whether a name is that of clips ("x") or of their labels ("y"), or "", and its split."""
    words = [word for word in stem.lower().split("_") if word]
    split = next((word for word in words if word in SPLITS), None)
    kinds = {word: "x" if word in X else "y" for word in words if word in (*X, *Y)}
    if any(word not in (*kinds, *SPLITS, *BESIDE) for word in words) or len(words) > 4:
        return "", None
    return ("y" if "y" in kinds.values() else "x" if kinds else ""), split


def pairs(
    arrays: dict[str, str],
    array: Callable[[str], np.ndarray],
    place: Callable,
    unfit: Callable[[Any, np.ndarray, Any, str], None] | None = None,
) -> list[Unit]:
    """The clips of every X that has its y.

    Args:
        arrays: names of arrays by their stems in small letters.
        array: reads one by its stem.
        place: of a stem, its file, or its file and its name in there.
        unfit: told of labels that do not go with an X: both places, X, and why.
    """
    units = []
    labels_of = {(parts_of(s)[0], role(parts_of(s)[1])): s for s in sorted(arrays, reverse=True)}
    for stem in sorted(arrays):
        folder, last, _ = parts_of(stem)
        kind, split = role(last)
        other = labels_of.get((folder, ("y", split)))
        if kind != "x" or other is None:
            continue
        labels, texts, why = None, [], ""
        try:
            labels = array(other)
            texts = _texts(labels)
        except (ValueError, EOFError, UserError, SystemError) as error:  # no characters, objects
            why = str(error).removesuffix(".")
        try:
            clips = array(stem)
        except (ValueError, EOFError, UserError):
            clips = None  # said of its first clip, when that is read
        list_like = labels is None or labels.ndim in (1, 2)  # else it may be a clip called y
        if unfit and clips is not None and list_like and len(texts) != len(clips):
            unfit(place(stem), clips, place(other), why or counted(len(texts), "label"))
        if why or (clips is not None and (len(texts) != len(clips) or clips.ndim < 3)):
            continue
        where, beside = place(stem), place(other)
        files, inner = ((where, beside), "") if isinstance(where, str) else ((where[0],), where[1])
        for number, label in enumerate(texts if clips is not None else texts[:1]):
            said = {"gloss": label, **({"split": split_name(split)} if split else {})}
            units.append(Unit(f"{last}_{number}", files, "whole_set", (number, inner), said))
    return units


def _refuse_labels(x: str, clips: np.ndarray, y: str, why: str) -> None:
    """Raise UserError where an X of many clips would be left without labels; one clip is no set."""
    if clips.ndim > 3 or (clips.ndim == 3 and clips.shape[2] > 4):
        raise UserError(
            f"{y}: not the labels of the {counted(len(clips), 'clip')} of {x} ({why}). Write one label a clip, as "
            "plain numbers or text: np.save(name, np.array(labels).astype(str))."
        )


def _array(members, name: str) -> np.ndarray:
    try:
        if parts_of(name)[2] in tensors.ENDINGS:
            return kept(members, name, lambda: _of_pickle(tensors.held(members.read(name))))
        if not _ends(name, ".npy"):
            return _of_pickle(load(members.read(name, LABELS)))
        return kept(members, name, lambda: plain_array(members.read(name, LARGEST)))
    except (ValueError, EOFError) as error:
        raise ClipError(f"not a sound array ({error})") from None


def _of_pickle(content: Any) -> np.ndarray:
    """Labels of a pickle: a list of them, or names and labels side by side."""
    if (
        isinstance(content, list | tuple)
        and len(content) == 2
        and isinstance(content[1], list | np.ndarray)
    ):
        content = content[1]
    labels = content if isinstance(content, np.ndarray) else np.array(content)
    if labels.dtype.kind not in "iufSU":
        raise ClipError("labels that are neither numbers nor text")
    return labels


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
    return {
        stem: info.filename
        for stem, info in inner.items()
        if role(stem)[0] != "y" or info.file_size < LABELS
    }


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
    """Labels as text; of a row of zeros and a one, the place of the one.

    Raises:
        ValueError: not one label a clip.
    """
    if labels.ndim not in (1, 2):
        raise ValueError("labels in more than a row a clip")
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(axis=1)
    labels = labels.reshape(len(labels))
    if labels.dtype.kind == "S":
        return [label.decode("utf-8", "replace") for label in labels]
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("labels that are NaN or infinite")
    if labels.dtype.kind == "f" and (labels == np.round(labels)).all():
        labels = labels.astype(int)
    return [str(label) for label in labels]
