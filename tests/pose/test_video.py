import itertools
import os
from fractions import Fraction

import numpy as np
import pytest

from films import film, picture
from sslslr.pose import video as module
from sslslr.pose.video import BadVideo, open_video


def read(path, fps=None):
    with open_video(path) as video:
        return np.stack(list(video.frames_at(fps))), video


def test_frames_rate_and_size_come_back(tmp_path):
    frames, video = read(film(tmp_path / "a.mp4", 12, rate=25))
    assert frames.shape == (12, 48, 64, 3)
    assert frames.dtype == np.uint8
    assert (video.fps, video.aspect, video.lost) == (25.0, 64 / 48, 0)
    for number, frame in enumerate(frames):
        # Lossy, but each frame is nearest to its own picture.
        errors = [np.abs(frame.astype(int) - picture(n)).mean() for n in range(12)]
        assert np.argmin(errors) == number


def test_a_last_frame_that_lasts_for_days_does_not_fill_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_FRAMES", 40)
    with open_video(film(tmp_path / "a.mp4", 12, rate=25)) as video:

        def endless():
            yield from open_frames()
            video._end = video._first + 1e6

        open_frames = video.frames
        monkeypatch.setattr(video, "frames", endless)
        with pytest.raises(BadVideo, match="more than 40 frames at 30 frames/s"):
            list(itertools.islice(video.frames_at(30), 100))


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_rotated_video_is_turned_as_its_metadata_say(tmp_path, rotation):
    frames, video = read(film(tmp_path / "a.mp4", 3, rotation=rotation))
    upright, _ = read(film(tmp_path / "b.mp4", 3))
    turned = np.rot90(upright, rotation // 90, axes=(1, 2))
    assert frames.shape == turned.shape
    assert np.abs(frames.astype(int) - turned).mean() < 2
    assert video.aspect == pytest.approx(64 / 48 if rotation == 180 else 48 / 64)
    assert (video.width, video.height) == frames.shape[2:0:-1]


def test_ffmpegs_meaning_of_a_rotation_is_ours(tmp_path):
    """A display rotation of 90 turns counter-clockwise: the white corner goes to the bottom left."""
    frames, _ = read(film(tmp_path / "a.mp4", 1, rotation=90))
    assert frames[0, -4, 4].min() > 200
    assert frames[0, 4, 4].max() < 100


def test_pixels_that_are_not_square_count_in_the_aspect(tmp_path):
    _, video = read(film(tmp_path / "a.mp4", 3, pixel_shape=Fraction(16, 11)))
    assert video.aspect == pytest.approx(64 / 48 * 16 / 11)


def test_a_variable_rate_keeps_its_frames_and_records_the_mean(tmp_path):
    times = [0, 0.04, 0.08, 0.30, 0.34, 1.00]
    frames, video = read(film(tmp_path / "a.mp4", 6, times=times))
    assert len(frames) == 6
    assert video.fps == pytest.approx(5 / 1.0, rel=0.01)


def test_a_constant_rate_shows_at_each_moment_the_frame_that_is_on_screen(tmp_path):
    path = film(tmp_path / "a.mp4", 6, times=[0, 0.1, 0.2, 0.6, 0.7, 1.0])
    whole, _ = read(path)
    frames, _ = read(path, fps=10)
    shown = [int(np.argmin([np.abs(f.astype(int) - w).mean() for w in whole])) for f in frames]
    assert shown[:11] == [0, 1, 2, 2, 2, 2, 3, 4, 4, 4, 5]


def test_a_doubled_rate_is_halved(tmp_path):
    path = film(tmp_path / "a.mp4", 12, rate=50)
    frames, _ = read(path, fps=25)
    whole, _ = read(path)
    np.testing.assert_array_equal(frames, whole[::2])


def test_a_frame_of_another_size_is_brought_to_the_firsts(tmp_path):
    """Two streams, one after the other, as a broadcaster's file has them."""
    first = film(tmp_path / "a.ts", 4, container="mpegts").read_bytes()
    second = film(tmp_path / "b.ts", 4, size=(96, 80), container="mpegts").read_bytes()
    (tmp_path / "c.ts").write_bytes(first + second)
    frames, _ = read(tmp_path / "c.ts")
    assert frames.shape == (8, 48, 64, 3)


def test_too_many_frames_are_refused(tmp_path, monkeypatch):
    path = film(tmp_path / "a.mp4", 12)
    monkeypatch.setattr(module, "MAX_FRAMES", 5)
    with pytest.raises(BadVideo, match="more than 5 frames"):
        read(path)
    with pytest.raises(BadVideo, match="more than 5 frames"):
        read(film(tmp_path / "b.mp4", 3, rate=1), fps=1000)


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(BadVideo, match="not a regular file"):
        read(tmp_path / "a.mp4")


def test_a_file_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    """Root may read everything, so the refusal is made here."""
    film(tmp_path / "a.mp4", 2)

    def refuse(*args, **settings):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(BadVideo, match="cannot be opened \\(Permission denied\\)"):
        read(tmp_path / "a.mp4")
