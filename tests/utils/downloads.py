"""A file on a server of the test's own, and how it is fetched, for the tests of downloads."""

from pathlib import Path

from sslslr.utils.download.fetch import File, fetch

DATA = bytes(range(256)) * 1200  # 307,200 bytes: more than one block
PATH = "/files/archive.zip"


def get(server, tmp_path, settings, path=PATH, **attributes):
    file = File(path.rpartition("/")[2], server.url + path, **attributes)
    return fetch([file], tmp_path / "cache", settings)[0]


def leftovers(folder):
    return sorted(p.name for p in Path(folder).iterdir() if not p.name.endswith(".lock"))
