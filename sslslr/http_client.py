"""One file over HTTP: what is asked, what is believed of the answer, and when it is tried again.

Permanent, said at once: 404 and its kind, a redirect to plain HTTP, a web page where a file was
expected, a length that is not the known one. Passing, tried again with growing pauses: 5xx, 429 (the
server's Retry-After is kept), a connection that is cut or silent. An attempt that gained bytes does
not count.
"""

import email.utils
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urljoin, urlsplit

from sslslr.errors import UserError
from sslslr.files import write_json

BLOCK = 1 << 18
REDIRECTS = 10
PASSING = {408, 425, 429, 500, 502, 503, 504}
PAGE = re.compile(rb"\s*(<!doctype html|<html)", re.IGNORECASE)
# Lengths would mean nothing if the server compressed what it sends.
HEADERS = {"User-Agent": "sslslr", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Settings:
    """How to fetch.

    Attributes:
        cache: folder of whole and of partial downloads; None: `.downloads` beside the target.
        checksums: the lock file.
        parallel: files at once.
        allow_http: permit addresses without TLS, also as the target of a redirect.
        tries: attempts without a byte gained, before a file is given up.
        backoff: seconds before the second attempt; doubled each time.
        timeout: seconds that a connection may be silent.
        longest_wait: seconds; a server that asks for more (Retry-After) is not waited for.
        accepted: ids of the licences that the user has accepted.
        say: receives each line that is meant for a person.
    """

    cache: Path | None = None
    checksums: Path = Path("config", "checksums.lock")
    parallel: int = 4
    allow_http: bool = False
    tries: int = 5
    backoff: float = 1.0
    timeout: float = 60.0
    longest_wait: float = 300.0
    accepted: tuple[str, ...] = ()
    say: Callable[[str], None] = field(default=print, repr=False)


def check_address(url: str, allow_http: bool) -> None:
    """Raise UserError for an address that is not HTTPS, or names no host."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"{url}: not an address that can be fetched; it must begin with https://.")
    if parts.scheme == "http" and not allow_http:
        raise UserError(
            f"{url}: refused, because it is not HTTPS and anyone on the way could change the file. "
            "Set downloads.allow_http: true (`--allow-http`) to fetch it nevertheless."
        )


class _Passing(Exception):
    """Worth another attempt; `wait` is what the server asked for, in seconds."""

    def __init__(self, why: str, wait: float | None = None):
        super().__init__(why)
        self.wait = wait


class Client:
    """Requests with the rules of `settings`; one for each file, so threads share nothing."""

    def __init__(self, settings: Settings):
        import requests

        self._settings, self._session = settings, requests.Session()

    def size(self, url: str) -> int | None:
        """Bytes of a file, by a HEAD request; None where the server does not tell."""

        def ask() -> int | None:
            with self._request("HEAD", url, {}) as answer:
                # Some servers answer GET alone; that will say what is wrong.
                if answer.status_code in (403, 404, 405, 501) or _is_page(answer, b""):
                    return None
                self._check_status(answer, url)
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    return None
                return _number(answer.headers.get("Content-Length"))

        return self._persist(ask, url, lambda: 0, Event())

    def download(
        self,
        url: str,
        part: Path,
        size: int | None,
        advance: Callable[[int], None],
        stop: Event,
    ) -> None:
        """Complete `part`, from what is there of the same version of the file.

        Raises:
            UserError: what went wrong for good; the part stays for the next run.
        """
        self._persist(
            lambda: self._attempt(url, part, size, advance, stop),
            url,
            lambda: part.stat().st_size if part.exists() else 0,
            stop,
        )

    def _persist(
        self, attempt: Callable[[], Any], url: str, have: Callable[[], int], stop: Event
    ) -> Any:
        import requests
        import urllib3

        failures, best = 0, have()
        while True:
            try:
                return attempt()
            except _Passing as error:
                why, wait = str(error), error.wait
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                why, wait = _reason(error), None
            except OSError as error:
                what = f"{error.filename or 'the file'}: cannot be written ({error.strerror})"
                raise UserError(f"{url}: {what}; what was fetched is kept.") from None
            # A file that changes with every answer must not count as going on.
            failures = 1 if have() > best else failures + 1
            best = max(best, have())
            if failures >= self._settings.tries:
                raise UserError(
                    f"{url}: {why}; given up after {failures} attempts without progress. What was "
                    "fetched is kept: run the same command again to go on."
                )
            pause = wait if wait is not None else self._settings.backoff * 2 ** (failures - 1)
            if pause > self._settings.longest_wait:
                raise UserError(f"{url}: the server asks to wait {pause:.0f} s; try again later.")
            if stop.wait(pause):
                raise UserError(f"{url}: interrupted; run the same command again to go on.")

    def _request(self, method: str, url: str, headers: dict[str, str]) -> Any:
        """An answer, redirects followed one by one, each address checked."""
        for _ in range(REDIRECTS):
            answer = self._session.request(
                method,
                url,
                headers={**HEADERS, **headers},
                stream=True,
                allow_redirects=False,
                timeout=self._settings.timeout,
            )
            if not (answer.is_redirect and answer.headers.get("Location")):
                return answer
            answer.close()
            url = urljoin(url, answer.headers["Location"])
            check_address(url, self._settings.allow_http)
        raise UserError(f"{url}: redirected more than {REDIRECTS} times.")

    def _check_status(self, answer: Any, url: str) -> None:
        status = answer.status_code
        if status in PASSING:
            raise _Passing(f"the server says {status} {answer.reason}", _retry_after(answer))
        if status >= 300:
            raise UserError(f"{url}: the server says {status} {answer.reason}.")

    def _check_page(self, answer: Any, first: bytes, url: str) -> None:
        if _is_page(answer, first):
            raise UserError(
                f"{url}: the server sent a web page instead of the file: the address is out of date, "
                "or a login or a consent is asked for. Open it in a browser, fetch the file by hand "
                "and name your copy in the data set's options."
            )

    def _attempt(
        self, url: str, part: Path, size: int | None, advance: Callable[[int], None], stop: Event
    ) -> None:
        notes = part.with_name(part.name + ".json")
        known = _read_notes(notes)
        have = part.stat().st_size if part.exists() else 0
        tag = _strong(known)
        if not known or known.get("url") != url or tag is None:
            have = 0  # the rest of another version would be joined to it
        headers = {"Range": f"bytes={have}-", "If-Range": tag} if have and tag else {}
        with self._request("GET", url, headers) as answer:
            if answer.status_code == 416:  # nothing behind what is there
                whole = _total(answer)
                if whole == have == known.get("total"):
                    return
                part.unlink(missing_ok=True)
                raise _Passing("the server has no such range; beginning anew")
            self._check_status(answer, url)
            resumed = answer.status_code == 206
            fresh = _notes(url, answer, have if resumed else 0)
            if resumed and (_start(answer) != have or not _same(known, fresh)):
                part.unlink(missing_ok=True)
                raise _Passing("the file changed on the server; beginning anew")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise UserError(
                    f"{url}: the server sends it compressed, although it was asked not to."
                )
            total = fresh["total"]
            if size is not None and total is not None and total != size:
                self._check_page(answer, answer.raw.read1(200) if not resumed else b"", url)
                raise UserError(
                    f"{url}: the server announces {total} bytes, but {size} were expected."
                )
            if not resumed:
                advance(-have)
                have = 0
                write_json(notes, fresh, noted=False)
            self._receive(answer, url, part, have, advance, stop)
        self._check_length(url, part, total if total is not None else size)

    def _receive(
        self,
        answer: Any,
        url: str,
        part: Path,
        have: int,
        advance: Callable[[int], None],
        stop: Event,
    ) -> None:
        with open(part, "r+b" if have else "wb") as stream:
            stream.seek(have)
            stream.truncate()
            first = have == 0
            # Not iter_content, which fills a block before it hands it on: cut on the way, it is lost.
            while block := answer.raw.read1(BLOCK):
                if first:
                    self._check_page(answer, block[:200], url)
                    first = False
                stream.write(block)
                advance(len(block))
                if stop.is_set():
                    raise UserError(f"{url}: interrupted; run the same command again to go on.")
            if first:
                self._check_page(answer, b"", url)

    def _check_length(self, url: str, part: Path, expected: int | None) -> None:
        found = part.stat().st_size
        if expected is None or found == expected:
            return
        if found < expected:
            raise _Passing(f"the connection ended after {found} of {expected} bytes")
        part.unlink()
        raise UserError(f"{url}: {found} bytes came, but {expected} were announced. Not used.")


def _is_page(answer: Any, first: bytes) -> bool:
    """Is this a web page, by what the server says or by its first bytes?"""
    kind = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml") or PAGE.match(first) is not None


def _reason(error: Exception) -> str:
    """What a library's error says, in a few words."""
    import requests
    import urllib3

    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "the server was silent for too long"
    if isinstance(error, requests.exceptions.SSLError):
        return f"no trusted TLS connection ({str(error)[:120]})"
    text = str(error)
    if "Read timed out" in text:
        return "the server was silent for too long"
    if isinstance(error, urllib3.exceptions.ProtocolError) or "IncompleteRead" in text:
        return "the connection was cut"
    if "refused" in text:
        return "the connection was refused"
    if "resolve" in text or "Name or service" in text:
        return "the host's name could not be resolved (is there a network?)"
    return f"the connection failed ({type(error).__name__})"


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _retry_after(answer: Any) -> float | None:
    """Seconds that the server asks to wait: a number, or a date."""
    text = answer.headers.get("Retry-After")
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _content_range(answer: Any) -> Any:
    return re.fullmatch(
        r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", answer.headers.get("Content-Range", "").strip()
    )


def _start(answer: Any) -> int | None:
    match = _content_range(answer)
    return int(match[1]) if match and match[1] else None


def _total(answer: Any) -> int | None:
    match = _content_range(answer)
    return _number(match[2]) if match else None


def _notes(url: str, answer: Any, have: int) -> dict[str, Any]:
    """What identifies this version of the file: kept beside the part."""
    total = _total(answer) if have else _number(answer.headers.get("Content-Length"))
    headers = ("ETag", "Last-Modified")
    return {"url": url, "total": total, **{name: answer.headers.get(name) for name in headers}}


def _same(known: dict[str, Any], fresh: dict[str, Any]) -> bool:
    """Do both describe one version? An answer to If-Range may leave the time out (RFC 9110)."""
    tags = ((known.get(name), fresh[name]) for name in ("ETag", "Last-Modified"))
    return known.get("total") == fresh["total"] and all(
        a == b for a, b in tags if a is not None and b is not None
    )


def _read_notes(path: Path) -> dict[str, Any]:
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _strong(notes: dict[str, Any]) -> str | None:
    """What `If-Range` may name: an ETag that is not weak, else the time of the last change."""
    tag, changed = notes.get("ETag"), notes.get("Last-Modified")
    if isinstance(tag, str) and tag.startswith('"'):
        return tag
    return changed if isinstance(changed, str) else None
