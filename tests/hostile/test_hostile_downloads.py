"""Answers of a server that are not the file, all fetched in one go."""

import re

import pytest

from servers import Fault, serving
from sslslr.utils.download.fetch import File, fetch
from sslslr.utils.download.http import DownloadSettings
from sslslr.utils.errors import UserError

CASES = {
    "404": (Fault(status=404, times=-1), "the server says 404"),
    "403": (Fault(status=403, times=-1), "the server says 403"),
    "500": (Fault(status=500, times=-1), "500 .*given up"),
    "429": (Fault(status=429, times=-1), "429 .*given up"),
    "wait": (Fault(status=503, retry_after="99999", times=-1), "asks to wait"),
    "page": (Fault(page="typed", times=-1), "a web page instead of the file"),
    "silent_page": (Fault(page="silent", times=-1), "a web page instead of the file"),
    "cut": (Fault(cut=0, times=-1), "given up after"),
    "long": (Fault(length=9000, times=-1), "announces 9000 bytes"),
    "short": (Fault(length=10, times=-1), "announces 10 bytes"),
    "slow": (Fault(slow=2, times=-1), "silent for too long"),
    "loop": (Fault(redirect="/loop", times=-1), "redirected more than"),
    "elsewhere": (Fault(redirect="file:///etc/passwd", times=-1), "not an address"),
}


def test_all_bad_downloads_at_once(tmp_path):
    with serving({f"/{name}": b"x" * 5000 for name in CASES} | {"/good": b"y" * 5000}) as server:
        server.faults = {f"/{name}": fault for name, (fault, _) in CASES.items()}
        files = [File(name, f"{server.url}/{name}") for name in [*CASES, "good"]]
        files.append(File("http", "ftp://127.0.0.1/a"))
        settings = DownloadSettings(
            checksums=tmp_path / "lock",
            allow_http=True,
            tries=2,
            backoff=0.01,
            timeout=1.2,
            parallel=8,
            say=lambda line: None,
        )
        with pytest.raises(UserError) as caught:
            fetch(files, tmp_path / "cache", settings)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(CASES) + 1
    by_place = dict(line.split(": ", 1) for line in lines)
    for name, (_, said) in CASES.items():
        place = "file:///etc/passwd" if name == "elsewhere" else f"{server.url}/{name}"
        assert re.search(said, by_place[place])
    whole = [
        p.name
        for p in (tmp_path / "cache").iterdir()
        if p.suffix not in (".part", ".json", ".lock") and p.name[0] != "."
    ]
    assert whole == ["good"]
