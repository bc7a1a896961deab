"""Files that are either whole or absent: write under a temporary name, then rename.

A temporary name is `.NAME.HOST.PID.RANDOM.tmp`, so that what a killed process left can be told from
what a living one writes (:func:`sweep`).
"""

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sslslr.utils.errors import UserError
from sslslr.utils.user_files import read_user_text

LARGEST_TEXT = 64 << 20  # bytes of a JSON file, or of a CSV that this package wrote
# What Python needs for JSON, in numbers of a list: a list, or a key with its value, is worth eight.
MOST_JSON = 1 << 24
BLOCK = 1 << 20  # bytes read at a time when hashing
MOST_HASHES = 20  # that a card names one by one
TEMPORARY_ROOM = 1_000_000  # bytes that a workflow needs to begin
HOST = platform.node().partition(".")[0] or "localhost"
# A folder that is being replaced stands aside as `.old` until the new one is in its place.
LEFT_OVER = re.compile(
    r"\.(?P<name>.+)\.(?P<host>[^.]+)\.(?P<pid>\d+)\.[0-9a-f]{8}\.(?P<kind>tmp|old)"
)
# What systems, network disks and Snakemake leave in any folder; all else that is hidden is somebody's.
OF_SYSTEMS = re.compile(r"\.DS_Store|\.directory|\.snakemake_timestamp|\._.*|\.nfs[0-9a-f]+")


def sha256_of(path: str | os.PathLike) -> str:
    """Hex sha256 of a file's bytes, read in blocks.

    A stranger's link may lead to a file of the kernel: all say that they are empty, and some never end.
    """
    digest = hashlib.sha256()
    if os.stat(path).st_size == 0:
        return digest.hexdigest()
    with open(path, "rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def few_hashes(hashes: dict[str, str]) -> dict[str, str]:
    """Names of files to their sha256; of more than `MOST_HASHES` one sum of all."""
    if len(hashes) <= MOST_HASHES:
        return hashes
    lines = "".join(f"{name} {sha256}\n" for name, sha256 in sorted(hashes.items()))
    return {f"{len(hashes)} files": hashlib.sha256(lines.encode()).hexdigest()}


def _temporary_beside(path: Path, kind: str = "tmp") -> Path:
    return path.with_name(f".{path.name}.{HOST}.{os.getpid()}.{uuid.uuid4().hex[:8]}.{kind}")


def sweep(folder: str | os.PathLike) -> list[Path]:
    """Clear away what processes of this host that are dead left half-written below `folder`.

    A folder that a dead process was about to replace is put back if nothing took its place.

    Returns:
        What was found and cleared away, or put back.
    """
    cleared = []
    for base, folders, names in os.walk(folder):
        cleared += [Path(base, name) for name in [*folders, *names] if _cleared(Path(base, name))]
        folders[:] = [name for name in folders if not LEFT_OVER.fullmatch(name)]
    return cleared


def _cleared(left: Path) -> bool:
    """Whether a path is what a dead process left; then it is removed, or put back."""
    match = LEFT_OVER.fullmatch(left.name)
    if not match or match["host"] != HOST or _is_running(int(match["pid"])):
        return False
    target = left.with_name(match["name"])
    if match["kind"] == "old" and not target.exists():
        os.rename(left, target)
    elif left.is_dir() and not left.is_symlink():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)
    return True


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def sweep_beside(path: Path) -> None:
    """As :func:`sweep`, of one file or folder that is about to be written or read."""
    with contextlib.suppress(OSError):
        for name in os.listdir(path.parent):
            if (match := LEFT_OVER.fullmatch(name)) and match["name"] == path.name:
                _cleared(path.with_name(name))


def _same_branch(about: Path, path: Path) -> bool:
    """Is `about` in the folder of `path`, or a parent of it that could not be made?"""
    parent = path.parent.absolute()
    return parent in (about, *about.parents) or about in parent.parents


def explain(error: OSError, path: Path) -> Exception:
    """A UserError for what went wrong with writing at `path`; other errors stay what they are."""
    # Copying names two files, source and target.
    named = [name for name in (error.filename, error.filename2) if isinstance(name, str | Path)]
    if named and not any(_same_branch(Path(name).absolute(), path) for name in named):
        return error  # a file elsewhere, for example an input that is missing
    # Where a folder is made within another that is being made, its temporary name tells nobody anything.
    path = Path(*(m["name"] if (m := LEFT_OVER.fullmatch(p)) else p for p in path.parts))
    number, said = error.errno, error.strerror
    if isinstance(error, shutil.Error) and (stated := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(stated[1])  # copytree gathers what went wrong as text
        said = os.strerror(number)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"{path}: no space left on the device while writing; nothing was changed. "
            "Free some space or name another folder, then run the same command again."
        )
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return UserError(
            f"{path}: not writable ({said}); nothing was changed. "
            "Check the folder's permissions or name another folder."
        )
    # EFBIG: a limit of the process, or a disk (FAT) that takes no file of 4 GiB.
    if number in (
        errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EFBIG,
    ):  # fmt: skip
        return UserError(
            f"{path}: cannot be written ({said}); nothing was changed. Name another place."
        )
    return error


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it goes.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    path = Path(path)
    sweep_beside(path)
    temporary = _temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise explain(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def refuse_foreign(
    path: str | os.PathLike, own: Iterable[str], kind: str, record: tuple[str, str] | None = None
) -> None:
    """Raise UserError where `path` is not surely a folder of this kind: it would be replaced.

    One of somebody else's may hold a file of the same name. So a folder is taken for one of this kind
    if it has all of its files, or the one that records it.

    Args:
        own: names of all files of such a folder; what systems leave there (OF_SYSTEMS) may be too.
        kind: what the folder is, for the message: "clip store".
        record: name of its JSON file that says what it is, and a key of it.
    """
    path, own = Path(path), list(own)
    if path.is_symlink() and not path.exists():
        raise UserError(
            f"{path}: a link to {os.readlink(path)}, which does not exist. Make that folder, or remove "
            "the link."
        )
    if not path.is_dir():
        if path.exists():
            raise UserError(f"{path}: a file, where a {kind} is to be made. Name a new folder.")
        return
    names = sorted(p.name for p in path.iterdir() if not OF_SYSTEMS.fullmatch(p.name))
    if foreign := [name for name in names if name not in own]:
        article = "an" if kind[0] in "aeiou" else "a"
        raise UserError(
            f"{path}: holds {foreign[0]!r}, which is no part of {article} {kind}, and would be replaced as a "
            "whole. Name a new folder."
        )
    absent = [name for name in own if name not in names]
    if names and absent and not (record and has_key(path / record[0], record[1])):
        raise UserError(
            f"{path}: holds {', '.join(map(repr, names))} but no {absent[0]!r}, so it may be no {kind}, "
            "and would be replaced as a whole. Name a new folder; or remove this one, if it is what is "
            f"left of a {kind}."
        )


def has_key(path: Path, key: str) -> bool:
    """Is there a JSON file with this key?"""
    try:
        content = read_json(path)
    except (UserError, OSError):
        return False
    return isinstance(content, dict) and key in content


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """As :func:`atomic_file`, for a folder; an older folder of that name is replaced as a whole.

    A link to a folder stays one: the folder that it leads to is replaced.
    """
    path = Path(path)
    place = Path(os.path.realpath(path)) if path.is_symlink() else path
    sweep_beside(place)
    temporary = _temporary_beside(place)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush(file)
        _swap_folder(temporary, place)
    except OSError as error:
        raise explain(error, place) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap_folder(new: Path, path: Path) -> None:
    if not path.exists():
        os.rename(new, path)
        return
    if path.is_dir() and _exchanged(new, path):  # the old one has the temporary name, and goes
        return
    old = _temporary_beside(path, "old")
    os.rename(path, old)
    try:
        os.rename(new, path)
    except OSError:
        os.rename(old, path)
        raise
    if old.is_dir():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink()


def _exchanged(a: Path, b: Path) -> bool:
    """Let two paths change places, if system and disk can: killed at any moment, neither is missing."""
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)  # of Linux
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(exchange) and exchange(here, os.fsencode(a), here, os.fsencode(b), swap) == 0


def _flush(path: Path) -> None:
    with open(path, "rb") as stream:
        os.fsync(stream.fileno())


def check_temporary_folder() -> None:
    """Raise UserError where no temporary file can be written: other tools end in tracebacks there."""
    try:
        with tempfile.TemporaryFile() as stream:
            stream.write(bytes(TEMPORARY_ROOM))
    except OSError as error:
        raise no_temporary_file(error) from None


def no_temporary_file(error: OSError) -> UserError:
    """What to tell the user of an error of the temporary folder."""
    return UserError(
        f"No temporary file can be written ({error.strerror}). Free some space in "
        f"{os.environ.get('TMPDIR') or '/tmp'}, or name another folder: TMPDIR=FOLDER."
    )


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file atomically, UTF-8."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write JSON atomically, indented, keys in the order given."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is absent, cannot be read, is not JSON, states a key twice, or is too large or deep.
    """
    try:
        text = read_user_text(path, limit=LARGEST_TEXT)
        refuse_vast_json(text.encode())
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise UserError(f"{path}: its JSON is nested too deeply to be read.") from None
    except ValueError as error:  # also a number of more digits than Python converts
        raise UserError(f"{path}: not valid JSON ({error}).") from None


def refuse_vast_json(data: bytes, most: int = MOST_JSON) -> None:
    """Raise ValueError for JSON that would take gigabytes: two bytes (`[]`) become sixty and more."""
    if sum(map(data.count, (b"[", b"{", b":"))) * 8 + data.count(b",") > most:
        raise ValueError("it holds too many values")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Of a key that stands twice Python takes the last, others may take the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"key {name[:80]!r} stands twice")
    return found


def read_object(path: str | os.PathLike) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        UserError: see :func:`read_json`; or it holds something else.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: must hold a JSON object, {{...}}.")
    return content
