"""The authors' `lsfb-dataset` client, made safe to interrupt and to repeat.

`lsfb_dataset.Downloader` knows which files there are and how they are asked for; it does both here.
What it leaves out is added around it: a file is received in a folder apart and looked at (the client
would keep half a file, and skip it the next time), passing errors are tried again, ids of the server
cannot name a path elsewhere, a clip that the server lacks does not stop the others, and only the
clips of the wanted signs are fetched.
"""

import copy
import json
import os
import re
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sslslr.datasets._lsfb_files import (
    METADATA,
    PACKAGE,
    PARTS,
    PLAIN,
    SOURCE,
    SPLITS,
    read_instances,
    read_signs,
)
from sslslr.errors import UserError
from sslslr.http_client import PAGE, PASSING, Settings, check_address
from sslslr.npz import plain_array
from sslslr.progress import advancing

HOPELESS = 20  # files in a row that fail, after which the rest is not tried


class Absent(Exception):
    """The server does not have the file."""


class Broken(Exception):
    """What came is not the file; worth another attempt."""


def client_class() -> Any:
    """The package's Downloader.

    Raises:
        UserError: it is not installed, or is another version than the one that is known here.
    """
    try:
        from lsfb_dataset import Downloader
    except ImportError:
        raise UserError(
            f"data set 'lsfb_isol' is fetched by the authors' package; install it: "
            f"`pip install {PACKAGE}`."
        ) from None
    known = (
        "_download_file",
        "_download_files",
        "_get_metadata_origins",
        "_get_instances",
        "download",
    )
    if absent := [name for name in known if not hasattr(Downloader, name)]:
        raise UserError(
            f"this version of lsfb-dataset has no Downloader.{absent[0]}; install `{PACKAGE}`."
        )
    return Downloader


def fetch(folder: Path, source: str | None, labels: int | None, raw: bool, settings: Settings):
    """Bring the metadata and the poses of the wanted signs into `folder`; goes on where it stopped.

    Returns:
        The files that the server does not have, of those that were asked for.

    Raises:
        UserError: metadata that cannot be had; or poses, after which the rest is there.
    """
    base = client_class()
    source = (source or SOURCE).rstrip("/")
    check_address(source, settings.allow_http)

    class Client(base):
        """The authors' client with the steps that touch the disk replaced."""

        def _get_metadata_origins(self) -> list[str]:
            return [origin for origin in super()._get_metadata_origins() if origin in METADATA]

        def _get_instances(self) -> None:
            super()._get_instances()
            if bad := [name for name in self.instances if not PLAIN.fullmatch(str(name))]:
                raise UserError(f"{source}: clip id {bad[0]!r} is no plain name; refused.")
            signs, instances = read_signs(folder, labels), read_instances(folder)
            wanted = (i for i in self.instances if i in instances and instances[i][0] in signs)
            self.instances = sorted(wanted)

        def _download_files(self, origins: list[str], title: str = "", unit: str = "files") -> None:
            needed = not self.instances  # the metadata, which come first
            jobs.run(self, origins, title, needed)

        def receive(self, origin: str, into: Path) -> None:
            other = copy.copy(self)
            other.destination = into
            base._download_file(other, origin)

    folder.mkdir(parents=True, exist_ok=True)
    staging = folder / ".staging"
    shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
    jobs = _Jobs(folder, staging, settings)
    try:
        Client(
            "isol",
            str(folder),
            splits=list(SPLITS),
            landmarks=list(PARTS),
            include_cleaned_poses=not raw,
            include_raw_poses=raw,
            max_parallel_connections=settings.parallel,
            source=source,
            timeout=settings.timeout,
        ).download()
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return sorted(jobs.absent)


class _Jobs:
    """Files side by side, each tried until it is whole, absent or given up."""

    def __init__(self, folder: Path, staging: Path, settings: Settings):
        self._folder, self._staging, self._settings = folder, staging, settings
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._in_a_row = 0
        self.absent: list[str] = []
        self._failed: list[str] = []

    def run(self, client: Any, origins: Sequence[str], title: str, needed: bool) -> None:
        missing = [origin for origin in origins if not (self._folder / origin).is_file()]
        self._settings.say(f"{title}: {len(missing)} of {len(origins)} files to fetch.")
        with (
            advancing("files", len(missing)) as advance,
            ThreadPoolExecutor(max(1, self._settings.parallel)) as pool,
        ):
            jobs = [pool.submit(self._one, client, origin, advance) for origin in missing]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if self._failed:
            more = f" and {len(self._failed) - 3} more" if len(self._failed) > 3 else ""
            more += "; the rest was not tried" if self._stop.is_set() else ""
            raise UserError(
                f"{len(self._failed)} of {len(origins)} files could not be fetched: "
                f"{'; '.join(self._failed[:3])}{more}. What came is kept: run the same command again."
            )
        if needed and self.absent:
            raise UserError(
                f"{client.source}/{self.absent[0]}: not there (404, or a web page instead of the file). "
                "Is `source` the folder that holds instances.csv?"
            )

    def _one(self, client: Any, origin: str, advance: Any) -> None:
        if self._stop.is_set():
            return
        into = self._staging / str(threading.get_ident())
        into.mkdir(parents=True, exist_ok=True)
        why = ""
        for attempt in range(self._settings.tries):
            if attempt and self._stop.wait(self._settings.backoff * 2 ** (attempt - 1)):
                return
            try:
                self._receive(client, origin, into)
                self._in_a_row = 0
                break
            except Absent:
                with self._lock:
                    self.absent.append(origin)
                break
            except Broken as error:
                why = str(error)
        else:
            with self._lock:
                self._failed.append(f"{origin} ({why})")
                self._in_a_row += 1
                if self._in_a_row >= HOPELESS:
                    self._stop.set()
        advance(1)

    def _receive(self, client: Any, origin: str, into: Path) -> None:
        import requests

        received = into / origin
        received.unlink(missing_ok=True)
        try:
            client.receive(origin, into)
        except requests.RequestException as error:
            raise Broken(_reason(error)) from None
        except FileNotFoundError as error:
            status = re.search(r"HTTP status \((\d+)\)", str(error))
            if status and int(status[1]) in PASSING:
                raise Broken(f"the server says {status[1]}") from None
            if status is None or int(status[1]) in (404, 410):
                raise Absent from None
            raise UserError(f"{client.source}/{origin}: the server says {status[1]}.") from None
        except OSError as error:
            raise UserError(f"{received}: cannot be written ({error.strerror}).") from None
        check_content(received)
        target = self._folder / origin
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(received, target)


def check_content(file: Path) -> None:
    """Raise Broken or Absent where a received file is not what its ending says."""
    data = file.read_bytes()
    if PAGE.match(data[:200]):
        raise Absent
    try:
        if file.suffix == ".npy":
            plain_array(data)
        elif file.suffix == ".json":
            json.loads(data)
        elif not data.endswith(b"\n") and b"\n" not in data:
            raise ValueError("no table")
    except (ValueError, EOFError) as error:
        raise Broken(f"came damaged: {str(error)[:80]}") from None


def _reason(error: Exception) -> str:
    text = str(error)
    if "timed out" in text:
        return "the server was silent for too long"
    if "IncompleteRead" in text or "aborted" in text or "reset" in text:
        return "the connection was cut"
    return f"the connection failed, {type(error).__name__}"
