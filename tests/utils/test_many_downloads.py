"""Many files, many processes, kills and full disks: what is there is whole, and recorded once."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial

import pytest
from downloads import DATA, PATH, get, leftovers

from disks import read_only, small_disk
from servers import Fault
from sslslr.utils.download.checksums import Checksums
from sslslr.utils.download.fetch import File, fetch
from sslslr.utils.errors import UserError


def test_one_file_that_fails_does_not_stop_the_others(server, tmp_path, settings):
    server.files |= {f"/{i}": bytes([i]) * 5000 for i in range(6)}
    server.faults["/2"] = Fault(status=404, times=-1)
    server.faults["/4"] = Fault(page="typed", times=-1)
    files = [File(f"f{i}", f"{server.url}/{i}") for i in range(6)]
    with pytest.raises(UserError) as caught:
        fetch(files, tmp_path / "cache", settings)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "/2: the server says 404" in lines[0]
    assert "/4: the server sent a web page" in lines[1]
    assert [n for n in leftovers(tmp_path / "cache") if "part" not in n] == ["f0", "f1", "f3", "f5"]


def test_files_come_side_by_side(server, tmp_path, settings):
    for i in range(4):
        server.files[f"/{i}"] = b"x"
        server.faults[f"/{i}"] = Fault(slow=0.5)
    files = [File(f"f{i}", f"{server.url}/{i}") for i in range(4)]
    began = time.monotonic()
    fetch(files, tmp_path / "cache", settings)
    assert time.monotonic() - began < 1.6


def test_the_disk_is_looked_at_ahead(server, tmp_path, settings):
    with small_disk(tmp_path / "small", "size=200k") as disk:
        with pytest.raises(UserError, match=r"307.2 kB are to be fetched, but only .* are free"):
            fetch([File("a", server.url + PATH)], disk, settings)
        assert server.gets() == []


def test_a_disk_that_fills_up_keeps_the_part(server, tmp_path, settings, monkeypatch):
    monkeypatch.setattr("sslslr.utils.download.fetch._check_space", lambda folder, wanted: None)
    with small_disk(tmp_path / "small", "size=200k") as disk:
        with pytest.raises(UserError, match="No space left on device.*what was fetched is kept"):
            fetch([File("a", server.url + PATH)], disk, settings)
        assert "a" not in leftovers(disk)


def test_a_folder_that_cannot_be_written(server, tmp_path, settings):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserError, match="cannot be made"):
        get(server, tmp_path, settings)


def test_a_read_only_place(server, tmp_path, settings, monkeypatch):
    with read_only(tmp_path / "ro") as folder:
        server.files["/small"] = b"x"
        monkeypatch.setattr("sslslr.utils.download.fetch.SPARE", 0)
        with pytest.raises(UserError, match="cannot be locked"):
            fetch([File("a", server.url + "/small")], folder, settings)
        with pytest.raises(UserError, match="cannot be|not writable"):
            get(server, tmp_path, replace(settings, checksums=folder / "sums.lock"))
        with pytest.raises(UserError, match="cannot be|not writable"):
            get(server, tmp_path, replace(settings, checksums=folder / "deep" / "sums.lock"))


KILLED = """
import sys
from functools import partial
from pathlib import Path
from sslslr.utils.download.fetch import File, fetch
from sslslr.utils.download.http import DownloadSettings
url, folder = sys.argv[1:]
settings = DownloadSettings(checksums=Path(folder, "c", "lock"), allow_http=True, tries=3, backoff=0.01)
print(fetch([File("archive.zip", url)], Path(folder, "cache"), settings)[0])
"""


def run_child(server, tmp_path):
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, server.url + PATH, str(tmp_path)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        # A shell's background job ignores it, and so would all that it starts.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_and_resumed(server, tmp_path, how):
    server.files[PATH] = DATA * 40  # 25 seconds: the kill is always in the middle
    server.pace = 0.002
    child = run_child(server, tmp_path)
    part = tmp_path / "cache" / "archive.zip.part"
    deadline = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size > 300_000):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(how)
    child.wait(timeout=20)
    assert child.returncode != 0
    assert not (tmp_path / "cache" / "archive.zip").exists()
    had = part.stat().st_size
    sent = -1
    while sent != server.sent[PATH]:  # the server notices at its next block but one
        sent = server.sent[PATH]
        time.sleep(0.1)
    server.pace = 0
    server.sent.clear()
    done = run_child(server, tmp_path)
    _, err = done.communicate(timeout=30)
    assert done.returncode == 0, err
    assert (tmp_path / "cache" / "archive.zip").read_bytes() == DATA * 40
    assert server.sent[PATH] == len(DATA) * 40 - had


def test_two_processes_at_once_fetch_a_file_once(server, tmp_path):
    server.pace = 0.001
    children = [run_child(server, tmp_path) for _ in range(3)]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0]
    assert server.sent[PATH] == len(DATA)
    assert len(Checksums(tmp_path / "c" / "lock").read()) == 1


def test_many_processes_record_at_once(tmp_path):
    lock = Checksums(tmp_path / "lock")
    files = []
    for i in range(12):
        files.append(tmp_path / f"{i}")
        files[-1].write_text(str(i))
    threads = [
        threading.Thread(target=lock.verify, args=(f"https://h/{file.name}", file))
        for file in files
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lock.read()) == 12
    keys = [line.split()[2] for line in lock.path.read_text().splitlines() if line[0] != "#"]
    assert keys == sorted(keys)


def test_a_list_of_very_many_files_may_lack_some(server, tmp_path, settings):
    """LSFB-ISOL: no line a file in the lock, no question for its size, and no stop at an absent one."""
    server.files |= {f"/deep/{i}": bytes([i]) * 3000 for i in range(6)}
    server.faults["/deep/2"] = Fault(status=404, times=-1)
    server.faults["/deep/3"] = Fault(status=503)
    files = [File(f"deep/{i}", f"{server.url}/deep/{i}") for i in range(6)]
    said = []

    def again():
        quiet = replace(settings, say=said.append)
        return fetch(files, tmp_path / "cache", quiet, missing="list", recorded=False)

    assert [path.name for path in again()] == ["0", "1", "3", "4", "5"]
    assert "The server lacks 1 files, e.g. deep/2." in said
    assert not settings.checksums.exists()
    assert [method for method, _, _ in server.log] == ["GET"] * 7
    server.log.clear()
    again()
    assert len(server.log) == 1  # the absent one alone is asked for again
    with pytest.raises(UserError, match="deep/2: the server says 404"):
        fetch(files, tmp_path / "cache", settings, recorded=False)
