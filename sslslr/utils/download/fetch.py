"""Fetching files over HTTPS: resumed, checked, and whole under their names or not there at all.

`fetch` takes a list of files and a folder that outlives the job (a cache: Snakemake deletes the
outputs of a job that failed). A file grows as `NAME.part` beside `NAME.part.json`, which holds what
the server said of it (address, ETag, Last-Modified, length); the next run asks for the rest of the
same version with `Range` and `If-Range`, and begins anew where the server has another one. A file
that is whole is checked against `config/checksums.lock` (`sslslr/utils/download/checksums.py`) and renamed.
"""

import concurrent.futures
import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sslslr.utils.archives import ENDINGS, open_members
from sslslr.utils.download.addresses import check_address, public
from sslslr.utils.download.checksums import Checksums, locked
from sslslr.utils.download.http import GO_ON, AbsentError, Client, DownloadSettings
from sslslr.utils.errors import UserError, nearest
from sslslr.utils.files import atomic_file, sha256_of
from sslslr.utils.progress import advancing, size_text
from sslslr.utils.user_files import at_home, name_fault

AGAIN = ", or remove its line there if the file that came first was the wrong one."
SPARE = 64_000_000  # bytes that are to stay free on the disk
HOPELESS = 20  # files in a row that fail, after which the rest is not tried
SHOWN = 15  # files that are named, of those that failed


@dataclass(frozen=True)
class File:
    """A published file.

    Attributes:
        name: what it is called in the folder, a plain path within it.
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


def fetch(
    files: Sequence[File],
    folder: str | Path,
    settings: DownloadSettings,
    *,
    missing: Literal["error", "list"] = "error",
    recorded: bool = True,
    check: Callable[[Path], None] = lambda path: None,
) -> list[Path]:
    """Bring files into `folder`; those that are there already are checked, not fetched again.

    Args:
        missing: "list" leaves out the files that the server does not have, and says how many.
        recorded: each file has its line in the checksums. False for sets of very many small files,
            of which the caller records one sum: they are not asked for their size, nor read again.
        check: raises ValueError for a file that came damaged; it is then fetched anew.

    Returns:
        The paths of the files that are there, in order.

    Raises:
        UserError: one line for each file that could not be had. The others are there, and what was
            fetched of the rest goes on from where it stopped.
    """
    folder = Path(folder)
    names = [file.name for file in files]
    if len(set(names)) != len(names) or any(name_fault(n) or n[0] == "." for n in names):
        raise ValueError(f"names must be plain and differ: {names[:20]}")
    Checksums(settings.checksums).read()  # a damaged lock file is said before an hour of download
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    # Two processes that want one file: the second waits, and finds it whole.
    waiting = f"{folder}: another process fetches into it; waiting."
    with locked(folder / ".fetch.lock", lambda: settings.say(waiting)):
        job = _Fetch(folder, settings, recorded, check, missing == "list")
        paths = job.run(files)
    if job.absent:
        settings.say(f"The server lacks {len(job.absent)} files, e.g. {job.absent[0].name}.")
    return paths


class _Fetch:
    """One call of :func:`fetch`: files side by side, each whole, absent or given up."""

    def __init__(
        self,
        folder: Path,
        settings: DownloadSettings,
        recorded: bool,
        check: Callable[[Path], None],
        lists_absent: bool,
    ):
        self._folder, self._settings = folder, settings
        self._recorded, self._check, self._lists_absent = recorded, check, lists_absent
        self._checksums, self._client = Checksums(settings.checksums), Client(settings)
        self.absent: list[File] = []
        self._problems: list[str] = []
        self._untried = 0

    def run(self, files: Sequence[File]) -> list[Path]:
        wanted = []
        for file in files:
            with self._collected(file):
                if not file.is_local:
                    check_address(file.place, self._settings.allow_http)
                wanted.append(file)
        sizes: dict[File, int | None] = {}
        if self._recorded:
            sizes = self._each(lambda file, _: self._size(file), wanted)
            wanted = [file for file in wanted if file in sizes]
        remaining = sum(max(0, n - self._have(file)) for file, n in sizes.items() if n)
        _check_space(self._folder, remaining)
        total = remaining if all(size is not None for size in sizes.values()) else None
        title = f"{len(wanted)} files" if len(wanted) > 1 else "".join(f.name for f in wanted)
        if total:
            self._settings.say(f"{title}: {size_text(total)} to fetch.")
        amount = total or None if self._recorded else len(wanted)
        with advancing(title, amount, in_bytes=self._recorded) as advance:

            def one(file: File, stop: threading.Event) -> Path:
                if self._recorded:
                    return self._one(file, sizes[file], advance, stop)
                path = self._one(file, None, lambda step: None, stop)
                advance(1)
                return path

            paths = self._each(one, wanted)
        if self._problems:
            lines = self._problems[:SHOWN]
            if rest := len(self._problems) - len(lines) + self._untried:
                untried = f", {self._untried} of them untried" if self._untried else ""
                lines.append(f"{rest} more failed{untried}.")
            raise UserError("\n".join(lines))
        return [paths[file] for file in files if file in paths]

    @contextlib.contextmanager
    def _collected(self, file: File) -> Iterator[None]:
        try:
            yield
        except AbsentError as error:
            if self._lists_absent:
                self.absent.append(file)
            else:
                self._problems.append(str(error))
        except UserError as error:
            self._problems.append(str(error))

    def _each(self, work: Callable[[File, threading.Event], Any], files: Sequence[File]) -> dict:
        """`work(file, stop)` for all, side by side; a file that fails does not stop the others."""
        stop, results, in_a_row = threading.Event(), {}, 0
        with concurrent.futures.ThreadPoolExecutor(max(1, self._settings.parallel)) as pool:
            jobs = [(file, pool.submit(work, file, stop)) for file in files]
            try:
                for number, (file, job) in enumerate(jobs, start=1):
                    problems = len(self._problems)
                    with self._collected(file):
                        results[file] = job.result()
                    in_a_row = in_a_row + 1 if len(self._problems) > problems else 0
                    if in_a_row >= HOPELESS and number < len(jobs):
                        self._untried = len(jobs) - number
                        stop.set()
                        pool.shutdown(wait=True, cancel_futures=True)
                        break
            except BaseException:  # Ctrl-C: the threads end at their next block
                stop.set()
                self._settings.say(f"Stopped; what was fetched is kept: {GO_ON}")
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return results

    def _have(self, file: File) -> int:
        """Bytes of a file that are on the disk already, whole or in part."""
        target = self._folder / file.name
        return next((p.stat().st_size for p in (target, part_of(target)) if p.is_file()), 0)

    def _size(self, file: File) -> int | None:
        """Bytes of a file, asked ahead; None where the server does not tell."""
        if (self._folder / file.name).is_file():
            return (self._folder / file.name).stat().st_size
        if file.is_local:
            return _local(file).stat().st_size
        if (recorded := self._checksums.expected(file.url)) is not None:
            return recorded.size
        return file.size if file.size is not None else self._client.size(file.place)

    def _one(
        self,
        file: File,
        size: int | None,
        advance: Callable[[int], None],
        stop: threading.Event,
    ) -> Path:
        target = self._folder / file.name
        other = file.is_local and target.is_file() and not _local(file).samefile(target)
        if other and sha256_of(_local(file)) != sha256_of(target):
            target.unlink()  # another copy was named since
        if target.is_file():
            self._accept(file, target)
        elif file.is_local:
            source = _local(file)
            if self._checksums.expected(file.url) is None:
                _check_archive(source)
            if self._recorded:
                self._checksums.verify(file.url, source, f"Name another copy{AGAIN}")
            link_or_copy(source, target)
        else:
            part = part_of(target)
            with _explained(target):
                part.parent.mkdir(parents=True, exist_ok=True)
            self._client.download(file.place, part, size, advance, stop, self._check)
            self._accept(file, part)
            with _explained(target):
                os.replace(part, target)
        return target

    def _accept(self, file: File, path: Path) -> None:
        """Check the sum; what differs is removed, so that the next run fetches it anew."""
        notes = path.with_name(path.name + ".json")
        try:
            if self._recorded:
                advice = f"It was removed; fetch it again{AGAIN}"
                self._checksums.verify(file.url, path, advice)
        except UserError:
            path.unlink(missing_ok=True)
            notes.unlink(missing_ok=True)
            raise
        notes.unlink(missing_ok=True)


def part_of(target: Path) -> Path:
    """Where a file grows until it is whole."""
    return target.with_name(target.name + ".part")


def _local(file: File) -> Path:
    path = at_home(file.place)
    if not path.is_file():
        raise UserError(
            f"{path}: there is no such file; it was named as a copy of {public(file.url)}."
        )
    return path


def _check_space(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if wanted and wanted + SPARE > free:
        raise UserError(
            f"{folder}: {size_text(wanted)} are to be fetched, but only {size_text(free)} are free on "
            "that disk. Free some space, or name another folder for the downloads."
        )


def _check_archive(path: Path) -> None:
    """A zip or tar that cannot be opened must not become the sum that all others are held against."""
    if path.name.endswith(ENDINGS):
        with open_members(path):
            pass


@contextlib.contextmanager
def _explained(target: Path) -> Iterator[None]:
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
    with atomic_file(target) as temporary:
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


def mirrored(files: Sequence[File], mirror: str | None, named: dict[str, str]) -> list[File]:
    """The files, with the places that the user gave instead of the published ones.

    Args:
        mirror: an address or a folder that holds files of the same names.
        named: file name to an address or a file, before the mirror.

    Raises:
        UserError: a name that is none of the files'.
    """
    names = [file.name for file in files]
    for name in named:
        if name not in names:
            raise UserError(
                f"options.files: {name!r} is no file of this set. {nearest(name, names)}"
            )
    out: list[File] = []
    for file in files:
        source = named.get(file.name)
        if source is None and mirror is not None:
            source = f"{mirror.rstrip('/')}/{file.name}"
        out.append(File(file.name, file.url, source, file.size))
    return out
