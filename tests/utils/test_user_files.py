"""Opening what somebody else wrote or named: regular files alone, inside, bounded, one line else."""

import os
import socket

import pytest

from sslslr.utils.errors import UserError
from sslslr.utils.files import read_json
from sslslr.utils.user_files import (
    UserFileError,
    files_and_links,
    name_fault,
    open_user_file,
    read_user_bytes,
    read_user_text,
    shown,
)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "mine"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.npy").write_bytes(b"fine")
    (folder / "deep" / "é.npy").write_bytes(b"fine")
    (tmp_path / "secret").write_text("secret")
    (folder / "inside").symlink_to("a.npy")
    (folder / "outside").symlink_to("../secret")
    (folder / "etc").symlink_to("/etc")
    (folder / "loop").symlink_to("loop")
    (folder / "gone").symlink_to("nothing")
    (folder / "round").symlink_to(".")
    os.mkfifo(folder / "pipe")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "socket"))
    server.close()
    return folder


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nothing", "there is no such file"),
        ("gone", "there is no such file"),
        ("loop", "link that leads to itself|Symbolic link loop|levels of symbolic links"),
        ("pipe", "is a pipe, not a regular file"),
        ("socket", "is a socket"),
        ("deep", "is a folder"),
        (".", "is a folder"),
        ("a.npy/x", "cannot be opened|no such file"),
        ("a\0.npy", "has a control character"),
        ("\udcff.npy", "there is no such file"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_what_is_refused(folder, name, why):
    with pytest.raises(UserFileError, match=why) as caught:
        open_user_file(folder / name)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    message.encode()  # it can be written to a log
    assert len(message) < 800


@pytest.mark.parametrize("name", ["a.npy", "deep/é.npy", "inside", "./a.npy", "round/a.npy"])
def test_what_lies_within_is_read(folder, name):
    assert read_user_bytes(folder / name) == b"fine"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        (".", "is empty"),
        ("../secret", "leads out of the folder"),
        ("deep/../../secret", "leads out of the folder"),
        ("/etc/passwd", "is absolute"),
        ("a\n.npy", "has a control character"),
        ("\udcff.npy", "is no Unicode text"),
        ("C:/a.npy", "names a drive"),
        ("..\\secret", "has a backslash"),
        ("x" * 5000, "is too long"),
        ("deep/a.npy", ""),
    ],
)
def test_a_name_lies_plainly_within_its_folder_or_is_said_not_to(name, why):
    assert name_fault(name) == why


@pytest.mark.parametrize("place", ["/dev/zero", "/dev/null", "/dev/stdin"])
def test_a_device_is_not_read_wherever_it_is(place):
    with pytest.raises(UserFileError, match="not a regular file|cannot be opened"):
        read_user_bytes(place)


def test_sizes_are_looked_at_first(folder):
    with open(folder / "large", "wb") as stream:
        stream.truncate(1 << 40)  # a terabyte that takes no room
    with pytest.raises(UserFileError, match="has 1099511627776 bytes, at most"):
        read_user_bytes(folder / "large")
    with pytest.raises(UserFileError, match="has more than 10 bytes"):
        read_user_bytes("/proc/self/status", limit=10)  # says that it has none


def test_the_files_of_a_folder(folder):
    with open(os.fsencode(folder) + b"/\xff.npy", "wb"):
        pass
    names, _ = files_and_links(folder)
    assert names == ["a.npy", "deep/é.npy", "inside", "\udcff.npy"]
    assert [shown(name) for name in names][-1] == "\\xff.npy"


def test_text(folder):
    (folder / "t").write_bytes("\ufeffé".encode())
    assert read_user_text(folder / "t") == "é"
    (folder / "t").write_bytes("é".encode("utf-16"))
    with pytest.raises(UserFileError, match=r"not in UTF-8 \(byte 0xff at 0\)"):
        read_user_text(folder / "t")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("9" * 10_000, "not valid JSON"),
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
    ],
    ids=["deep_list", "deep_keys", "long_number", "cut", "empty"],
)
def test_json(folder, text, why):
    (folder / "j.json").write_text(text)
    with pytest.raises(UserError, match=why) as caught:
        read_json(folder / "j.json")
    assert len(str(caught.value).splitlines()) == 1
