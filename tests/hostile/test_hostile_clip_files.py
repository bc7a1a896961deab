"""Files of clips that would run something, fill the memory, or hold no keypoints.

All are put into one folder beside good ones, and none stops those.
"""

import contextlib
import os
import pickle
import pickletools
import re
from pathlib import Path

import numpy as np
import pytest

from hostile_bytes import npy_header
from openhands_toys import npy, pickled, pose, zipped
from sslslr.data.datasets import build
from sslslr.data.readers._unpickle import UnsafePickle, load
from sslslr.data.store import ClipStore

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


FINE = pickled()
GOOD = np.full((4, 75, 2), 0.5, dtype=np.float32)
# name: (file, bytes, what the reason says)
CASES = {
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
    "persistent": ("pkl", raw("Pfile\n."), "not a keypoint file that is known"),
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
    "digits": ("pkl", b"L" + b"9" * 5000 + b"L\n.", "not a keypoint file that is known"),
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
    "garbage": ("pkl", os.urandom(0) + bytes(range(256)) * 4, "not a keypoint file that is known"),
    "html": ("pkl", b"<!DOCTYPE html><html></html>", "not a keypoint file that is known"),
    "a_list": ("pkl", pickle.dumps([1, 2]), "no axis has a known number of points"),
    "no_keypoints": ("pkl", pickle.dumps({"kp": 1}), "no array called keypoints"),
    "scalar_keypoints": ("pkl", pickle.dumps({"keypoints": np.float64(1)}), "not an array"),
    "two_axes": (
        "pkl",
        pickle.dumps({"keypoints": np.zeros((3, 75))}),
        "no axis has a known number",
    ),
    "no_axes": ("pkl", pickle.dumps({"keypoints": np.array(1.0)}), "a single number"),
    "76_joints": ("pkl", pickled(joints=76), "an array of 8x76x3: no axis"),
    "5_coordinates": ("pkl", pickled(coordinates=5), "an array of 8x75x5: of each point 2, 3 or 4"),
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
    "npy_is_a_pickle": ("npy", calling(os.system, f"touch {MARK}"), "refused as a pickle"),
    "npy_huge": (
        "npy",
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 75, 2), }"),
        "needs 119999999998800 bytes",
    ),
    "npy_negative": (
        "npy",
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 75, 2), }"),
        "not a sound array",
    ),
    "npy_code_in_header": (
        "npy",
        npy_header(f"__import__('os').system('touch {MARK}')"),
        "not a sound",
    ),
    "npy_long_header": ("npy", npy_header("(" * 60_000), "not a sound"),
    "npy_cut": ("npy", npy(GOOD)[:-7], "needs 2400 bytes, the file has 2393"),
    "npy_followed": ("npy", npy(GOOD) + b"x", "needs 2400 bytes"),
    "npy_empty": ("npy", b"", "it is empty"),
    "npy_future": ("npy", b"\x93NUMPY\x09\x00\x00\x00", "not a sound array"),
    "npy_is_a_zip": ("npy", zipped({"a": b"x"}), "not a keypoint file that is known"),
    "npy_whole_numbers": ("npy", npy(np.zeros((4, 75, 2), int)), "all NaN"),
    "npy_flat": ("npy", npy(np.zeros((4, 150))), "all NaN"),
    "npy_nan": ("npy", npy(GOOD * np.nan), "all NaN"),
    "npy_infinite": ("npy", npy(GOOD * np.inf), "infinite"),
    "npy_pixels": ("npy", npy(GOOD * 500), "in pixels"),
    # pose-format
    "pose_empty": ("pose", b"", "it is empty"),
    "pose_garbage": ("pose", bytes(range(256)) * 8, "not a sound .pose"),
    "pose_text": ("pose", b"hello", "not a keypoint file that is known"),
    # other kinds
    "unknown_kind": ("txt", b"x", "its file is missing"),
    "beyond_single": ("npy", npy(np.full((4, 75, 2), 1e300)), "infinite or beyond 1e.15"),
}


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path, monkeypatch):
    """Whatever is read in the test is read in a folder that must not get the mark."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path(MARK).exists()


@pytest.mark.parametrize("name", ["os_system", "eval", "exec", "open", "protocol_0", "inst"])
def test_the_hostile_pickles_are_hostile(name):
    """Else the table would prove nothing: the plain reader does run them."""
    pickle.loads(CASES[name][1])
    assert Path(MARK).exists()
    Path(MARK).unlink()


def test_all_bad_clips_at_once_do_not_stop_the_good(tmp_path):
    folder, rows = tmp_path / "mine", ["file,clip_id,gloss,split"]
    folder.mkdir()
    for i, (name, (ending, data, _)) in enumerate(CASES.items()):
        (folder / f"{name}.{ending}").write_bytes(data)
        rows.append(f"{name}.{ending},{name},bad,train")
        if i % 10 == 0:  # good ones between them
            (folder / f"good_{i}.npy").write_bytes(npy(GOOD))
            rows.append(f"good_{i}.npy,good_{i},fine,test")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    build("x", "local", {"folder": str(folder)}, tmp_path / "s", say=lambda line: None)
    store = ClipStore.open(tmp_path / "s")
    assert set(store.clips["gloss"]) == {"fine"}
    assert len(store) == -(-len(CASES) // 10)
    reasons = {drop["clip_id"]: drop["reason"] for drop in store.card["dropped"]["clips"]}
    assert set(reasons) == set(CASES)
    for name, (_, _, said) in CASES.items():
        assert re.search(said, reasons[name]), f"{name}: {reasons[name]}"
        assert "\n" not in reasons[name]
        assert len(reasons[name]) < 250, name
    counts = {row["split"]: row for row in store.card["counts"]}
    assert counts["train"]["expected"] == len(CASES)
    assert counts["train"]["kept"] == 0


def test_pickles_cannot_change_what_reads_the_next():
    for _, data, _ in CASES.values():
        with contextlib.suppress(UnsafePickle):
            load(data)
    held = pose()
    read = load(pickle.dumps(held))
    np.testing.assert_array_equal(read["keypoints"], held["keypoints"])
