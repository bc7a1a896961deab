"""Archives that would write elsewhere, are bombs, or are damaged; and members that are damaged alone."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from openhands_toys import pickled, zipped
from sslslr.utils.archives import Limits, open_members
from sslslr.utils.errors import UserError

FINE = pickled()


def zip_with(name, data=b"x", attributes=0, flags=0):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("placeholder")
        info.filename, info.external_attr = name, attributes
        archive.writestr(info, data)
    content = bytearray(stream.getvalue())
    if flags:  # in the local header and in the directory
        content[6] |= flags
        content[content.rindex(b"PK\x01\x02") + 8] |= flags
    return bytes(content)


def tar_with(name, kind=tarfile.REGTYPE, link="", mode="w"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        archive.addfile(info, io.BytesIO(b""))
    return stream.getvalue()


def tar_of_two(change):
    """A tar of two files whose second header, at byte 1024, is changed."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in ("a", "b"):
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
    data = bytearray(stream.getvalue())
    change(data)
    return bytes(data)


def flip(data):
    data[1024] ^= 1


def long_name(data):
    """A header that announces a name of a gigabyte."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    data[1024:1536] = header.tobuf()


SYMLINK = (stat.S_IFLNK | 0o777) << 16
BOMB = zipped({f"{i}.pkl": bytes(4_000_000) for i in range(6)})
CASES = {
    "slip": (zip_with("../evil.pkl"), "leads out of the folder"),
    "slip_inside": (zip_with("a/../../evil.pkl"), "leads out of the folder"),
    "absolute": (zip_with("/tmp/evil.pkl"), "is absolute"),
    "drive": (zip_with("C:/evil.pkl"), "names a drive"),
    "backslashes": (zip_with("..\\evil.pkl"), "has a backslash"),
    "zero_byte": (zip_with("a.pkl\0.txt"), "control character"),
    "newline": (zip_with("a\nb.pkl"), "control character"),
    "long_name": (zip_with("a" * 300 + ".pkl"), "is too long"),
    "empty_name": (zip_with(""), "is empty|damaged"),
    "symlink": (zip_with("link", b"/etc/passwd", SYMLINK), "is a link or a device"),
    "device": (zip_with("dev", b"", (stat.S_IFCHR | 0o666) << 16), "is a link or a device"),
    "bomb": (BOMB, "24.0 MB in an archive of .* refused as an archive bomb"),
    "members": (zipped({f"{i}.pkl": b"" for i in range(60)}), "60 members"),
    "cut": (zipped({"a.pkl": FINE})[:-30], "not a sound zip or tar archive"),
    "empty": (b"", "not a sound zip or tar archive"),
    "page": (b"<!DOCTYPE html><html></html>", "not a sound zip or tar archive"),
    "no_directory": (b"PK\x03\x04" + bytes(100), "not a sound zip or tar archive"),
    "wrong_directory": (
        zipped({"a.pkl": FINE}).replace(b"PK\x01\x02", b"PK\x01\x09"),
        "not a sound zip or tar archive",
    ),
    "tar_slip": (tar_with("../evil"), "leads out of the folder"),
    "tar_absolute": (tar_with("/tmp/evil"), "is absolute"),
    "tar_symlink": (tar_with("link", tarfile.SYMTYPE, "/etc/passwd"), "is a link or a device"),
    "tar_hard_link": (tar_with("link", tarfile.LNKTYPE, "/etc/passwd"), "is a link or a device"),
    "tar_device": (tar_with("dev", tarfile.CHRTYPE), "is a link or a device"),
    "tar_pipe": (tar_with("pipe", tarfile.FIFOTYPE), "is a link or a device"),
    "tar_header_damaged": (tar_of_two(flip), "bad checksum"),
    "tar_header_cut": (
        tar_of_two(lambda data: data.__delitem__(slice(1400, None))),
        "truncated header",
    ),
    "tar_name_of_a_gigabyte": (tar_of_two(long_name), "a header of 1.1 GB"),
    "tar_gz_cut": (tar_with("a", mode="w:gz")[:-20], "not a sound zip or tar archive"),
}


@pytest.mark.parametrize("name", CASES)
def test_archives_that_are_refused(name, tmp_path):
    data, said = CASES[name]
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / f"{name}.zip"
    file.write_bytes(data)
    limits = Limits(members=50, free=10_000_000)
    with pytest.raises(UserError, match=said) as caught, open_members(file, limits):
        pass
    assert len(str(caught.value).splitlines()) == 1
    assert [p.name for p in tmp_path.rglob("*") if "evil" in p.name] == []
    assert not Path("/tmp/evil").exists()
    assert not Path("/tmp/evil.pkl").exists()


def test_damaged_members(tmp_path):
    """One is encrypted, one damaged, one there twice, one too large; the last is read."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("locked.pkl", "flipped.pkl", "large.pkl", "fine.pkl"):
            archive.writestr(name, name.encode() * 50)
        archive.writestr("twice.pkl", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("twice.pkl", b"2")
    data = bytearray(stream.getvalue())
    at = data.index(b"locked.pkl") - 30
    data[at + 6] |= 1
    data[data.rindex(b"locked.pkl") - 46 + 8] |= 1
    data[data.index(b"flipped.pkl" * 3) + 205] ^= 255
    (tmp_path / "a.zip").write_bytes(data)
    with open_members(tmp_path / "a.zip") as members:
        assert members.read("fine.pkl") == b"fine.pkl" * 50
        for name, why in (
            ("locked.pkl", "is encrypted"),
            ("flipped.pkl", "is damaged .*CRC"),
            ("twice.pkl", "is in the archive twice"),
        ):
            with pytest.raises(UserError, match=f"'{name}' {why}"):
                members.read(name)
        with pytest.raises(UserError, match=r"'large\.pkl' is larger than 10 B"):
            members.read("large.pkl", limit=10)


def test_an_archive_that_asks_for_more_memory_than_there_is_is_one_line(tmp_path, monkeypatch):
    """LZMA's headers may ask for 4 GB; where memory is limited, Python raises then."""
    (tmp_path / "a.zip").write_bytes(zip_with("a"))

    def full(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(zipfile.ZipFile, "open", full)
    with (
        open_members(tmp_path / "a.zip") as members,
        pytest.raises(UserError, match="asks for more memory than there is"),
    ):
        members.read("a")
