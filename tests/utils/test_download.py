"""Downloads against a server that misbehaves: resumed, checked, whole or absent."""

import email.utils
import json
import time
from dataclasses import replace

import pytest
from downloads import DATA, PATH, get, leftovers

from servers import Fault
from sslslr.utils.download.checksums import Checksums
from sslslr.utils.download.fetch import File, fetch, mirrored, part_of, place
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of


def test_a_file_is_fetched_once_and_recorded(server, tmp_path, settings):
    path = get(server, tmp_path, settings)
    assert path.read_bytes() == DATA
    assert leftovers(tmp_path / "cache") == ["archive.zip"]
    assert Checksums(settings.checksums).read()[server.url + PATH].sha256 == sha256_of(path)
    before = len(server.log)
    get(server, tmp_path, settings)
    assert len(server.log) == before  # verified from the disk


def test_a_file_that_was_changed_in_the_cache_is_refused_and_fetched_anew(
    server, tmp_path, settings
):
    path = get(server, tmp_path, settings)
    path.write_bytes(DATA[:-1] + b"x")
    with pytest.raises(UserError, match="sha256 is .* damaged, or the published file was changed"):
        get(server, tmp_path, settings)
    assert get(server, tmp_path, settings).read_bytes() == DATA


def test_a_published_file_that_changes_is_refused(server, tmp_path, settings):
    get(server, tmp_path, settings).unlink()
    server.files[PATH] = b"x" + DATA[1:]
    with pytest.raises(UserError, match=r"checksums\.lock has"):
        get(server, tmp_path, settings)
    assert leftovers(tmp_path / "cache") == []


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("tags", [True, False])
def test_a_cut_connection_goes_on_where_it_stopped(server, tmp_path, settings, tags, dated):
    server.tags, server.dated = tags, dated
    server.faults[PATH] = Fault(cut=200_000)
    assert get(server, tmp_path, settings).read_bytes() == DATA
    ranges = server.gets(PATH)
    # Without anything that tells versions apart it begins anew.
    assert ranges == [None, "bytes=200000-" if tags or dated else None]
    assert server.sent[PATH] == (len(DATA) if tags or dated else len(DATA) + 200_000)


def test_a_server_that_ignores_ranges(server, tmp_path, settings):
    server.ranges = False
    server.faults[PATH] = Fault(cut=200_000)
    assert get(server, tmp_path, settings).read_bytes() == DATA


def test_another_version_is_not_joined_to_the_part(server, tmp_path, settings):
    server.faults[PATH] = Fault(cut=100_000, times=1)
    with pytest.raises(UserError, match="the connection was cut"):
        get(server, tmp_path, replace(settings, tries=1))
    part = part_of(tmp_path / "cache" / "archive.zip")
    assert part.stat().st_size == 100_000
    server.files[PATH] = DATA[::-1]
    assert get(server, tmp_path, settings).read_bytes() == DATA[::-1]
    assert server.gets(PATH)[-1] == "bytes=100000-"  # it was asked for, with If-Range


def test_a_tag_that_changes_each_time_ends(server, tmp_path, settings):
    server.tags, server.dated = "changing", False
    server.faults[PATH] = Fault(cut=1000, times=-1)
    with pytest.raises(UserError, match="given up after 3 attempts"):
        get(server, tmp_path, settings)
    server.faults.clear()
    assert get(server, tmp_path, settings).read_bytes() == DATA


def test_a_part_that_is_whole_needs_no_bytes(server, tmp_path, settings):
    server.faults[PATH] = Fault(cut=100_000)
    with pytest.raises(UserError):
        get(server, tmp_path, replace(settings, tries=1))
    part_of(tmp_path / "cache" / "archive.zip").write_bytes(DATA)
    server.sent.clear()
    assert get(server, tmp_path, settings).read_bytes() == DATA
    assert server.sent[PATH] == 0


@pytest.mark.parametrize("notes", ["", "[1]", "not json", '{"url": 3}'])
def test_damaged_notes_of_a_part(server, tmp_path, settings, notes):
    part = part_of(tmp_path / "cache" / "archive.zip")
    part.parent.mkdir()
    part.write_bytes(b"something else" * 100)
    part.with_name(part.name + ".json").write_text(notes)
    assert get(server, tmp_path, settings).read_bytes() == DATA


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_errors_are_tried_again(server, tmp_path, settings, status):
    server.faults[PATH] = Fault(status=status, times=2)
    assert get(server, tmp_path, settings).read_bytes() == DATA
    assert len(server.gets(PATH)) == 3


def test_passing_errors_that_stay(server, tmp_path, settings):
    server.faults[PATH] = Fault(status=503, times=-1)
    with pytest.raises(UserError, match="503 .*given up after 3 attempts without progress"):
        get(server, tmp_path, settings)
    assert len(server.gets(PATH)) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_final_errors_are_said_at_once(server, tmp_path, settings, status):
    server.faults[PATH] = Fault(status=status, times=-1)
    with pytest.raises(UserError, match=f"the server says {status}"):
        get(server, tmp_path, settings)
    assert len(server.gets(PATH)) == 1


@pytest.mark.parametrize("form", ["1", "date"])
def test_the_server_may_ask_to_wait(server, tmp_path, settings, form):
    asked = "1" if form == "1" else email.utils.formatdate(time.time() + 2, usegmt=True)
    server.faults[PATH] = Fault(status=429, retry_after=asked)
    began = time.monotonic()
    get(server, tmp_path, settings)
    assert time.monotonic() - began > 0.9
    server.faults["/other"] = Fault(status=503, retry_after="86400", times=-1)
    with pytest.raises(UserError, match="asks to wait more than 300 s"):
        get(server, tmp_path, settings, "/other")


def test_a_silent_server(server, tmp_path, settings):
    server.faults[PATH] = Fault(slow=1.0, times=-1)
    with pytest.raises(UserError, match="silent for too long"):
        get(server, tmp_path, replace(settings, timeout=0.2, tries=2))


def test_nobody_answers(tmp_path, settings):
    file = File("a", "http://127.0.0.1:9/a")
    with pytest.raises(UserError, match="refused"):
        fetch([file], tmp_path / "cache", replace(settings, tries=2))


@pytest.mark.parametrize("page", ["typed", "silent"])
def test_a_web_page_instead_of_the_file(server, tmp_path, settings, page):
    server.faults[PATH] = Fault(page=page, times=-1)
    with pytest.raises(UserError, match="a web page instead of the file.*name your copy"):
        get(server, tmp_path, settings)
    assert "archive.zip" not in leftovers(tmp_path / "cache")


def test_wrong_lengths(server, tmp_path, settings):
    with pytest.raises(UserError, match="announces 307200 bytes, but 5 were expected"):
        get(server, tmp_path, settings, size=5)
    server.head = False
    server.faults[PATH] = Fault(length=len(DATA) + 7, times=-1)
    with pytest.raises(UserError, match="given up after"):
        get(server, tmp_path, settings)
    server.faults[PATH] = Fault(length=len(DATA) - 7, times=-1)
    server.head = True
    with pytest.raises(UserError, match="announces 307193 bytes, but 307200 were expected"):
        get(server, tmp_path, settings)
    assert "archive.zip" not in leftovers(tmp_path / "cache")


def test_a_server_without_head(server, tmp_path, settings):
    server.head = False
    assert get(server, tmp_path, settings).read_bytes() == DATA


def test_an_empty_file(server, tmp_path, settings):
    server.files["/empty"] = b""
    assert get(server, tmp_path, settings, "/empty").read_bytes() == b""


def test_https_alone(server, tmp_path, settings):
    strict = replace(settings, allow_http=False)
    with pytest.raises(UserError, match=r"refused, because it is not HTTPS.*allow_http"):
        get(server, tmp_path, strict)
    assert server.log == []
    for url in ("ftp://host/a", "file:///etc/passwd", "https:///a", "javascript://x"):
        with pytest.raises(UserError, match="not an address that can be fetched"):
            fetch([File("a", url)], tmp_path / "cache", settings)


def test_redirects(server, tmp_path, settings, monkeypatch):
    server.faults["/moved"] = Fault(redirect=PATH, times=-1)
    assert get(server, tmp_path, settings, "/moved").read_bytes() == DATA
    server.faults["/loop"] = Fault(redirect="/loop", times=-1)
    with pytest.raises(UserError, match="redirected more than"):
        get(server, tmp_path, settings, "/loop")
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/a"):
        server.faults["/bad"] = Fault(redirect=target, times=-1)
        with pytest.raises(UserError, match="not an address that can be fetched"):
            get(server, tmp_path, settings, "/bad")


def test_a_redirect_from_https_to_http_is_refused(server, tmp_path, settings, monkeypatch):
    from sslslr.utils.download import addresses

    checked = []

    def check(url, allow_http, real=addresses.check_address):
        checked.append(url)
        # The first address stands for one with TLS; what it leads to is judged as it is.
        return None if len(checked) == 1 else real(url, False)

    server.faults["/secure"] = Fault(redirect=server.url + PATH, times=-1)
    monkeypatch.setattr("sslslr.utils.download.fetch.check_address", check)
    monkeypatch.setattr("sslslr.utils.download.http.check_address", check)
    server.head = False
    with pytest.raises(UserError, match="refused, because it is not HTTPS"):
        get(server, tmp_path, settings, "/secure")


def test_a_mirror_and_named_copies(server, tmp_path, settings):
    published = [File("a.zip", "https://example.org/a.zip"), File("b.csv", "https://example.org/b")]
    copy = tmp_path / "mine.csv"
    copy.write_text("x,y\n")
    files = mirrored(published, server.url + "/m/", {"b.csv": str(copy)})
    server.files["/m/a.zip"] = DATA
    a, b = fetch(files, tmp_path / "cache", settings)
    assert (a.read_bytes(), b.read_text()) == (DATA, "x,y\n")
    assert set(Checksums(settings.checksums).read()) == {f.url for f in published}
    # Another mirror has to have the same bytes.
    a.unlink()
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.zip").write_bytes(b"other")
    with pytest.raises(UserError, match="a.zip: sha256 is .*It is not used"):
        fetch(mirrored(published[:1], str(tmp_path / "disk"), {}), tmp_path / "cache", settings)
    assert (tmp_path / "disk" / "a.zip").exists()  # the user's own file stays
    with pytest.raises(UserError, match="there is no such file; it was named as a copy of"):
        fetch(mirrored(published[:1], None, {"a.zip": "/none"}), tmp_path / "cache", settings)
    with pytest.raises(UserError, match=r"'A\.zip' is no file of this set. Did you mean 'a\.zip'"):
        mirrored(published, None, {"A.zip": "x"})


def test_files_get_their_names_in_the_jobs_folder(server, tmp_path, settings):
    path = get(server, tmp_path, settings)
    place([path], tmp_path / "raw")
    place([path], tmp_path / "raw")
    assert (tmp_path / "raw" / "archive.zip").read_bytes() == DATA


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0" * 64 + " 5 https://h/a", "line 1: the file ends within it"),
        ("0" * 63 + " 5 https://h/a\n", "line 1: it is not `sha256 bytes address`"),
        ("# fine\n\n<<<<<<< HEAD\n", "line 3"),
        (f"{'0' * 64} 5 https://h/a\n{'1' * 64} 5 https://h/a\n", "a second sum of https://h/a"),
        ("\x00\x01\n", "line 1"),
    ],
)
def test_a_damaged_lock_file_is_said_before_the_download(server, tmp_path, settings, text, message):
    settings.checksums.parent.mkdir(exist_ok=True)
    settings.checksums.write_text(text)
    with pytest.raises(UserError, match=message):
        get(server, tmp_path, settings)
    assert server.log == []
    assert settings.checksums.read_text() == text


def test_the_notes_say_which_version(server, tmp_path, settings):
    server.faults[PATH] = Fault(cut=1000)
    with pytest.raises(UserError):
        get(server, tmp_path, replace(settings, tries=1))
    notes = json.loads((tmp_path / "cache" / "archive.zip.part.json").read_text())
    assert notes["total"] == len(DATA)
    assert notes["ETag"] == server.tag_of(PATH)


def test_a_file_that_came_damaged_is_fetched_anew(server, tmp_path, settings):
    looked = []

    def check(path):
        looked.append(path.stat().st_size)
        if len(looked) == 1:
            raise ValueError("half of it is zero")

    file = File("archive.zip", server.url + PATH)
    assert fetch([file], tmp_path / "cache", settings, check=check)[0].read_bytes() == DATA
    assert looked == [len(DATA)] * 2
