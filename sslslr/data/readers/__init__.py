"""Keypoint formats, one file each: what is recognised by its content, and how it becomes a `RawClip`.

A reader is a class marked `@register`, derived from `Reader`, with

    title                      one line for `sslslr data formats`
    endings                    of the names of single files, such as (".npy",)
    recognise(name, head)      why a single file is of this format, by its first bytes, or ""
    read(data, name)           a file's bytes to a RawClip
    gather(members)            for formats of several files: its clips among all files of a folder
    read_unit(members, unit)   a clip of `gather` to a RawClip

What the points mean (order, unit, missing joints, the signer among several persons) is decided in one
place for all formats: `sslslr.data.conversion`.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from sslslr.config.settings import SPLITS
from sslslr.pose.layouts import Layout
from sslslr.utils.errors import UserError, first_line
from sslslr.utils.registry import Registry

READERS = Registry("sslslr.data.readers", "reader")
register = READERS.register


class ClipError(UserError):
    """A clip that cannot be used, with the reason that is listed."""

    of_all = False  # whether the reason is of all clips of its kind, which an option mends


@contextlib.contextmanager
def damaged_alone() -> Iterator[None]:
    """What goes wrong with a clip's content, of whatever kind, is that clip's :class:`ClipError`.

    A damaged file fails in many ways in the libraries that read it, and none may stop the others.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's, not the file's
            raise
        raise ClipError(f"cannot be read ({type(error).__name__}: {first_line(error)})") from None


@dataclass
class RawClip:
    """A clip as its file has it.

    Attributes:
        points: of any arrangement (see `sslslr.data.conversion.arrays`); where `layout` is given,
            (frames, points, 2 to 4) or (frames, persons, points, 2 to 4), NaN = missing.
        layout: the order of the points, where the file states it.
        score: of each point, the shape of `points` without its last axis, where the file has it.
        visibility: whether `score` is MediaPipe's visibility, not the confidence of a detector.
        size: width and height of the image in pixels.
        unit: "pixels", "image" (0..1) or None, where the file states it.
        custom: whether `layout` is a tool's custom, which the file itself does not state.
        gaps: frames that were put in without keypoints, since their numbers are left out.
        unnumbered: whether frames have numbers that do not tell which are left out.
        unused: names of arrays that may say which joints are missing.
    """

    points: np.ndarray
    layout: Layout | None = None
    score: np.ndarray | None = None
    visibility: bool = False
    size: tuple[float, float] | None = None
    fps: float | None = None
    unit: str | None = None
    custom: bool = False
    gaps: int = 0
    unnumbered: bool = False
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unit:
    """A clip that is found in a folder or an archive.

    Attributes:
        name: what a table may call it: the file's path, or the folder's, or an id within a file.
        files: the members that it is read from.
        reader: name of the format; "" for a single file, whose content says.
        key: which clip of its file, where a file holds several.
        columns: gloss, signer, split, fps that the source itself states.
    """

    name: str
    files: tuple[str, ...]
    reader: str = ""
    key: Any = None
    columns: dict[str, Any] = field(default_factory=dict)


class Reader:
    """What a format need not say; see the package."""

    name: ClassVar[str]
    title = ""
    why = ""  # said of what `gather` returns
    together = False  # whether a file holds several clips, which are read in its order
    cut_already = False  # whether start and end of its table are those of the video it was cut from
    endings: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def recognise(cls, name: str, head: bytes) -> str:
        return ""

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        raise NotImplementedError

    @classmethod
    def gather(cls, members: Any, names: Sequence[str]) -> list[Unit]:
        return []

    @classmethod
    def read_unit(cls, members: Any, unit: Unit) -> RawClip:
        return cls.read(members.read(unit.files[0]), unit.files[0])


def kept(members: Any, key: Any, make: Callable[[], Any]) -> Any:
    """What `make` returns, kept with the opened folder until another is asked for."""
    if getattr(members, "kept", (None, None))[0] != key:
        members.kept = (key, make())
    return members.kept[1]


def parts_of(name: str) -> tuple[str, str, str]:
    """Folder, stem and ending: of `a/b.NPY` they are `a`, `b` and `.npy`. Quicker than a path object."""
    folder, _, last = name.rpartition("/")
    dot = last.rfind(".")
    return (folder, last[:dot], last[dot:].lower()) if dot > 0 else (folder, last, "")


def hidden(name: str) -> bool:
    """Whether it is what a system puts into folders and archives (`.DS_Store`, `__MACOSX`)."""
    return name.startswith(".") or "/." in name or "__MACOSX" in name.split("/")


def split_in(name: str) -> dict[str, str]:
    """The column `split` that the name of a file states; {} where it names none."""
    split = next((split for split in SPLITS if split in name.lower()), None)
    return {"split": split} if split else {}


def readers() -> list[type[Reader]]:
    """All readers, in the order of their names."""
    return list(READERS.classes().values())


def endings() -> tuple[str, ...]:
    """How the names of single files end that any reader reads."""
    return _endings(tuple(readers()))


@functools.lru_cache
def _endings(known: tuple[type[Reader], ...]) -> tuple[str, ...]:
    return tuple(ending for reader in known for ending in reader.endings)


def recognised(
    name: str, head: bytes, likely: type[Reader] | None = None
) -> tuple[type[Reader], str]:
    """The reader of a single file and why.

    Args:
        likely: tried first: the reader of the file before.

    Raises:
        ClipError: no reader knows its content.
    """
    if likely is not None and (why := likely.recognise(name, head)):
        return likely, why
    for reader in readers():
        if why := reader.recognise(name, head):
            return reader, why
    begins = head[:12].hex(" ") if head else "nothing: it is empty"
    if head.startswith(b"version https://git-lfs"):
        raise ClipError("a pointer of Git LFS, not the file itself: fetch it by `git lfs pull`")
    if text := head[:40].decode("ascii", "replace").split("\n")[0].strip():
        begins = repr(text) if text.isprintable() and text.isascii() else begins
    raise ClipError(f"not a keypoint file that is known (begins with {begins})")
