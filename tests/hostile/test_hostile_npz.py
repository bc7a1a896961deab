"""Keypoints in a `clips.npz` that lies, is damaged or was made by hand."""

import zipfile

import numpy as np
import pytest

from hostile_bytes import npy, npy_header, one_line, shaped, zip_of
from sslslr.data.readers.npz import NpzClips, plain_array

XY = np.full((9, 75, 2), 0.5, dtype=np.float16)
SOUND = {"xy": npy(XY), "offsets": npy([0, 4, 9]), "clip_id": npy(["a", "b"])}


def archive(flags=0, compression=zipfile.ZIP_DEFLATED, also=(), **changes):
    members = [
        (f"{name}.npy", data) for name, data in {**SOUND, **changes}.items() if data is not None
    ]
    return zip_of([*members, *also], flags, compression)


def flipped(data, at):
    out = bytearray(data)
    out[at] ^= 255
    return bytes(out)


HUGE = 10**15
# name: (bytes of the file, what is said)
CASES = {
    # headers that lie
    "xy_of_a_petabyte": (archive(xy=shaped((HUGE, 75, 2))), "damaged|missing"),
    "xy_beyond_64_bits": (archive(xy=shaped((2**70, 75, 2))), "damaged|missing|impossible"),
    "xy_negative": (archive(xy=shaped((-9, 75, 2))), "impossible"),
    "xy_true": (archive(xy=shaped((True, 75, 2))), "impossible"),
    "xy_of_many_axes": (archive(xy=shaped((1,) * 30)), "impossible"),
    "xy_fortran": (archive(xy=shaped((9, 75, 2), fortran=True, data=bytes(2700))), "Fortran order"),
    "xy_records": (archive(xy=shaped((9,), [("x", "<f2"), ("y", "<f2")])), "records"),
    "xy_text": (archive(xy=npy(np.full((9, 75, 2), "a"))), "must be floating point"),
    "xy_complex": (archive(xy=npy(XY.astype(complex))), "must be floating point"),
    "xy_dates": (archive(xy=npy(np.zeros((9, 75, 2), "M8[s]"))), "must be floating point"),
    "xy_objects": (archive(xy=npy(np.full((9, 75, 2), None))), "Python objects"),
    "xy_no_axis": (archive(xy=npy(np.float32(1))), r"found float32 \(\)"),
    "xy_4_coordinates": (archive(xy=npy(np.zeros((9, 75, 4), "f2"))), r"\(9, 75, 4\)"),
    "xy_33_joints": (archive(xy=npy(np.zeros((9, 33, 2), "f2"))), r"found float16 \(9, 33, 2\)"),
    "xy_rows": (archive(xy=npy(np.zeros((9, 150), "f2"))), r"found float16 \(9, 150\)"),
    "xy_whole_numbers": (archive(xy=npy(np.zeros((9, 75, 2), "i4"))), "must be floating point"),
    "xy_code": (archive(xy=npy_header("__import__('os').system('x')")), "cannot be read"),
    "xy_parentheses": (archive(xy=npy_header("(" * 9000)), "cannot be read"),
    "xy_long_header": (archive(xy=npy_header("[" * 60_000)), "cannot be read"),
    "xy_no_header": (archive(xy=b"\x93NUMPY\x01\x00"), "cannot be read"),
    "xy_future": (archive(xy=npy_header("{}", version=b"\x09\x00")), "version|cannot be read"),
    "xy_other_keys": (archive(xy=npy_header("{'shape': (1,)}")), "cannot be read"),
    "xy_unknown_type": (archive(xy=shaped((9, 75, 2), "<q99")), "cannot be read"),
    "xy_not_npy": (archive(xy=b"hello"), "cannot be read"),
    "xy_empty": (archive(xy=b""), "cannot be read"),
    "xy_short": (archive(xy=SOUND["xy"][:-200]), "bytes of xy are missing|damaged"),
    # lists that lie
    "offsets_of_a_petabyte": (archive(offsets=shaped((HUGE,), "<i8")), "needs .* bytes"),
    "offsets_negative_shape": (archive(offsets=shaped((-1,), "<i8")), "impossible"),
    "offsets_two_axes": (archive(offsets=npy([[0, 4, 9]])), "must have one axis"),
    "offsets_short": (archive(offsets=SOUND["offsets"][:-5]), "damaged"),
    "offsets_floats": (archive(offsets=npy([0.0, 4.0, 9.0])), "whole numbers"),
    "offsets_beyond_int64": (archive(offsets=npy(np.array([0, 4, 2**64 - 1], "u8"))), "offsets run from"),
    "offsets_below_zero": (archive(offsets=npy([-5, 4, 9])), "offsets run from -5"),
    "offsets_too_far": (archive(offsets=npy([0, 4, 10])), "10, but xy has 9 frames"),
    "offsets_back": (archive(offsets=npy([0, 5, 4])), "offsets go back"),
    "offsets_overflow": (archive(offsets=npy([0, 2**62, -(2**62)])), "offsets run from"),
    "offsets_none": (archive(offsets=npy(np.zeros(0, int))), "offsets must be 3"),
    "offsets_text": (archive(offsets=npy(["0", "4", "9"])), "whole numbers"),
    "offsets_objects": (archive(offsets=npy(np.array([0, 4, None]))), "Python objects"),
    "ids_of_a_petabyte": (archive(clip_id=shaped((HUGE,), "<U8")), "needs .* bytes"),
    "ids_of_no_width": (archive(clip_id=shaped((10**9,), "<U0")), "no characters"),
    "ids_wide": (archive(clip_id=shaped((1,), f"<U{2**29}")), "needs .* bytes|cannot be read"),
    "ids_short": (archive(clip_id=SOUND["clip_id"][:-5]), "damaged"),
    "ids_objects": (archive(clip_id=npy(np.array(["a", None]))), "Python objects"),
    "ids_not_utf8": (archive(clip_id=npy(np.array([b"a", b"\xff\xfe"]))), "id of clip 1 is no text"),
    "ids_no_characters": (archive(clip_id=shaped((2,), "<U1", data=b"\xff\xff\xff\x7f" * 2)), "is no text"),
    "ids_surrogates": (archive(clip_id=shaped((2,), "<U1", data=b"\x00\xd8\x00\x00" * 2)), "is no text"),
    "ids_line_ends": (archive(clip_id=npy(["a", "b\nc"])), "has a control character"),
    "ids_escapes": (archive(clip_id=npy(["a", "\x1b[31mred"])), "has a control character"),
    "ids_empty": (archive(clip_id=npy(["a", ""])), "id of clip 1 is empty"),
    "ids_of_a_million_letters": (archive(clip_id=npy(["a" * 1_000_000, "b"])), "has 1000000 characters; at most 1000"),
    "ids_floats": (archive(clip_id=npy([0.5, 1.5])), "must hold text"),
    "ids_twice": (archive(clip_id=npy(["a", "a"])), "occurs twice"),
    "ids_two_axes": (archive(clip_id=npy([["a", "b"]])), "must have one axis"),
    # archives
    "encrypted": (archive(flags=1), "is encrypted"),
    "members_twice": (archive(also=[("xy.npy", SOUND["xy"])]), "xy.npy is in the archive twice"),
    "unknown_compression": (archive().replace(b"\x08\x00", b"\x63\x00"), "damaged|encrypted|neither"),
    "flipped_byte": (flipped(archive(compression=zipfile.ZIP_STORED), 700), "damaged"),
    "no_xy": (archive(xy=None), r"array 'xy' is missing \(found offsets, clip_id\)"),
    "no_offsets": (archive(offsets=None), "array 'offsets' is missing"),
    "no_arrays": (zip_of([("a.txt", b"x")]), "array 'xy' is missing"),
    "empty_archive": (zip_of([]), "array 'xy' is missing"),
    "slip": (archive(also=[("../evil.npy", b"")]), "leads out of the folder"),
    "bomb": (archive(also=[("more.npy", bytes(1_200_000_000))]), "refused as an archive bomb"),
    "not_an_archive": (b"hello", "not a sound zip or tar archive"),
    "nothing": (b"", "not a sound zip or tar archive"),
    "cut": (archive()[:-30], "cut short or damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_each_is_one_line(name, tmp_path):
    data, said = CASES[name]
    (tmp_path / "clips.npz").write_bytes(data)
    with one_line(said):
        list(NpzClips(tmp_path / "clips.npz").read())


def test_what_is_sound_is_read(tmp_path):
    for offsets in ([0, 4, 9], np.array([0, 4, 9], "u1"), np.array([0, 4, 9], ">i4")):
        (tmp_path / "clips.npz").write_bytes(archive(offsets=npy(offsets)))
        clips = NpzClips(tmp_path / "clips.npz")
        assert [len(frames) for frames in clips.read()] == [4, 5]
    (tmp_path / "clips.npz").write_bytes(archive(clip_id=npy(np.array([b"a", "é".encode()]))))
    assert NpzClips(tmp_path / "clips.npz").ids == ["a", "é"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (shaped((HUGE,)), "needs"),
        (shaped((0, HUGE, 2**40)), "too big|exceeded"),
        (shaped((2**40, 0)), ""),
        (shaped((3, 0, 2)), ""),
    ],
)
def test_arrays_without_numbers_take_no_room(data, said):
    if said:
        with pytest.raises(ValueError, match=said):
            plain_array(data)
    else:
        assert plain_array(data).nbytes == 0


def test_a_header_of_python_2_is_read_without_a_warning(recwarn):
    header = npy_header(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 75L, 2L)}", bytes(600)
    )
    assert plain_array(header).shape == (1, 75, 2)
    assert not recwarn.list
