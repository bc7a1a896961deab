"""A file server on the loopback that misbehaves as it is told, for tests."""

import base64
import contextlib
import email.utils
import hashlib
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sslslr.utils.download.http import DownloadSettings

PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>no file here</body></html>"


def download_settings(folder: Path, **changes: Any) -> DownloadSettings:
    """How a test fetches from `serving`: a cache and sums in `folder`, patient for milliseconds, silent."""
    usual: dict[str, Any] = {
        "cache": folder / "cache",
        "checksums": folder / "checksums.lock",
        "allow_http": True,
        "tries": 3,
        "backoff": 0.01,
        "timeout": 5,
        "say": lambda line: None,
    }
    return DownloadSettings(**{**usual, **changes})


@dataclass
class Fault:
    """What goes wrong with a path, in its first `times` GET answers (-1: in all).

    Attributes:
        status: an error status instead of the file.
        retry_after: header sent with it.
        cut: the connection is closed after this many bytes of the answer.
        length: Content-Length that is claimed.
        page: an HTML page instead of the file; "typed" says so in its type, "silent" does not.
        slow: seconds before the answer.
        redirect: address to go to.
    """

    times: int = 1
    status: int = 0
    retry_after: str = ""
    cut: int = -1
    length: int = -1
    page: str = ""
    slow: float = 0
    redirect: str = ""


class Server:
    """Files by path; `faults` by path; `log` of (method, path, Range header).

    Attributes:
        ranges: answer Range requests; False ignores them, as some servers do.
        tags: send an ETag; "changing" sends another one each time.
        dated: send Last-Modified.
        head: answer HEAD requests.
        pace: seconds between blocks of 1,000 bytes.
        password: `user:password` that is asked for; "" for nobody's.
    """

    def __init__(self, files=None):
        self.files, self.faults = dict(files or {}), {}
        self.log, self.sent = [], Counter()
        self.ranges, self.tags, self.dated, self.head, self.pace = True, True, True, True, 0.0
        self.password = ""
        self.changed = "Mon, 01 Jan 2024 00:00:00 GMT"
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def gets(self, path=None):
        """Range headers of the GET requests, of one path or all."""
        return [r for method, p, r in self.log if method == "GET" and path in (None, p)]

    def fault_of(self, path):
        with self.lock:
            fault = self.faults.get(path)
            if fault is None or fault.times == 0:
                return Fault(times=0)
            fault.times -= 1
            return fault

    def tag_of(self, path):
        if not self.tags:
            return None
        salt = str(time.monotonic_ns()) if self.tags == "changing" else ""
        return f'"{hashlib.sha256(self.files[path] + salt.encode()).hexdigest()[:16]}"'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def plain(self, status, headers=(), content=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def answer(self, body):
        server = self.server.owner
        path, asked = self.path, self.headers.get("Range")
        server.log.append((self.command, path, asked))
        if not body and not server.head:
            return self.plain(405)
        wanted = f"Basic {base64.b64encode(server.password.encode()).decode()}"
        if server.password and self.headers.get("Authorization") != wanted:
            return self.plain(401, [("WWW-Authenticate", "Basic")])
        fault = server.fault_of(path) if body else Fault(times=0)
        if fault.slow:
            time.sleep(fault.slow)
        if fault.redirect:
            return self.plain(302, [("Location", fault.redirect)])
        if fault.status:
            extra = [("Retry-After", fault.retry_after)] if fault.retry_after else []
            return self.plain(fault.status, extra)
        if fault.page:
            kind = "text/html; charset=utf-8" if fault.page == "typed" else "application/zip"
            return self.plain(200, [("Content-Type", kind)], PAGE)
        if path not in server.files:
            return self.plain(404)
        return self.file(server, path, asked, fault, body)

    def file(self, server, path, asked, fault, body):
        data, tag = server.files[path], server.tag_of(path)
        start, condition = 0, self.headers.get("If-Range")
        fresh = condition in (None, tag, server.changed if server.dated else None)
        if asked and server.ranges and fresh:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(data):
                return self.plain(416, [("Content-Range", f"bytes */{len(data)}")])
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "application/octet-stream")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if tag:
            self.send_header("ETag", tag)
        if server.dated:
            self.send_header("Last-Modified", server.changed)
        self.send_header("Date", email.utils.formatdate(usegmt=True))
        length = fault.length if fault.length >= 0 else len(data) - start
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if not body:
            return None
        rest = data[start:] if fault.cut < 0 else data[start : start + fault.cut]
        with contextlib.suppress(ConnectionError):
            for first in range(0, len(rest), 1000):
                self.wfile.write(rest[first : first + 1000])
                server.sent[path] += len(rest[first : first + 1000])
                if server.pace:
                    time.sleep(server.pace)
        if fault.cut >= 0 or fault.length >= 0:
            self.wfile.flush()
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(1)
        return None


@contextlib.contextmanager
def serving(files=None):
    """A `Server` of {path: bytes} that runs while the block does."""
    server = Server(files)
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.daemon_threads = True
    http.owner = server
    server.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
