import numpy as np
import pytest
from PIL import Image

from films import film
from sslslr.pose.model import Extraction
from sslslr.pose.preview import COLOURS, overlay, preview
from sslslr.pose.skeleton import LEFT_HAND
from sslslr.pose.video import open_video
from sslslr.utils.errors import UserError

TOY = Extraction(backend="toy")


def test_an_overlay_has_the_videos_frames_rate_and_shape(tmp_path):
    path = film(tmp_path / "a.mp4", 7, rate=20, rotation=90)
    said = preview(TOY, path, tmp_path / "out.mp4")
    assert said.startswith("a.mp4: 7 frames, left hand in 100 %")
    with open_video(tmp_path / "out.mp4") as video:
        frames = list(video.frames())
    assert len(frames) == 7
    assert video.fps == 20
    assert video.aspect == pytest.approx(48 / 64, abs=0.01)


def test_a_strip_shows_frames_evenly_and_does_not_keep_all(tmp_path):
    preview(TOY, film(tmp_path / "a.mp4", 90), tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as strip:
        assert strip.size == (4 * 404 - 4, 2 * 304 - 4)


def test_joints_are_drawn_where_they_are():
    frame = np.zeros((480, 640, 3), np.uint8)
    keypoints = np.full((75, 2), np.nan)
    keypoints[LEFT_HAND] = (0.25, 0.75)
    drawn = np.asarray(overlay(frame, keypoints))
    assert tuple(drawn[360, 160]) == COLOURS["left_hand"]
    assert drawn[:300].max() == drawn[:, 300:].max() == 0


def test_a_bad_video_or_ending_is_an_error_and_nothing_is_written(tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(UserError, match="a.mp4: not a video"):
        preview(TOY, tmp_path / "a.mp4", tmp_path / "out.mp4")
    with pytest.raises(UserError, match="is an .mp4"):
        preview(TOY, tmp_path / "a.mp4", tmp_path / "out.jpg")
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
