"""Fetching files over HTTPS: resumed, checked, and whole under their names or not there at all.

`fetch` takes a list of files and a folder that outlives the job (a cache: Snakemake deletes the
outputs of a job that failed). A file grows as `NAME.part` beside `NAME.part.json`, which holds what
the server said of it (address, ETag, Last-Modified, length); the next run asks for the rest of the
same version with `Range` and `If-Range`, and begins anew where the server has another one. A file
that is whole is checked against `config/checksums.lock` (`sslslr/checksums.py`) and renamed.
"""

import concurrent.futures
import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sslslr.archives import ENDINGS, open_members
from sslslr.checksums import Checksums, locked
from sslslr.errors import UserError, nearest
from sslslr.files import atomic_file, note, sha256_of
from sslslr.http_client import Client, Settings, check_address
from sslslr.progress import advancing, size_text

AGAIN = ", or remove its line there if the file that came first was the wrong one."
SPARE = 64_000_000  # bytes that are to stay free on the disk


@dataclass(frozen=True)
class File:
    """A published file.

    Attributes:
        name: what it is called in the folder, without a path.
        url: where it is published: its key in the checksums, wherever the copy comes from.
        source: where this copy comes from, where that is another place: an address, or a file.
        size: bytes, where they are known without asking.
    """

    name: str
    url: str
    source: str | None = None
    size: int | None = None

    @property
    def place(self) -> str:
        return self.source or self.url

    @property
    def is_local(self) -> bool:
        return "://" not in self.place


def fetch(files: Sequence[File], folder: str | Path, settings: Settings) -> list[Path]:
    """Bring files into `folder`; those that are there already are checked, not fetched again.

    Returns:
        The files' paths, in order.

    Raises:
        UserError: one line for each file that could not be had. The others are there, and what was
            fetched of the rest goes on from where it stopped.
    """
    folder = Path(folder)
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    names = [file.name for file in files]
    if len(set(names)) != len(names) or any(Path(n).name != n or n[0] == "." for n in names):
        raise ValueError(f"names must be plain and differ: {names}")
    Checksums(settings.checksums).read()  # a damaged lock file is said before an hour of download
    problems: list[str] = []
    wanted = []
    for file in files:
        with _collected(problems):
            if not file.is_local:
                check_address(file.place, settings.allow_http)
            wanted.append(file)
    sizes = _each(lambda file, _: _size(file, folder, settings), wanted, settings, problems)
    wanted = [file for file in wanted if file in sizes]
    missing = sum(max(0, size - _have(folder / file.name)) for file, size in sizes.items() if size)
    _check_space(folder, missing)
    total = missing if all(size is not None for size in sizes.values()) else None
    title = f"{len(wanted)} files" if len(wanted) > 1 else "".join(file.name for file in wanted)
    if total:
        settings.say(f"{title}: {size_text(total)} to fetch.")
    with advancing(title, total, in_bytes=True) as advance:

        def one(file: File, stop: threading.Event) -> Path:
            return _fetch_one(file, folder, settings, sizes[file], advance, stop)

        done = _each(one, wanted, settings, problems)
    if problems:
        raise UserError("\n".join(problems))
    return [done[file] for file in files]


@contextlib.contextmanager
def _collected(problems: list[str]):
    try:
        yield
    except UserError as error:
        problems.append(str(error))


def _each(work: Callable, files: Sequence[File], settings: Settings, problems: list[str]) -> dict:
    """`work(file, stop)` for all, side by side; a file that fails does not stop the others."""
    stop, results = threading.Event(), {}
    with concurrent.futures.ThreadPoolExecutor(max(1, settings.parallel)) as pool:
        jobs = {file: pool.submit(work, file, stop) for file in files}
        try:
            for file, job in jobs.items():
                with _collected(problems):
                    results[file] = job.result()
        except BaseException:  # Ctrl-C: the threads end at their next block
            stop.set()
            settings.say("Stopped; what was fetched is kept: run the same command again to go on.")
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _have(target: Path) -> int:
    """Bytes of a file that are on the disk already, whole or in part."""
    for path in (target, part_of(target)):
        if path.is_file():
            return path.stat().st_size
    return 0


def part_of(target: Path) -> Path:
    """Where a file grows until it is whole."""
    return target.with_name(target.name + ".part")


def _size(file: File, folder: Path, settings: Settings) -> int | None:
    """Bytes of a file, asked ahead; None where the server does not tell."""
    if (folder / file.name).is_file():
        return (folder / file.name).stat().st_size
    if file.is_local:
        return _local(file).stat().st_size
    recorded = Checksums(settings.checksums).expected(file.url)
    if recorded is not None or file.size is not None:
        return recorded.size if recorded is not None else file.size
    return Client(settings).size(file.place)


def _local(file: File) -> Path:
    path = Path(file.place).expanduser()
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; it was named as a copy of {file.url}.")
    return path


def _check_space(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if wanted and wanted + SPARE > free:
        raise UserError(
            f"{folder}: {size_text(wanted)} are to be fetched, but only {size_text(free)} are free on "
            "that disk. Free some space, or name another folder for the downloads."
        )


def _fetch_one(
    file: File,
    folder: Path,
    settings: Settings,
    size: int | None,
    advance: Callable[[int], None],
    stop: threading.Event,
) -> Path:
    target, checksums = folder / file.name, Checksums(settings.checksums)
    # Two processes that want one file: the second waits, and finds it whole.
    waiting = f"{target}: another process is at it; waiting."
    with locked(folder / f".{file.name}.lock", lambda: settings.say(waiting)):
        named = file.is_local and target.is_file() and not _local(file).samefile(target)
        if named and sha256_of(_local(file)) != sha256_of(target):
            target.unlink()  # another copy was named since
        if not target.is_file():
            if file.is_local:
                source = _local(file)
                if checksums.expected(file.url) is None:
                    _check_archive(source)
                checksums.verify(file.url, source, f"Name another copy{AGAIN}")
                link_or_copy(source, target)
                return target
            part = part_of(target)
            Client(settings).download(file.place, part, size, advance, stop)
            _accept(checksums, file, part)
            with _explained(target):
                os.replace(part, target)
        else:
            _accept(checksums, file, target)
    return target


def _accept(checksums: Checksums, file: File, path: Path) -> None:
    """Check the sum; what differs is removed, so that the next run fetches it anew."""
    try:
        checksums.verify(file.url, path, f"It was removed; fetch it again{AGAIN}")
    except UserError:
        path.unlink(missing_ok=True)
        path.with_name(path.name + ".json").unlink(missing_ok=True)
        raise
    path.with_name(path.name + ".json").unlink(missing_ok=True)


def _check_archive(path: Path) -> None:
    """A zip or tar that cannot be opened must not become the sum that all others are held against."""
    if path.name.endswith(ENDINGS):
        with open_members(path):
            pass


@contextlib.contextmanager
def _explained(target: Path):
    try:
        yield
    except OSError as error:
        raise UserError(f"{target}: cannot be made ({error.strerror}).") from None


def link_or_copy(source: Path, target: Path) -> None:
    """A second name of the same bytes where the disk permits, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        os.link(source.resolve(), target)
        return
    with atomic_file(target, noted=False) as temporary:
        shutil.copyfile(source, temporary)


def place(files: Sequence[Path], folder: str | Path) -> None:
    """Give whole files of the cache a name in the folder that the job is to make."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        if file.parent.resolve() == folder.resolve():
            continue
        with contextlib.suppress(FileNotFoundError):
            (folder / file.name).unlink()
        link_or_copy(file, folder / file.name)
        note(folder / file.name)


def mirrored(files: Sequence[File], mirror: str | None, named: dict[str, str]) -> list[File]:
    """The files, with the places that the user gave instead of the published ones.

    Args:
        mirror: an address or a folder that holds files of the same names.
        named: file name to an address or a file, before the mirror.

    Raises:
        UserError: a name that is none of the files'.
    """
    known = [file.name for file in files]
    for name in named:
        if name not in known:
            raise UserError(
                f"options.files: {name!r} is no file of this set. {nearest(name, known)}"
            )
    out: list[File] = []
    for file in files:
        place = named.get(file.name)
        if place is None and mirror is not None:
            place = f"{mirror.rstrip('/')}/{file.name}"
        out.append(File(file.name, file.url, place, file.size))
    return out
