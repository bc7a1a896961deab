"""One file over HTTP: what is asked, what is believed of the answer, and when it is tried again.

Permanent, said at once: 404 and its kind, a redirect to plain HTTP, a web page where a file was
expected, a length that is not the known one. Passing, tried again as `urllib3.Retry` counts and waits
(growing pauses, the server's Retry-After): 5xx, 429, a connection that is cut or silent. An attempt
that gained bytes does not count. User and password come from `.netrc` (see `addresses`).
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urljoin

from sslslr.utils.download.addresses import check_address, public
from sslslr.utils.download.notes import (
    content_range,
    notes_of,
    number_of,
    read_notes,
    same_version,
    strong_tag,
)
from sslslr.utils.errors import UserError
from sslslr.utils.files import write_json

BLOCK = 1 << 18
SMALL = 1 << 15  # bytes of a file that is not worth resuming
REDIRECTS = 10
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
ABSENT = frozenset({404, 410})
PAGE = re.compile(rb"\s*(<!doctype html|<html)", re.IGNORECASE)
# Lengths would mean nothing if the server compressed what it sends.
HEADERS = {"User-Agent": "sslslr", "Accept-Encoding": "identity"}
GO_ON = "run the same command again to go on."


@dataclass(frozen=True)
class DownloadSettings:
    """How to fetch.

    Attributes:
        cache: folder of whole and of partial downloads; None: `.downloads` beside the target.
        checksums: the lock file.
        parallel: files at once.
        allow_http: permit addresses without TLS, also as the target of a redirect.
        tries: attempts without a byte gained, before a file is given up.
        backoff: seconds, of which the pauses between attempts are multiples that double each time.
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


class AbsentError(UserError):
    """The server does not have the file."""


class Passing(Exception):
    """Worth another attempt; `answer` is what the server said, where it said something."""

    def __init__(self, why: str, answer: Any = None):
        super().__init__(why)
        self.answer = answer


class Client:
    """Requests with the rules of `settings`; each thread has connections of its own."""

    def __init__(self, settings: DownloadSettings):
        self._settings, self._local = settings, threading.local()

    def size(self, url: str) -> int | None:
        """Bytes of a file, by a HEAD request; None where the server does not tell."""

        def ask() -> int | None:
            with self._request("HEAD", url, {}) as answer:
                # Some servers answer GET alone; that will say what is wrong.
                if answer.status_code in (403, 404, 405, 501) or _is_page(answer, b""):
                    return None
                _check_status(answer, url)
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    return None
                return number_of(answer.headers.get("Content-Length"))

        return self._persist(ask, url, lambda: 0, Event())

    def download(
        self,
        url: str,
        part: Path,
        size: int | None,
        advance: Callable[[int], None],
        stop: Event,
        check: Callable[[Path], None] = lambda part: None,
    ) -> None:
        """Complete `part`, from what is there of the same version of the file.

        Args:
            check: raises ValueError where the whole file is not what it should be: fetched anew.

        Raises:
            UserError: what went wrong for good; the part stays for the next run.
        """

        def attempt() -> None:
            self._attempt(url, part, size, advance, stop)
            try:
                check(part)
            except ValueError as error:
                part.unlink()
                raise Passing(f"came damaged: {str(error)[:80]}") from None

        have = lambda: part.stat().st_size if part.exists() else 0  # noqa: E731
        self._persist(attempt, url, have, stop)

    def _persist(
        self, attempt: Callable[[], Any], url: str, have: Callable[[], int], stop: Event
    ) -> Any:
        import requests
        import urllib3

        tries, longest = self._settings.tries, self._settings.longest_wait
        fresh = urllib3.Retry(tries - 1, backoff_factor=self._settings.backoff, backoff_max=longest)
        retry, best = fresh, have()
        while True:
            answer = None
            try:
                return attempt()
            except Passing as error:
                why, answer = str(error), error.answer
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                why = _reason(error)
            except OSError as error:
                what = f"{error.filename or 'the file'}: cannot be written ({error.strerror})"
                raise UserError(f"{public(url)}: {what}; what was fetched is kept.") from None
            # A file that changes with every answer must not count as going on.
            if have() > best:
                retry, best = fresh, have()
            try:
                retry = retry.increment("GET", "", answer)
            except urllib3.exceptions.MaxRetryError:
                raise UserError(
                    f"{public(url)}: {why}; given up after {tries} attempts without progress. What was "
                    f"fetched is kept: {GO_ON}"
                ) from None
            pause = _asked_pause(retry, answer) or retry.get_backoff_time()
            if pause > longest:
                raise UserError(
                    f"{public(url)}: the server asks to wait more than {longest:.0f} s; try again later."
                )
            if stop.wait(pause):
                raise UserError(f"{public(url)}: interrupted; {GO_ON}")

    def _request(self, method: str, url: str, headers: dict[str, str]) -> Any:
        """An answer, redirects followed one by one, each address checked."""
        import requests

        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        for _ in range(REDIRECTS):
            answer = self._local.session.request(
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
            location = answer.headers["Location"]
            try:
                url = urljoin(url, location)
            except ValueError:  # what no address is; refused in the next line
                url = location
            check_address(url, self._settings.allow_http)
        raise UserError(f"{public(url)}: redirected more than {REDIRECTS} times.")

    def _attempt(
        self, url: str, part: Path, size: int | None, advance: Callable[[int], None], stop: Event
    ) -> None:
        notes = part.with_name(part.name + ".json")
        known = read_notes(notes, url)
        tag = strong_tag(known)
        # Without a tag the rest of another version would be joined to it.
        have = part.stat().st_size if tag and part.exists() else 0
        headers = {"Range": f"bytes={have}-", "If-Range": tag} if have and tag else {}
        with self._request("GET", url, headers) as answer:
            if answer.status_code == 416:  # nothing behind what is there
                if content_range(answer)[1] == have == known.get("total"):
                    return
                part.unlink(missing_ok=True)
                raise Passing("the server has no such range; beginning anew")
            _check_status(answer, url)
            resumed = answer.status_code == 206
            fresh = notes_of(url, answer, have if resumed else 0)
            if resumed and (content_range(answer)[0] != have or not same_version(known, fresh)):
                part.unlink(missing_ok=True)
                raise Passing("the file changed on the server; beginning anew")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise UserError(
                    f"{public(url)}: the server sends it compressed, although it was asked not to."
                )
            total = fresh["total"]
            if size is not None and total is not None and total != size:
                _check_page(answer, answer.raw.read1(200) if not resumed else b"", url)
                raise UserError(
                    f"{public(url)}: the server announces {total} bytes, but {size} were expected."
                )
            if not resumed:
                advance(-have)
                have = 0
                notes.unlink(missing_ok=True)
                if total is None or total > SMALL:
                    write_json(notes, fresh)
            _receive(answer, url, part, have, advance, stop)
        _check_length(url, part, total if total is not None else size)


def _check_status(answer: Any, url: str) -> None:
    status = answer.status_code
    said = f"the server says {status} {answer.reason}"
    if status in PASSING:
        raise Passing(said, answer.raw)
    if status >= 300:
        raise (AbsentError if status in ABSENT else UserError)(f"{public(url)}: {said}.")


def _check_page(answer: Any, first: bytes, url: str) -> None:
    if _is_page(answer, first):
        raise AbsentError(
            f"{public(url)}: the server sent a web page instead of the file: the address is out of date, "
            "or a login or a consent is asked for. Open it in a browser, fetch the file by hand "
            "and name your copy in the data set's options."
        )


def _receive(
    answer: Any, url: str, part: Path, have: int, advance: Callable[[int], None], stop: Event
) -> None:
    with open(part, "r+b" if have else "wb") as stream:
        stream.seek(have)
        stream.truncate()
        first = have == 0
        # Not iter_content, which fills a block before it hands it on: cut on the way, it is lost.
        while block := answer.raw.read1(BLOCK):
            if first:
                _check_page(answer, block[:200], url)
                first = False
            stream.write(block)
            advance(len(block))
            if stop.is_set():
                raise UserError(f"{public(url)}: interrupted; {GO_ON}")
        if first:
            _check_page(answer, b"", url)


def _check_length(url: str, part: Path, expected: int | None) -> None:
    size = part.stat().st_size
    if expected is None or size == expected:
        return
    if size < expected:
        raise Passing(f"the connection ended after {size} of {expected} bytes")
    part.unlink()
    raise UserError(f"{public(url)}: {size} bytes came, but {expected} were announced. Not used.")


def _is_page(answer: Any, first: bytes) -> bool:
    """Is this a web page, by what the server says or by its first bytes?"""
    kind = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml") or PAGE.match(first) is not None


def _reason(error: Exception) -> str:
    """What a library's error says, in a few words (its own hold the address, with what is secret)."""
    import requests
    import urllib3

    text = str(error)
    timeouts = requests.Timeout | urllib3.exceptions.TimeoutError
    if isinstance(error, timeouts) or "Read timed out" in text:
        return "the server was silent for too long"
    if isinstance(error, requests.exceptions.SSLError):
        why = re.search(r"\[SSL[^]]*\][^()]*", text)
        return f"no trusted TLS connection ({why[0].strip() if why else 'the handshake failed'})"
    if isinstance(error, urllib3.exceptions.ProtocolError) or "IncompleteRead" in text:
        return "the connection was cut"
    if "refused" in text:
        return "the connection was refused"
    if "resolve" in text or "Name or service" in text:
        return "the host's name could not be resolved (is there a network?)"
    return f"the connection failed ({type(error).__name__})"


def _asked_pause(retry: Any, answer: Any) -> float | None:
    """Seconds that the server asks to wait; None where it does not, or says no number nor date."""
    import urllib3

    try:
        return retry.get_retry_after(answer) if answer is not None else None
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None
