"""Files that somebody else wrote or named: one function opens them everywhere.

A path that stands in a table, a folder that came from elsewhere: either can name a device, a pipe that
nobody writes to, a link to itself, a file outside of the folder or one that fills the memory. What is
opened here is a regular file of a bounded size; all else is one line of :class:`UserFileError`.

    with open_user_file("mine/clips/a.npy") as stream:
        stream.read()
    read_user_text("mine/labels.csv")
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from sslslr.utils.errors import UserError

LARGEST = 256 << 20  # bytes of a file that is read whole
FIRST = 1 << 16  # bytes that are read before room is made for more
LONGEST = 300  # characters of a name in an error


class UserFileError(UserError):
    """A file that cannot be opened or read; `why` says it without the file's name."""

    def __init__(self, path: str | os.PathLike, why: str, advice: str = ""):
        super().__init__(f"{shown(path)}: {why}." + (f" {advice}" if advice else ""))
        self.why = why


def shown(name: str | os.PathLike) -> str:
    """A name as text for a message: bytes that are no UTF-8 and control characters escaped, shortened."""
    return shortened(printable(os.fspath(name)))


def printable(text: str) -> str:
    """A text in which bytes that are no UTF-8 and control characters are escaped, line ends too."""
    if text.isascii() and text.isprintable():  # as most are: a table may name 200,000
        return text
    # Half a pair, as JSON can state it: escaped below.
    with contextlib.suppress(UnicodeEncodeError):
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shortened(text: str) -> str:
    """A text for a message: its beginning and its end."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 23]}...{text[-20:]}"


def shown_value(value: object) -> str:
    """Any value that stood in a file, for a message."""
    try:
        return shown(repr(value))
    except ValueError:
        # YAML reads hexadecimal digits without end; Python writes 4,300 decimal ones.
        return "a number of thousands of digits"


def at_home(path: str | os.PathLike) -> Path:
    """A path that somebody named, with `~` and `~anna` as the folders that they are; other `~` stay as written.

    Raises:
        UserFileError: a name that no file can have, of which pathlib makes an error of its own.
    """
    place = os.path.expanduser(os.fspath(path))
    try:
        os.lstat(place)
    except ValueError:
        raise UserFileError(path, "the name has a control character") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UserFileError(path, "the name is too long") from None
    return Path(place)


def name_fault(name: str) -> str:
    """Why a name does not lie plainly within the folder that it belongs to; empty where it does."""
    path = PurePosixPath(name)
    return (
        "is empty" if not name or not path.parts
        else "is absolute" if path.is_absolute()
        else "leads out of the folder" if ".." in path.parts
        else "has a backslash" if "\\" in name
        else "names a drive" if len(path.parts[0]) > 1 and path.parts[0][1] == ":"
        else "has a control character" if any(ord(c) < 32 or ord(c) == 127 for c in name)
        else "is no Unicode text" if any("\ud800" <= c <= "\udfff" for c in name)
        else "is too long" if len(name) > 1024 or any(len(p.encode()) > 255 for p in path.parts)
        else ""
    )  # fmt: skip


def open_user_file(path: str | os.PathLike, limit: int | None = None) -> BinaryIO:
    """Open a regular file for reading bytes.

    Args:
        limit: bytes that it may have; None: any number.

    Raises:
        UserFileError: absent, no regular file, too large, not readable.
    """
    place = os.fspath(path)
    if "\0" in place:
        raise UserFileError(path, "the name has a control character")
    try:
        _check_kind(place, os.stat(place).st_mode)
        # Between the look and the opening it may have become something else: O_NONBLOCK never waits.
        descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise UserFileError(place, "there is no such file") from None
    except OSError as error:
        raise UserFileError(place, f"cannot be opened ({error.strerror})") from None
    stream = os.fdopen(descriptor, "rb")
    try:
        about = os.fstat(descriptor)
        _check_kind(place, about.st_mode)
        if limit is not None and about.st_size > limit:
            raise UserFileError(place, f"has {about.st_size} bytes, at most {limit} are read")
    except BaseException:
        stream.close()
        raise
    return stream


def _check_kind(place: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kind = (
        "a folder" if stat.S_ISDIR(mode)
        else "a pipe" if stat.S_ISFIFO(mode)
        else "a socket" if stat.S_ISSOCK(mode)
        else "a device"
    )  # fmt: skip
    raise UserFileError(place, f"is {kind}, not a regular file")


def bounded(stream: IO[bytes], limit: int) -> bytes:
    """All bytes of a stream, or `limit` + 1 of them where it has more.

    They are read in growing parts: to read up to so many, Python makes room for all before it looks, which
    costs more than a small file's own bytes.
    """
    parts = [stream.read(min(FIRST, limit + 1))]
    size = len(parts[0])
    while size <= limit and (
        part := stream.read(min(size, limit + 1 - size)) if size >= FIRST else b""
    ):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def read_user_bytes(path: str | os.PathLike, limit: int = LARGEST) -> bytes:
    """The bytes of a file, see :func:`open_user_file`.

    Raises:
        UserFileError: it cannot be opened or read, or has more than `limit` bytes.
    """
    with open_user_file(path, limit) as stream:
        try:
            data = bounded(stream, limit)  # the files of /proc say that they are empty
        except OSError as error:
            raise UserFileError(path, f"cannot be read ({error.strerror})") from None
    if len(data) > limit:
        raise UserFileError(path, f"has more than {limit} bytes")
    return data


def read_user_text(path: str | os.PathLike, limit: int = LARGEST) -> str:
    """The text of a file in UTF-8, with or without a mark at its beginning.

    Raises:
        UserFileError: it cannot be read, or is not UTF-8.
    """
    try:
        return read_user_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise UserFileError(path, f"not in UTF-8 ({where})", "Save it in UTF-8.") from None


def files_and_links(folder: str | os.PathLike) -> tuple[list[str], list[str]]:
    """Regular files below a folder, with slashes, and links that are not followed; both sorted.

    Linked folders are not entered. A link to a file within the folder counts as that file. Names
    that are no UTF-8 are left as the system gives them: :func:`open_user_file` refuses them,
    :func:`shown` makes them text.
    """
    found = sorted(_below(folder))
    return [name for name, ours in found if ours], [name for name, ours in found if not ours]


def _below(folder: str | os.PathLike) -> Iterator[tuple[str, bool]]:
    """Each regular file below a folder, and each link that is none."""
    base, places = Path(folder).resolve(), [""]
    while places:
        place = places.pop()
        try:
            entries = list(os.scandir(os.path.join(folder, place)))
        except OSError:  # not to be read: as if it were empty
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                places.append(f"{place}{entry.name}/")
            elif entry.is_file(follow_symlinks=False) or _inside(entry, base):
                yield place + entry.name, True
            elif entry.is_symlink() and not _folder_inside(entry, base):
                yield place + entry.name, False


def _folder_inside(entry: os.DirEntry, base: Path) -> bool:
    """Whether a link leads to a folder below `base`, whose files are listed where they lie."""
    return os.path.isdir(entry.path) and Path(os.path.realpath(entry.path)).is_relative_to(base)


def _inside(entry: os.DirEntry, base: Path) -> bool:
    """Whether a link leads to a regular file below `base`."""
    try:
        return entry.is_file() and Path(entry.path).resolve(strict=True).is_relative_to(base)
    except (OSError, RuntimeError):  # a link to nothing, or to itself
        return False
