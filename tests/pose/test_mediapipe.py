"""MediaPipe with its real weights on real videos: `make test-pose`."""

import shutil

import numpy as np
import pandas as pd
import pytest

from films import film
from sslslr.data.datasets._extract_folder import extract_folder
from sslslr.data.datasets._local_files import read_instances
from sslslr.data.quality import measure
from sslslr.data.store import ClipStore
from sslslr.pose.backends.mediapipe import MediaPipe, Options
from sslslr.pose.model import Extraction
from sslslr.pose.preview import preview
from sslslr.pose.skeleton import BODY, LEFT_HAND, LEFT_SHOULDER, RIGHT_HAND, RIGHT_SHOULDER
from sslslr.utils.errors import UserError

pytestmark = [pytest.mark.pose, pytest.mark.xdist_group("mediapipe")]
pytest.importorskip("mediapipe", reason="MediaPipe is not installed; run `make pose`")


def table_of(shared_data, where, **columns):
    labels = pd.read_csv(shared_data / "sign_videos/labels.csv", dtype=str)
    for name, value in columns.items():
        labels[name] = value
    labels.to_csv(where, index=False)
    return labels


@pytest.fixture(scope="module")
def real(shared_data, tmp_path_factory):
    """All real videos through MediaPipe, through the whole path, into a clip store."""
    if not (shared_data / "sign_videos").is_dir():
        pytest.skip("the real videos are absent")
    folder = tmp_path_factory.mktemp("real")
    table_of(shared_data, folder / "labels.csv")
    values = {
        "folder": str(shared_data / "sign_videos"),
        "table": str(folder / "labels.csv"),
        "backend": "mediapipe",
    }
    extract_folder("real", values, folder / "store", folder / "work")
    return ClipStore.open(folder / "store")


def test_a_protobuf_that_it_does_not_go_with_is_named(monkeypatch):
    import mediapipe

    def no_holistic(*arguments, **options):
        raise AttributeError("'FieldDescriptor' object has no attribute 'label'")

    monkeypatch.setattr(mediapipe.solutions.holistic, "Holistic", no_holistic)
    with pytest.raises(UserError, match=r"does not go with protobuf .*pip install \"protobuf<5\""):
        MediaPipe(Options(), None)


def test_every_video_becomes_a_clip_of_its_own_length_and_rate(real, shared_data):
    labels = pd.read_csv(shared_data / "sign_videos/labels.csv")
    clips = real.clips.set_index("source").loc[labels["file"]]
    assert len(real) == len(labels) == 74
    np.testing.assert_array_equal(clips["n_frames"], labels["n_frames"])
    np.testing.assert_allclose(clips["fps"], labels["fps"], atol=0.01)
    np.testing.assert_allclose(clips["aspect"], labels["width"] / labels["height"], atol=1e-5)
    assert clips["lost_frames"].sum() == 0
    # Nothing was left out but the table, which lies beside the videos there.
    reasons = {drop["clip_id"] for drop in real.card["dropped"]["clips"]}
    assert reasons <= {"labels.csv"}


def test_a_body_is_found_in_95_percent_of_the_frames_and_a_hand_in_every_karsl_clip(real):
    found = np.isfinite(np.asarray(real.keypoints[..., 0], dtype=np.float32))
    shoulders = found[:, LEFT_SHOULDER] & found[:, RIGHT_SHOULDER]
    assert shoulders.mean() >= 0.95
    quality = measure(real)
    karsl = quality["clip_id"].str.startswith("karsl")
    assert karsl.sum() == 70
    assert (quality["any_hand"][karsl] > 0).all()


def test_left_and_right_are_the_signers_own(real):
    """Signers face the camera: their left shoulder is at larger x, and hands lie at their wrists."""
    points = np.asarray(real.keypoints, dtype=np.float32)
    assert (points[:, LEFT_SHOULDER, 0] > points[:, RIGHT_SHOULDER, 0]).mean() > 0.99
    # Measured 2026-11: none of the frames that tell. Random sides would give a half.
    assert real.card["extraction"]["hands_exchanged"] <= 0.02


def test_the_wlasl_clips_agree_with_the_keypoints_stored_for_the_same_ids(real, shared_data):
    """Of the four WLASL videos two have stored keypoints: 69529 and 69531; the others are of the test
    split, which is not there. The stored ones came from another release and another hand detector.

    Distances are in picture widths and heights; a palm is 0.05. Measured 2026-11, median over the
    joints that both have: 0.0080 and 0.0045; with the stored clip a frame late or early 0.015 to
    0.031; with the hands exchanged 0.24 and 0.37. So 0.012 is passed by neither mistake. Both find
    the same hand in 35 to 44 % of frames; stored hands that ours lacks are mostly at rest, at the
    lower edge.
    """
    clips, table = read_instances(
        shared_data / "wlasl_hands/clips.npz", shared_data / "wlasl_hands/instances.csv"
    )
    ids = ["69529", "69531"]
    chosen = table["clip_id"].isin(ids).to_numpy()
    assert sorted(table["clip_id"][chosen]) == ids
    for clip_id, stored in zip(table["clip_id"][chosen], clips.read(chosen), strict=True):
        row = list(real.clips["clip_id"]).index(f"wlasl_{clip_id}")
        ours = np.asarray(real.frames(row), dtype=np.float64)[:, :42]
        stored = np.asarray(stored, dtype=np.float64)[:, :42, :2]
        assert ours.shape == stored.shape
        away = np.linalg.norm(ours - stored, axis=2)
        assert np.isfinite(away[:, [0, 21]]).any(axis=1).mean() > 0.35
        assert np.nanmedian(away) < 0.012
        assert np.nanpercentile(away, 90) < 0.05
        for late in (ours[1:] - stored[:-1], ours[:-1] - stored[1:]):
            assert np.nanmedian(np.linalg.norm(late, axis=2)) > 0.012
        exchanged = np.concatenate([ours[:, RIGHT_HAND], ours[:, LEFT_HAND]], axis=1)
        assert np.nanmedian(np.linalg.norm(exchanged - stored, axis=2)) > 0.1


def test_the_same_videos_give_the_same_bytes_whatever_came_before(real, shared_data, tmp_path):
    """In another order, so that a video's keypoints cannot depend on the one before."""
    names = ["wlasl_69531.mp4", "karsl_0001_test.mp4", "karsl_0025_train.mp4"]
    rows = "".join(f"{name},x\n" for name in names)
    (tmp_path / "labels.csv").write_text(f"file,gloss\n{rows}")
    values = {
        "folder": str(shared_data / "sign_videos"),
        "table": str(tmp_path / "labels.csv"),
        "backend": "mediapipe",
    }
    for out in ("a", "b"):
        extract_folder("some", values, tmp_path / out, tmp_path / f"{out}.work")
    for name in ("keypoints.npy", "clips.parquet", "card.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    store = ClipStore.open(tmp_path / "a")
    for row, name in enumerate(names):
        other = list(real.clips["source"]).index(name)
        np.testing.assert_array_equal(store.frames(row), real.frames(other))


def test_the_card_names_model_version_and_weights(real):
    made = real.card["extraction"]
    assert made["backend"] == "mediapipe"
    assert made["versions"]["mediapipe"] == "0.10.21"
    assert len(made["weights_sha256"]) == 4
    assert all(len(digest) == 64 for digest in made["weights_sha256"].values())


def test_a_rotated_and_a_mirrored_copy_are_seen_right(shared_data, tmp_path):
    """Turned by metadata the signer is upright again; mirrored, left and right change places."""
    import av

    from sslslr.pose.video import open_video

    with open_video(shared_data / "sign_videos/karsl_0003_test.mp4") as video:
        frames = list(video.frames())
    (tmp_path / "films").mkdir()
    for name, turn, change in (
        ("turned.mp4", 90, lambda f: np.rot90(f, -1)),
        ("mirrored.mp4", 0, lambda f: f[:, ::-1]),
        ("plain.mp4", 0, lambda f: f),
    ):
        with av.open(str(tmp_path / "films" / name), "w") as output:
            stream = output.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
            if turn:
                stream.set_display_rotation(turn)
            for frame in frames:
                picture = np.ascontiguousarray(change(frame))
                output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            output.mux(stream.encode())
    (tmp_path / "labels.csv").write_text("file,gloss\nturned.mp4,x\nmirrored.mp4,x\nplain.mp4,x\n")
    values = {
        "folder": str(tmp_path / "films"),
        "table": str(tmp_path / "labels.csv"),
        "backend": "mediapipe",
    }
    extract_folder("copies", values, tmp_path / "store", tmp_path / "work")
    store = ClipStore.open(tmp_path / "store")
    turned, mirrored, plain = (np.asarray(store.frames(i), dtype=np.float32) for i in range(3))
    arms = BODY.start + np.arange(11, 17)
    assert np.nanmedian(np.abs(turned[:, arms] - plain[:, arms])) < 0.02
    other = arms + np.tile([1, -1], 3)
    # The mirrored signer's left arm lies where the plain one's right arm lies, seen in a mirror.
    seen = mirrored[:, other] * (-1, 1) + (1, 0)
    assert np.nanmedian(np.abs(seen - plain[:, arms])) < 0.02


def test_pictures_without_anybody_and_odd_sizes_do_not_stop_it(tmp_path):
    (tmp_path / "films").mkdir()
    film(tmp_path / "films/a.mp4", 3, size=(16, 16))
    film(tmp_path / "films/b.mkv", 3, size=(333, 17), pixels="yuv444p")
    shutil.copy(tmp_path / "films/a.mp4", tmp_path / "films/c.avi")
    (tmp_path / "labels.csv").write_text("file,gloss\na.mp4,x\nb.mkv,x\n")
    from sslslr.utils.errors import UserError

    values = {
        "folder": str(tmp_path / "films"),
        "table": str(tmp_path / "labels.csv"),
        "backend": "mediapipe",
    }
    with pytest.raises(UserError, match="no clip was left.*every joint is missing"):
        extract_folder("nobody", values, tmp_path / "store", tmp_path / "work")
    assert not (tmp_path / "store").exists()


def test_a_preview_of_a_real_video(shared_data, tmp_path):
    video = shared_data / "sign_videos/karsl_0003_test.mp4"
    said = preview(Extraction(backend="mediapipe"), video, tmp_path / "a.mp4")
    assert "24 frames, left hand in 100 %" in said
    assert (tmp_path / "a.mp4").stat().st_size > 10_000
