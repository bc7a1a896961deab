"""Archives and folders that are not trusted, read member by member.

Refused as a whole: a member that would lie outside the folder (an absolute name, `..`, a drive, a
backslash), a link, a device, and a bomb (too many members, or far more bytes than the archive
explains). A member that is encrypted, cut or damaged is refused alone, by name, and so are two of one
name; the others can be read.

    with open_members("GSL.zip") as members:
        for name in members.names:
            members.read(name)
"""

import contextlib
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from sslslr.utils.errors import UserError, first_line
from sslslr.utils.progress import size_text
from sslslr.utils.user_files import (
    UserFileError,
    bounded,
    files_and_links,
    name_fault,
    open_user_file,
    shown,
)

DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError,
    NotImplementedError, ValueError, UnicodeDecodeError, MemoryError,  # LZMA's headers ask for any amount
)  # fmt: skip
BLOCK = 1 << 20
LONGEST_NAME = 1 << 20  # bytes of a header that holds a member's name, which tarfile reads whole
PAX = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class MemberError(UserError):
    """One member cannot be read; the others may be fine. `why` says it without names."""

    def __init__(self, path: Path, name: str, why: str):
        super().__init__(f"{shown(path)}: {shown(name)!r} {why}.")
        self.name, self.why = shown(name), why


@dataclass(frozen=True)
class Limits:
    """Beyond these an archive is taken for a bomb.

    Attributes:
        members: how many.
        member: bytes of one.
        ratio: unpacked bytes in all, for each byte of the archive.
        free: unpacked bytes in all that are never too many.
    """

    members: int = 2_000_000
    member: int = 8 << 30
    ratio: float = 100.0
    free: int = 1 << 30


def check_name(name: str, archive: str | Path) -> None:
    """Check that a member stays within the folder that it is unpacked in.

    Raises:
        UserError: it does not.
    """
    fault = name_fault(name)
    if fault == "has a backslash":
        raise UserError(
            f"{archive}: member {shown(name)!r} {fault}: a packer of Windows wrote it. Pack the folder again "
            "by another, with slashes."
        )
    if fault:
        raise UserError(
            f"{archive}: member {shown(name)!r} {fault}. The archive is refused as a whole: it could "
            "write where it should not."
        )


class Members:
    """Files by name, of a folder or of an archive; see :func:`open_members`.

    Attributes:
        names: of all files, in the archive's order (a folder's: sorted).
        links: of a folder, those that lead out of it and are not followed.
    """

    links: Sequence[str] = ()

    def __init__(self, path: Path, names: list[str]):
        self.path = path
        counts = Counter(names)
        self.names, self._known = list(counts), set(counts)
        self._repeated = {name for name, count in counts.items() if count > 1}

    def read(self, name: str, limit: int = 256 << 20) -> bytes:
        """A member's bytes.

        Raises:
            MemberError: it is absent, encrypted, damaged, there twice, or larger than `limit`.
        """
        with self.stream(name) as stream:
            data = bounded(stream, limit)
        if len(data) > limit:
            raise MemberError(self.path, name, f"is larger than {size_text(limit)}")
        return data

    @contextlib.contextmanager
    def stream(self, name: str) -> Iterator[IO[bytes]]:
        """A member's bytes, to be read in blocks.

        Raises:
            MemberError: it is absent, encrypted, damaged (also on the way), or there twice.
        """
        if name not in self._known:  # of a folder, anything could be opened
            raise MemberError(self.path, name, "is not in the archive")
        if name in self._repeated:
            raise MemberError(self.path, name, "is in the archive twice")
        try:
            with self._open(name) as stream:
                yield stream
        except UserFileError as error:
            raise MemberError(self.path, name, f"cannot be read: {error.why}") from None
        except RuntimeError as error:  # zipfile, of an encrypted member
            why = "is encrypted" if "password" in str(error) else f"cannot be read ({error})"
            raise MemberError(self.path, name, why) from None
        except DAMAGED as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise MemberError(self.path, name, f"is damaged ({_plain(error, name)})") from None

    def check(self) -> None:
        """Read every member once.

        Raises:
            MemberError: the first that cannot be read.
        """
        for name in self.names:
            with self.stream(name) as stream:
                while stream.read(BLOCK):
                    pass

    def save(self, name: str, target: Path) -> None:
        """Write a member to `target`; the caller chose that path.

        Raises:
            MemberError: it cannot be read.
        """
        with self.stream(name) as stream, open(target, "wb") as out:
            shutil.copyfileobj(stream, out, BLOCK)

    def _open(self, name: str) -> Any:
        raise NotImplementedError


class _Folder(Members):
    def __init__(self, path: Path):
        names, self.links = files_and_links(path)
        super().__init__(path, names)

    def _open(self, name: str) -> IO[bytes]:
        # Listed by `files_and_links`, which leaves out what lies outside: not looked up a second time.
        return open_user_file(f"{self.path}/{name}")


class _Zip(Members):
    def __init__(self, path: Path, archive: zipfile.ZipFile, limits: Limits):
        self._archive = archive
        infos = archive.infolist()
        _check_bomb(path, len(infos), (info.file_size for info in infos), limits)
        for info in infos:
            # zipfile cuts a name at a zero byte and turns the system's separator into "/".
            check_name(info.orig_filename, path)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise UserError(_special(path, info.filename))
        super().__init__(path, [info.filename for info in infos if not info.is_dir()])

    def _open(self, name: str) -> Any:
        return self._archive.open(name)


class _Tar(Members):
    def __init__(self, path: Path, archive: tarfile.TarFile, limits: Limits):
        self._archive, self._infos = archive, {}
        sizes: list[int] = []
        for info in archive:
            if info.isdir() and not PurePosixPath(info.name).parts:
                continue  # `./`, the folder itself: `tar -C FOLDER -c .` begins with it
            check_name(info.name, path)
            if not (info.isreg() or info.isdir()):
                raise UserError(_special(path, info.name))
            sizes.append(info.size)
            if len(sizes) % 1000 == 0:  # of a bomb not all need be counted
                _check_bomb(path, len(sizes), sizes, limits)
        _check_bomb(path, len(sizes), sizes, limits)
        files = [info for info in archive.getmembers() if info.isreg()]
        names = [info.name.removeprefix("./") for info in files]  # as `tar -C FOLDER -c .` has them
        self._infos = dict(zip(names, files, strict=True))
        super().__init__(path, names)

    def _open(self, name: str) -> Any:
        return self._archive.extractfile(self._infos[name])


class _Header(tarfile.TarInfo):
    """A header of a tar. One that is damaged ends an archive for tarfile, and what follows goes unseen."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> "_Header":
        try:
            header = super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:
            raise tarfile.ReadError(str(error)) from None
        names = header.type not in tarfile.REGULAR_TYPES and header.type in tarfile.SUPPORTED_TYPES
        if header.size > LONGEST_NAME and (names or header.type in PAX):
            raise tarfile.ReadError(f"a header of {size_text(header.size)}")
        return header


def _special(path: Path, name: str) -> str:
    return (
        f"{path}: member {name!r} is a link or a device. The archive is refused as a whole: data "
        "sets hold plain files and folders."
    )


def _check_bomb(path: Path, count: int, sizes: Any, limits: Limits) -> None:
    sizes = list(sizes)
    total, packed = sum(sizes), path.stat().st_size
    allowed = max(limits.free, packed * limits.ratio)
    if count > limits.members:
        what = f"{count} members (at most {limits.members})"
    elif sizes and max(sizes) > limits.member:
        what = f"a member of {size_text(max(sizes))} (at most {size_text(limits.member)})"
    elif total > allowed:
        what = f"{size_text(total)} in an archive of {size_text(packed)}"
    else:
        return
    raise UserError(f"{path}: {what}: refused as an archive bomb; nothing was unpacked.")


def _short(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "asks for more memory than there is"
    # tarfile's, of each kind that it tried
    if str(error).startswith("file could not be opened successfully"):
        return "its beginning is of neither"
    return first_line(error, 120) or type(error).__name__


def _plain(error: BaseException, name: str) -> str:
    """What is wrong, without the member's name: so that reasons can be counted."""
    return _short(error).replace(f" for file {name!r}", "").replace(repr(name), "it")


def _begins_as_tar(path: Path) -> bool:
    with open_user_file(path) as stream:
        return stream.read(262)[257:] == b"ustar"


@contextlib.contextmanager
def open_members(path: str | Path, limits: Limits | None = None) -> Iterator[Members]:
    """Open a folder, a zip or a tar (also compressed) for reading by member.

    Raises:
        UserError: absent, no archive, cut, damaged, or one that is refused as a whole.
    """
    path, limits = Path(path), limits or Limits()
    if path.is_dir():
        yield _Folder(path)
        return
    if not path.is_file():
        there = (
            "is neither a regular file nor a folder"
            if path.exists()
            else "there is no such file or folder"
        )
        raise UserError(f"{path}: {there}.")
    with contextlib.ExitStack() as stack:
        try:
            members: Members
            # A tar whose last file is a zip ends as zips do.
            if zipfile.is_zipfile(path) and not _begins_as_tar(path):
                members = _Zip(path, stack.enter_context(zipfile.ZipFile(path)), limits)
            else:
                members = _Tar(
                    path, stack.enter_context(tarfile.open(path, "r:*", tarinfo=_Header)), limits
                )
        except DAMAGED as error:
            size = size_text(path.stat().st_size)
            raise UserError(
                f"{path}: not a sound zip or tar archive ({size}; {_short(error)}): cut short or "
                "damaged. Fetch or copy it again."
            ) from None
        yield members
