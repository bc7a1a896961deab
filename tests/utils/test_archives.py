"""Archives that are fine: zip, tar and folders read alike, by member or as a whole."""

import io
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_toys import zipped
from sslslr.utils.archives import check_name, open_members
from sslslr.utils.errors import UserError

FILES = {"a.txt": b"one", "deep/b.txt": b"two" * 100_000, "deep/\u00e9\u03b1.txt": b""}


def tarred(mode):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, data in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


@pytest.fixture(params=["zip", "stored", "tar", "gz", "bz2", "xz", "folder"])
def archive(request, tmp_path):
    path = tmp_path / "archive"
    if request.param == "folder":
        for name, data in FILES.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
        return path
    kinds = {"zip": zipfile.ZIP_DEFLATED, "stored": zipfile.ZIP_STORED}
    if request.param in kinds:
        path.write_bytes(zipped(FILES, kinds[request.param]))
    else:
        path.write_bytes(tarred("w" if request.param == "tar" else f"w:{request.param}"))
    return path


def test_members(archive):
    with open_members(archive) as members:
        assert sorted(members.names) == sorted(FILES)
        for name in [*FILES, *reversed(FILES)]:
            assert members.read(name) == FILES[name]
        with pytest.raises(UserError, match="'c' is not in the archive"):
            members.read("c")


def test_a_member_of_ones_own_folder_that_leads_outside_cannot_be_asked_for(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("x")
    with open_members(tmp_path / "in") as members, pytest.raises(UserError):
        members.read("../secret")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_a_name_that_is_accepted_stays_inside(name):
    from pathlib import PurePosixPath, PureWindowsPath

    try:
        check_name(name, "a.zip")
    except UserError:
        return
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind(name)
        assert not path.is_absolute()
        assert not path.drive
        assert ".." not in path.parts
