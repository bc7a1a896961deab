"""`config/checksums.lock`: what the files were when they were fetched first, and must be ever after.

One line a file, sorted: sha256, bytes, and the address it is published under (a mirror's copy is held
against the same line). Several processes may record at once: a line is added under a lock,
and the file is replaced as a whole.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of, write_text

HEADER = (
    "# sha256, bytes and address of each downloaded file, recorded at its first download and verified\n"
    "# ever after. Remove a line only where you know that the published file was changed on purpose.\n"
)
LINE = re.compile(r"([0-9a-f]{64}) (\d{1,20}) (\S+)")


@dataclass(frozen=True)
class Sum:
    """A file's sha256 and its size in bytes."""

    sha256: str
    size: int


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock that threads and processes share, on a file that is made for it.

    Args:
        waiting: called where another holds it; this one then waits.

    Raises:
        UserError: the folder cannot be written.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
    except OSError as error:
        raise UserError(f"{path}: cannot be locked ({error.strerror or error}).") from None
    try:
        yield
    finally:
        lock.release()


class Checksums:
    """The lock file at `path`; it need not exist yet."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def read(self) -> dict[str, Sum]:
        """Address to sum, of every line.

        Raises:
            UserError: a line that is not one of ours, as in a file that was cut.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{self.path}: cannot be read ({error}).") from None
        if text and not text.endswith("\n"):
            raise self._damaged(len(text.splitlines()), "the file ends within it")
        sums: dict[str, Sum] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            match = LINE.fullmatch(line.strip())
            if match is None:
                raise self._damaged(number, "it is not `sha256 bytes address`")
            if sums.setdefault(match[3], Sum(match[1], int(match[2]))).sha256 != match[1]:
                raise self._damaged(number, f"a second sum of {match[3]}")
        return sums

    def _damaged(self, number: int, why: str) -> UserError:
        return UserError(
            f"{self.path}, line {number}: {why}. Restore the file (`git checkout {self.path}`) or "
            "remove that line; the download is then checked against nothing and recorded anew."
        )

    def expected(self, key: str) -> Sum | None:
        """What is recorded of the file published at `key`; None before its first download."""
        return self.read().get(key)

    def verify(self, key: str, file: str | Path, advice: str = "Fetch it again.") -> Sum:
        """Check a file against its line, or record the line where there is none.

        Raises:
            UserError: another content than at the first download.
        """
        found = Sum(sha256_of(file), Path(file).stat().st_size)
        self.verify_sum(key, found, str(file), advice)
        return found

    def verify_sum(self, key: str, found: Sum, name: str, advice: str = "Fetch it again.") -> None:
        """As :meth:`verify`, of a sum that was taken already; `name` is how errors call the file."""
        if "\n" in key or " " in key:
            raise ValueError(f"{key!r} cannot be a key of {self.path}")
        with locked(self.path.with_name(f".{self.path.name}.lock")):
            known = self.read()
            if key not in known:
                known[key] = found
                lines = [f"{s.sha256} {s.size} {k}\n" for k, s in sorted(known.items())]
                write_text(self.path, HEADER + "".join(lines))
                return
        if known[key] != found:
            raise UserError(
                f"{name}: sha256 is {found.sha256[:16]}... ({found.size} bytes), but {self.path} has "
                f"{known[key].sha256[:16]}... ({known[key].size} bytes) for {key}: damaged, or the "
                f"published file was changed. It is not used. {advice}"
            )
