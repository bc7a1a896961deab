"""Hostile and broken inputs: each gives one clear line, none stops the others, nothing is left.

`CLIPS` are files of clips, all put into one folder beside good ones; `ARCHIVES` are refused as a
whole; `MEMBERS` are damaged members of an archive that is fine otherwise; `TABLES` are tables of
labels; `DOWNLOADS` are answers of a server, all fetched in one go.
"""

import contextlib
import io
import os
import pickle
import pickletools
import re
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from openhands_toys import npy, pickled, pose, zipped
from servers import Fault, serving
from sslslr.archives import Limits, extract, open_members
from sslslr.clips import ClipStore
from sslslr.datasets import build
from sslslr.download import File, fetch
from sslslr.errors import UserError
from sslslr.http_client import Settings
from sslslr.unpickle import UnsafePickle, load

MARK = "PWNED"  # a file that the hostile ones would make, in the folder they are read in


class Calls:
    """Pickles as a call of `function(*arguments)`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def calling(function, *arguments, protocol=4):
    return pickle.dumps({"keypoints": Calls(function, *arguments)}, protocol=protocol)


def raw(text):
    """A pickle of protocol 0 from its instructions."""
    return text.encode("latin1")


def array_state(shape, dtype="f8", data=b"", fortran=False, kind="numpy.core"):
    """A pickle of an array with the state that is given, as numpy would write it."""
    parts = [
        b"\x80\x04",
        f"c{kind}.multiarray\n_reconstruct\n".encode(),
        b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R",
        b"(K\x01",
        _plain(shape),
        b"cnumpy\ndtype\n" + _plain(dtype) + b"\x89\x88\x87R(K\x03" + _plain("<") + b"NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
        b"\x88" if fortran else b"\x89",
        _plain(data),
        b"tb.",
    ]
    return b"".join(parts)


def _plain(value):
    """Instructions that push a value, without memory or frames."""
    data = pickletools.optimize(pickle.dumps(value, 2))
    return data[2:-1]


def deep(levels):
    return b"\x80\x04" + b"]" * levels + b"a" * (levels - 1) + b"."


def object_array(item):
    array = np.empty((2, 75, 2), dtype=object)
    array[:] = item
    return pickle.dumps({"keypoints": array})


def npy_header(text, data=b""):
    header = text.encode() + b" " * ((64 - (10 + len(text) + 1) % 64) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


FINE = pickled()
GOOD = np.full((4, 75, 2), 0.5, dtype=np.float32)
# name: (file, bytes, what the reason says)
CLIPS = {
    # pickles that would run something
    "os_system": ("pkl", calling(os.system, f"touch {MARK}"), r"asks for posix\.system"),
    "eval": ("pkl", calling(eval, f"open('{MARK}', 'w')"), r"asks for builtins\.eval"),
    "exec": ("pkl", calling(exec, f"open('{MARK}', 'w')"), r"asks for builtins\.exec"),
    "open": ("pkl", calling(open, MARK, "w"), r"asks for (_io|io)\.open"),
    "getattr": ("pkl", calling(getattr, "x", "join"), r"asks for builtins\.getattr"),
    "import": ("pkl", calling(__import__, "os"), r"asks for builtins\.__import__"),
    "protocol_0": ("pkl", raw(f"cos\nsystem\n(S'touch {MARK}'\ntR."), r"asks for os\.system"),
    "inst": ("pkl", raw(f"(S'touch {MARK}'\nios\nsystem\n."), "instruction INST"),
    "obj": ("pkl", raw(f"(cos\nsystem\nS'touch {MARK}'\no."), "instruction OBJ"),
    "newobj": ("pkl", b"\x80\x02cos\nsystem\n)\x81.", "instruction NEWOBJ"),
    "reduce_chain": (
        "pkl",
        raw(f"cbuiltins\ngetattr\n(cos\nenviron\nS'get'\ntR(S'touch {MARK}'\ntR."),
        r"asks for builtins\.getattr",
    ),
    "dotted_name": ("pkl", b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "asks for numpy"),
    "numpy_load": ("pkl", raw("cnumpy\nload\n(S'x'\ntR."), r"asks for numpy\.load"),
    "numpy_runstring": (
        "pkl",
        raw("cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR."),
        "asks for numpy.testing",
    ),
    "codecs_decode": ("pkl", raw("c_codecs\ndecode\n(S'x'\nS'zlib'\ntR."), "asks for _codecs"),
    "codecs_encode_rot": ("pkl", raw("c_codecs\nencode\n(Vx\nS'rot13'\ntR."), "unknown encoding"),
    "extension": ("pkl", b"\x80\x02\x82\x01.", "instruction EXT1"),
    "persistent": ("pkl", raw("Pfile\n."), "instruction PERSID"),
    "out_of_band": ("pkl", b"\x80\x05\x97.", "instruction NEXT_BUFFER"),
    "change_a_function": (
        "pkl",
        raw("c_codecs\nencode\n(dS'__call__'\nI1\nsb."),
        "tries to change a function",
    ),
    "change_a_type": ("pkl", raw("cnumpy\nndarray\n(dS'x'\nI1\nsb."), "tries to change a function"),
    "call_a_type": ("pkl", raw("cnumpy\nndarray\n((I9999999999\nttR."), "not a sound pickle"),
    "holds_a_function": ("pkl", raw("(S'keypoints'\nc_codecs\nencode\nd."), "it holds a function"),
    # object arrays
    "callables": ("pkl", object_array(print), "not of numbers|asks for builtins.print"),
    "object_array": ("pkl", object_array("text"), "array of type object"),
    "structured": (
        "pkl",
        pickle.dumps({"keypoints": np.zeros(3, dtype=[("a", "f8")])}),
        "array of (type|an unknown)|compound",
    ),
    "text_array": (
        "pkl",
        pickle.dumps({"keypoints": np.array(["a"])}),
        "array of (type|an unknown)",
    ),
    # memory
    "huge_shape": ("pkl", array_state((10**11, 75, 2)), "in 0 bytes"),
    "huge_product": ("pkl", array_state((2**39, 2**39, 2**39)), "in 0 bytes"),
    "negative_shape": ("pkl", array_state((-1, 75, 2)), "impossible shape"),
    "true_shape": ("pkl", array_state((True, 75, 2)), "impossible shape"),
    "many_axes": ("pkl", array_state((1,) * 60), "impossible shape"),
    "data_too_short": ("pkl", array_state((2, 75, 2), data=b"12345678"), "in 8 bytes"),
    "zeros_of_a_billion": ("pkl", raw("cbuiltins\nbytearray\n(I9999999999\ntR."), "bytearray of"),
    "memo_of_a_billion": ("pkl", b"\x80\x04Nr\xff\xff\xff\x7f.", "fill the memory"),
    "frame_of_a_billion": (
        "pkl",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\x00\x00N.",
        "not a pickle|not a sound",
    ),
    "bytes_of_a_billion": ("pkl", b"\x80\x04\x8e\xff\xff\xff\xff\x00\x00\x00\x00x.", "cut short"),
    "digits": ("pkl", b"L" + b"9" * 5000 + b"L\n.", "cut short|not a sound"),
    "deep": ("pkl", deep(5000), "deep"),
    "holds_itself": ("pkl", b"\x80\x04]\x94h\x00a.", "holds itself|no array called"),
    "laughs": (
        "pkl",
        b"\x80\x04]\x94" + b"".join(b"]\x94(h%ch%ce" % (i, i) for i in range(60)) + b".",
        "deep|no array called",
    ),
    # pickles that are no keypoints
    "empty": ("pkl", b"", "not a pickle"),
    "cut": ("pkl", FINE[: len(FINE) // 2], "cut short"),
    "followed": ("pkl", FINE + b"more", "something follows its end"),
    "garbage": ("pkl", os.urandom(0) + bytes(range(256)) * 4, "refused|not a pickle|sound"),
    "html": ("pkl", b"<!DOCTYPE html><html></html>", "not a pickle|refused"),
    "a_list": ("pkl", pickle.dumps([1, 2]), "no array called keypoints"),
    "no_keypoints": ("pkl", pickle.dumps({"kp": 1}), "no array called keypoints"),
    "scalar_keypoints": ("pkl", pickle.dumps({"keypoints": np.float64(1)}), "no array called"),
    "two_axes": ("pkl", pickle.dumps({"keypoints": np.zeros((3, 75))}), "keypoints of shape"),
    "no_axes": ("pkl", pickle.dumps({"keypoints": np.array(1.0)}), "keypoints of shape"),
    "76_joints": ("pkl", pickled(joints=76), r"keypoints of shape \(frames, 76, 3\)"),
    "4_coordinates": ("pkl", pickled(coordinates=4), r"\(frames, 75, 4\)"),
    "other_confidences": (
        "pkl",
        pickle.dumps({**pose(), "confidences": np.ones((8, 74))}),
        "confidences that do not go with",
    ),
    "text_confidences": (
        "pkl",
        pickle.dumps({**pose(), "confidences": "high"}),
        "confidences that",
    ),
    "no_frame": ("pkl", pickled(frames=0), "no frame"),
    "one_frame": ("pkl", pickled(frames=1), "only 1 frame"),
    "all_missing": ("pkl", pickle.dumps({**pose(), "confidences": np.zeros((8, 75))}), "all NaN"),
    "infinite": (
        "pkl",
        pickle.dumps({"keypoints": np.full((4, 75, 2), np.inf)}),
        "infinite|all NaN",
    ),
    "beyond_float": (
        "pkl",
        pickle.dumps({"keypoints": np.full((4, 75, 2), 1e300)}),
        "infinite|all NaN",
    ),
    "pixels": ("pkl", pickle.dumps({"keypoints": np.full((4, 75, 2), 300.0)}), "in pixels"),
    # arrays
    "npy_objects": ("npy", npy(np.array([{}], dtype=object)), "Object arrays"),
    "npy_is_a_pickle": ("npy", calling(os.system, f"touch {MARK}"), "not a sound .npy"),
    "npy_huge": (
        "npy",
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 75, 2), }"),
        "needs 119999999998800 bytes",
    ),
    "npy_negative": (
        "npy",
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 75, 2), }"),
        "not a sound .npy",
    ),
    "npy_code_in_header": (
        "npy",
        npy_header(f"__import__('os').system('touch {MARK}')"),
        "not a sound",
    ),
    "npy_long_header": ("npy", npy_header("(" * 60_000), "not a sound"),
    "npy_cut": ("npy", npy(GOOD)[:-7], "needs 2400 bytes, the file has 2393"),
    "npy_followed": ("npy", npy(GOOD) + b"x", "needs 2400 bytes"),
    "npy_empty": ("npy", b"", "not a sound .npy"),
    "npy_future": ("npy", b"\x93NUMPY\x09\x00\x00\x00", "not a sound .npy"),
    "npy_is_a_zip": ("npy", zipped({"a": b"x"}), "not a sound .npy"),
    "npy_whole_numbers": ("npy", npy(np.zeros((4, 75, 2), int)), "holds int64"),
    "npy_flat": ("npy", npy(np.zeros((4, 150))), "holds float64 of shape"),
    "npy_nan": ("npy", npy(GOOD * np.nan), "all NaN"),
    "npy_infinite": ("npy", npy(GOOD * np.inf), "infinite"),
    "npy_pixels": ("npy", npy(GOOD * 500), "in pixels"),
    # pose-format
    "pose_empty": ("pose", b"", "not a sound .pose"),
    "pose_garbage": ("pose", bytes(range(256)) * 8, "not a sound .pose"),
    "pose_text": ("pose", b"hello", "not a sound .pose"),
    # other kinds
    "unknown_kind": ("txt", b"x", r"\.txt: not one of"),
}


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


SYMLINK = (stat.S_IFLNK | 0o777) << 16
BOMB = zipped({f"{i}.pkl": bytes(4_000_000) for i in range(6)})
ARCHIVES = {
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
    "tar_gz_cut": (tar_with("a", mode="w:gz")[:-20], "not a sound zip or tar archive"),
}
TABLES = {
    "empty": (b"", "cannot be read as a csv"),
    "header_alone": (b"clip_id,gloss\n", "no clip was left"),
    "no_gloss": (b"clip_id\ngood_0\n", "column 'gloss' is missing"),
    "no_id": (b"gloss\na\n", "needs a column 'file' or 'clip_id'"),
    "utf_16": (
        "clip_id,gloss\ngood_0,a\n".encode("utf-16"),
        "not in UTF-8.*Save it as a csv in UTF-8",
    ),
    "binary": (bytes(range(256)), "not in UTF-8.*Save it as a csv in UTF-8"),
    "zero_bytes": (b"clip_id,gloss\ngood\0_0,a\n", "no clip was left|cannot be read"),
    "outside": (b"file,gloss\n../../../etc/passwd,a\n", "no clip was left.*its file is missing"),
    "absolute": (b"file,gloss\n/etc/passwd,a\n", "no clip was left.*its file is missing"),
    "speed": (b"clip_id,gloss,fps\ngood_0,a,fast\n", "fps 'fast' is not a number"),
    "videos": (b"file,gloss\na.mp4,a\n", "make pose"),
    "splits": (b"clip_id,gloss,split\ngood_0,a,holdout\n", "split 'holdout' is not one of"),
    "absent": (None, "there is no such file"),
}
DOWNLOADS = {
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
MEMBERS = 4  # of test_damaged_members


def test_there_are_enough():
    assert len(CLIPS) + len(ARCHIVES) + len(TABLES) + len(DOWNLOADS) + MEMBERS >= 110


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path, monkeypatch):
    """Whatever is read in the test is read in a folder that must not get the mark."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path(MARK).exists()


@pytest.mark.parametrize("name", ["os_system", "eval", "exec", "open", "protocol_0", "inst"])
def test_the_hostile_pickles_are_hostile(name):
    """Else the table would prove nothing: the plain reader does run them."""
    pickle.loads(CLIPS[name][1])
    assert Path(MARK).exists()
    Path(MARK).unlink()


def test_all_bad_clips_at_once_do_not_stop_the_good(tmp_path):
    folder, rows = tmp_path / "mine", ["file,clip_id,gloss,split"]
    folder.mkdir()
    for i, (name, (ending, data, _)) in enumerate(CLIPS.items()):
        (folder / f"{name}.{ending}").write_bytes(data)
        rows.append(f"{name}.{ending},{name},bad,train")
        if i % 10 == 0:  # good ones between them
            (folder / f"good_{i}.npy").write_bytes(npy(GOOD))
            rows.append(f"good_{i}.npy,good_{i},fine,test")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    build("x", "local", {"folder": str(folder)}, tmp_path / "s", say=lambda line: None)
    store = ClipStore.open(tmp_path / "s")
    assert set(store.clips["gloss"]) == {"fine"}
    assert len(store) == -(-len(CLIPS) // 10)
    reasons = {drop["clip_id"]: drop["reason"] for drop in store.card["dropped"]["clips"]}
    assert set(reasons) == set(CLIPS)
    for name, (_, _, said) in CLIPS.items():
        assert re.search(said, reasons[name]), f"{name}: {reasons[name]}"
        assert "\n" not in reasons[name]
        assert len(reasons[name]) < 250, name
    counts = {row["split"]: row for row in store.card["counts"]}
    assert counts["train"]["expected"] == len(CLIPS)
    assert counts["train"]["kept"] == 0


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_that_are_refused(name, tmp_path):
    data, said = ARCHIVES[name]
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / f"{name}.zip"
    file.write_bytes(data)
    limits = Limits(members=50, free=10_000_000)
    for read in (
        lambda: open_members(file, limits).__enter__(),
        lambda: extract(file, tmp_path / "out" / "x", limits),
    ):
        with pytest.raises(UserError, match=said) as caught:
            read()
        assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "out" / "x").exists()
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
    with pytest.raises(UserError, match="twice|encrypted|cannot be read"):
        extract(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", TABLES)
def test_tables(name, tmp_path):
    data, said = TABLES[name]
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "good_0.npy").write_bytes(npy(GOOD))
    if data is not None:
        (folder / "labels.csv").write_bytes(data)
    with pytest.raises(UserError, match=said) as caught:
        build("x", "local", {"folder": str(folder)}, tmp_path / "s", say=lambda line: None)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "s").exists()


def test_all_bad_downloads_at_once(tmp_path):
    with serving(
        {f"/{name}": b"x" * 5000 for name in DOWNLOADS} | {"/good": b"y" * 5000}
    ) as server:
        server.faults = {f"/{name}": fault for name, (fault, _) in DOWNLOADS.items()}
        files = [File(name, f"{server.url}/{name}") for name in [*DOWNLOADS, "good"]]
        files.append(File("http", "ftp://127.0.0.1/a"))
        settings = Settings(
            checksums=tmp_path / "lock",
            allow_http=True,
            tries=2,
            backoff=0.01,
            timeout=0.8,
            parallel=8,
            say=lambda line: None,
        )
        with pytest.raises(UserError) as caught:
            fetch(files, tmp_path / "cache", settings)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(DOWNLOADS) + 1
    by_place = dict(line.split(": ", 1) for line in lines)
    for name, (_, said) in DOWNLOADS.items():
        place = "file:///etc/passwd" if name == "elsewhere" else f"{server.url}/{name}"
        assert re.search(said, by_place[place])
    whole = [
        p.name
        for p in (tmp_path / "cache").iterdir()
        if p.suffix not in (".part", ".json", ".lock")
    ]
    assert whole == ["good"]


def test_pickles_cannot_change_what_reads_the_next():
    for _, data, _ in CLIPS.values():
        with contextlib.suppress(UnsafePickle):
            load(data)
    held = pose()
    read = load(pickle.dumps(held))
    np.testing.assert_array_equal(read["keypoints"], held["keypoints"])
