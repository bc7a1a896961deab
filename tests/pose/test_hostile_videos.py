"""Videos that are broken, odd or hostile: each gives one line with its reason, or is read; none
stops the rest and nothing is half-written. The table names what is expected of each."""

import os
import random
import socket
import struct
import zipfile

import numpy as np
import pytest

from films import ToyBackend, film, picture, sound
from sslslr.data.datasets._extract_folder import extract_folder
from sslslr.data.store import ClipStore

GOOD = 12  # frames of an ordinary film here


def write(data):
    return lambda path: path.write_bytes(data)


def made(frames=GOOD, **settings):
    return lambda path: film(path, frames, **settings)


def changed(change, **settings):
    """A film whose bytes are changed."""

    def make(path):
        film(path, settings.pop("frames", GOOD), **settings)
        path.write_bytes(change(bytearray(path.read_bytes())))

    return make


def cut(share):
    return lambda data: data[: int(len(data) * share)]


def noise_in_the_middle(share):
    def change(data):
        begin = data.find(b"mdat") + 4
        media = struct.unpack(">I", data[begin - 8 : begin - 4])[0] - 8
        draws, first = random.Random(0), begin + int(media * (1 - share) / 2)
        for i in range(first, first + int(media * share)):
            data[i] = draws.randrange(256)
        return data

    return change


def unknown_codec(data):
    at = data.rfind(b"avc1")  # in the description of the stream; the first names the file's brand
    data[at : at + 4] = b"zzzz"
    return data


def pickle_of_code(path):
    class Bomb:
        def __reduce__(self):
            return os.system, (f"touch {path}.ran",)

    import pickle

    path.write_bytes(pickle.dumps(Bomb()))


def archive(path):
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("video.mp4", b"no video")


def still(kind):
    def make(path):
        from PIL import Image

        Image.fromarray(picture(0)).save(path, format=kind)

    return make


def playlist(text):
    """A list that would make FFmpeg open another file beside it."""

    def make(path):
        other = film(path.with_name("secret.bin"), GOOD, container="mpegts")
        path.write_text(text.format(other=other))

    return make


def large_header(width, height):
    return lambda path: _large_header(path, width, height)


def _large_header(path, width, height):
    film(path, 2, size=(64, 48), codec="ffv1", pixels="bgr0", container="avi")
    data = bytearray(path.read_bytes())
    at = data.find(b"strf") + 8  # BITMAPINFOHEADER: size, width, height
    data[at + 4 : at + 12] = struct.pack("<ii", width, height)
    path.write_bytes(data)


def link(target):
    return lambda path: path.symlink_to(target)


FAST = {"movflags": "faststart"}
# name: (how it is made, the reason, or how many frames are read)
CASES = {
    # not a video
    "empty.mp4": (write(b""), "the file is empty"),
    "one_byte.mp4": (write(b"\0"), "not a video"),
    "text.mp4": (write(b"these are not the frames you are looking for\n" * 50), "not a video"),
    "page.mp4": (write(b"<!DOCTYPE html><html><body>404</body></html>"), "not a video"),
    "random.mp4": (write(random.Random(1).randbytes(5000)), "not a video"),
    "zeros.mkv": (write(bytes(100_000)), "not a video"),
    "pickle.mp4": (pickle_of_code, "not a video"),
    "archive.mp4": (archive, "not a video"),
    "still.mp4": (still("png"), "not a video"),
    "json.avi": (write(b'{"frames": []}'), "not a video"),
    # no such thing, not a file
    "absent.mp4": (lambda path: None, "there is no such file"),
    "folder.mp4": (lambda path: path.mkdir(), "is a folder"),
    "dangling.mp4": (link("nowhere.mp4"), "there is no such file"),
    "loop.mp4": (link("loop.mp4"), "cannot be opened"),
    "link_to_folder.mp4": (link("."), "is a folder"),
    "device.mp4": (link("/dev/zero"), "not a regular file"),
    "pipe.mp4": (os.mkfifo, "not a regular file"),
    "socket.mp4": (lambda path: bind(path), "not a regular file"),
    # files that lead elsewhere
    "m3u8.mp4": (
        playlist("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n"),
        "not a video",
    ),
    "concat.mp4": (playlist("ffconcat version 1.0\nfile '{other}'\n"), "not a video"),
    "sdp.mp4": (write(b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"), "not a video"),
    # cut off
    "only_ftyp.mp4": (changed(cut(0.02)), "not a video, or cut off before its index"),
    "cut_before_index.mp4": (changed(cut(0.6)), "cut off before its index"),
    "cut_in_the_middle.mp4": (changed(cut(0.55), frames=50, options=FAST), "can be read"),
    "cut.mkv": (changed(cut(0.4), frames=50), "cut off"),
    "no_media.mp4": (
        changed(lambda data: data[: data.find(b"mdat") + 4], options=FAST),
        "holds no frame",
    ),
    # damaged within
    "noise.mp4": (changed(noise_in_the_middle(0.6), frames=50), "damaged"),
    "noise_all.mp4": (changed(noise_in_the_middle(1.0), frames=20), "frame"),
    "wrong_codec.mp4": (changed(unknown_codec), "codec is not known"),
    # nothing to see
    "sound.mp4": (sound, "holds no video, only sound"),
    "sound_as_mp4.mp4": (lambda path: sound(path), "only sound"),
    "no_frames.mkv": (made(0), "not a video"),
    "one_frame.mp4": (made(1), "only 1 frame"),
    "tiny.mp4": (made(size=(8, 8)), "frames of 8 x 8 pixels"),
    "thin.mp4": (made(size=(640, 2)), "a side needs at least"),
    "huge_header.avi": (large_header(60000, 60000), "holds no frame that can be read"),
    "large_header.avi": (large_header(9000, 6000), "9000 x 6000 pixels; the limit is"),
    # odd, but sound
    "ordinary.mp4": (made(), GOOD),
    "with_sound.mp4": (made(sound=True), GOOD),
    "truly_mkv.mp4": (made(container="matroska"), GOOD),
    "truly_mp4.avi": (made(container="mp4"), GOOD),
    "no_ending": (made(container="mp4"), GOOD),
    "odd_sizes.mkv": (made(size=(63, 47), pixels="yuv444p"), GOOD),
    "odd_rawer.avi": (made(size=(33, 17), codec="ffv1", pixels="bgr0"), GOOD),
    "grey.mkv": (made(codec="ffv1", pixels="gray"), GOOD),
    "ten_bits.mkv": (made(codec="ffv1", pixels="yuv420p10le"), GOOD),
    "sixteen_bits.mkv": (made(codec="ffv1", pixels="gray16le"), GOOD),
    "alpha.mov": (made(codec="qtrle", pixels="argb"), GOOD),
    "rotated.mp4": (made(rotation=90), GOOD),
    "variable_rate.mp4": (made(times=[0.04 * i + 0.3 * (i > 5) for i in range(GOOD)]), GOOD),
    "late_start.mp4": (made(times=[5 + 0.04 * i for i in range(GOOD)]), GOOD),
    "no_duration.mkv": (made(options={"live": "1"}), GOOD),
    "stream.ts": (made(container="mpegts"), GOOD),
    "fragmented.mp4": (made(options={"movflags": "frag_keyframe+empty_moov"}), GOOD),
    "animation.gif": (made(codec="gif", pixels="rgb8"), GOOD),
    "old.avi": (made(codec="mpeg4"), GOOD),
    "jpegs.mov": (made(codec="mjpeg", pixels="yuvj420p"), GOOD),
    "name with spaces.mp4": (made(), GOOD),
    "إشارة-Geste–手話.mp4": (made(), GOOD),
    'quote\'s "and" $(touch ran) ;.mp4': (made(), GOOD),
    "{braces} %s &.mp4": (made(), GOOD),
    "-option.mp4": (made(), GOOD),
    "rubbish_at_the_end.mp4": (changed(lambda data: data + b"rubbish" * 999), GOOD),
}


def bind(path):
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(path.parent)  # a socket's path may be 108 characters long
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """All of them in one folder, four a shard; the folder, the store, and what was said."""
    from films import add_toy_backend

    remove = add_toy_backend()
    folder = tmp_path_factory.mktemp("hostile")
    films = folder / "films"
    films.mkdir()
    lines = ["file,gloss,clip_id"]
    for number, (name, (make, _)) in enumerate(CASES.items()):
        make(films / name)
        quoted = name.replace('"', '""')
        lines.append(f'"{quoted}",sign,clip{number}')
    lines += ["../films/ordinary.mp4,sign,up", f"{films}/ordinary.mp4,sign,absolute"]
    table = folder / "labels.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = []
    values = {"folder": str(films), "table": str(table), "backend": "toy", "shard_size": 4}
    extract_folder("films", values, folder / "store", folder / "work", say=said.append)
    yield folder, ClipStore.open(folder / "store"), said
    remove()


@pytest.mark.parametrize("name", CASES)
def test_each_is_read_or_left_out_with_its_reason(extracted, name):
    _, store, said = extracted
    clip_id, expected = f"clip{list(CASES).index(name)}", CASES[name][1]
    reasons = {d["clip_id"]: d["reason"] for d in store.card["dropped"]["clips"]}
    if isinstance(expected, int):
        assert clip_id not in reasons, reasons[clip_id]
        row = list(store.clips["clip_id"]).index(clip_id)
        assert store.clips["n_frames"][row] == expected
        assert store.clips["source"][row] == name
        assert np.isfinite(store.frames(row)).any()
        return
    reason = reasons[clip_id]
    assert "\n" not in reason
    assert any(part in reason for part in np.atleast_1d(expected)), reason
    if "only 1 frame" not in reason:  # a sound video, but too short for a clip
        assert [line for line in said if line.startswith(f"{name}: ")] == [
            f"{name}: left out, {reason}."
        ]


def test_a_table_cannot_lead_out_of_the_folder(extracted):
    _, store, _ = extracted
    reasons = {d["clip_id"]: d["reason"] for d in store.card["dropped"]["clips"]}
    assert reasons["up"] == reasons["absolute"] == "its path leads out of the folder"


def test_the_store_is_sound_and_nothing_else_was_written_or_run(extracted):
    folder, store, _ = extracted
    assert store.check() == [] or all("have the same keypoints" in f for f in store.check())
    assert sorted(p.name for p in folder.iterdir()) == [
        "films", "labels.csv", "store", "store.preview.png", "work"
    ]  # fmt: skip
    assert not [p for p in folder.rglob("*") if ".tmp" in p.name or p.name.endswith("ran")]
    shards = sorted((folder / "work/shards").iterdir())
    assert len(shards) == -(-(len(CASES) + 2) // 4)
    assert all({f.name for f in s.iterdir()} == {"keypoints.npy", "videos.json"} for s in shards)


def test_there_are_enough_of_them():
    bad = [name for name, (_, expected) in CASES.items() if not isinstance(expected, int)]
    assert len(bad) >= 30


def test_an_unreadable_permission_is_a_reason(tmp_path):
    """As another user, for root may read everything."""
    from sslslr.pose.video import BadVideo, open_video

    path = film(tmp_path / "a.mp4", 2)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    with pytest.raises(BadVideo, match="cannot be opened"), open_video(path):
        pass


def test_a_bad_video_late_in_a_shard_leaves_no_frame_of_it(extracted):
    """Its first frames had been written when it turned out to be cut off."""
    import json

    folder, _, _ = extracted
    for shard in (folder / "work/shards").iterdir():
        content = json.loads((shard / "videos.json").read_text())
        frames = sum(video.get("n_frames", 0) for video in content["videos"])
        assert np.load(shard / "keypoints.npy").shape == (frames, 75, 3)


assert ToyBackend.batch < GOOD  # so that a cut video has batches that were written
