"""What pose-format's own `normalize` and `flip` leave is the clip that it was before them."""

import io

import numpy as np
import pytest
from kinds import CLIP, SIZE, imported, npy, one
from pose_format import Pose

from sslslr.data.conversion.clip import to_clip_alone
from sslslr.data.conversion.plan import Conversion
from sslslr.data.preprocess import PreprocessConfig, _prepare_ours
from sslslr.data.readers.pose_format import PoseFormat
from sslslr.pose.skeleton import BODY, BODY_NAMES, LEFT_HAND, RIGHT_HAND
from sslslr.utils.errors import UserError

FILES = (
    "autsl_signer0_sample1000", "football_mediapipe", "football_wholebody", "holistic_reduced_v0.1",
    "lexicon_entry", "openpose_v0.1", "v0.0",
)  # fmt: skip
MIRROR = np.array([-1, 1])


def inputs(keypoints, aspect):
    """A clip as encoders get it: before the store, whose halves lose a thousandth."""
    aspects = np.array([aspect or 1.0], np.float32)
    lengths = np.array([len(keypoints)])
    return _prepare_ours(keypoints[None], lengths, aspects, PreprocessConfig())[0][0]


def changed(file, change):
    pose = Pose.read(file.read_bytes())
    if (body := change(pose)) is not None:
        pose.body = body
    stream = io.BytesIO()
    pose.write(stream)
    clip = to_clip_alone(PoseFormat.read(stream.getvalue(), ".pose"), Conversion())
    return inputs(clip["keypoints"], clip["aspect"])


@pytest.mark.parametrize("name", FILES)
def test_real_files(shared_data, name):
    file = shared_data / f"pose_files/{name}.pose"
    plain = changed(file, lambda pose: None)
    for factor in (0.01, 0.5, 1, 4, 100, 1000):
        scaled = changed(
            file, lambda pose, factor=factor: pose.normalize(scale_factor=factor) and None
        )
        np.testing.assert_allclose(scaled, plain, atol=1e-3)
    for axis in (0, 1):
        np.testing.assert_allclose(
            changed(file, lambda pose, axis=axis: pose.body.flip(axis)), plain, atol=1e-3
        )
    both = changed(file, lambda pose: pose.normalize(scale_factor=100).body.flip())
    np.testing.assert_allclose(
        both, plain * MIRROR, atol=1e-3
    )  # nothing tells it from a mirrored video


@pytest.mark.parametrize("turn", [(-1, 1), (1, -1), (-1, -1)])
@pytest.mark.parametrize("size", [None, SIZE])
def test_arrays_with_turned_signs(tmp_path, turn, size):
    said = []
    columns = ("", "") if size is None else (",width,height", ",1280,720")
    clip = CLIP if size is None else CLIP * size
    found, store = one(tmp_path, ".npy", npy(clip * turn), said, columns)
    np.testing.assert_allclose(found, CLIP, atol=1e-3)
    assert "x: Coordinates below zero throughout in 1 clip: a flip, which was turned back." in said
    assert not any("WARNING" in line for line in said)
    assert store.card["conversion"]["flipped"] == 1


def exchanged(clip):
    """Left and right of all joints exchanged, as a mirrored picture has them."""
    swap = {"left": "right", "right": "left"}
    others = ["_".join(swap.get(word, word) for word in name.split("_")) for name in BODY_NAMES]
    body = clip[:, BODY][:, [BODY_NAMES.index(name) for name in others]]
    return np.concatenate([clip[:, RIGHT_HAND], clip[:, LEFT_HAND], body], axis=1)


def test_a_flip_that_exchanged_left_and_right_as_well(tmp_path):
    found, _ = one(tmp_path, ".npy", npy(exchanged(CLIP) * MIRROR), said := [])
    np.testing.assert_allclose(found, exchanged(CLIP) * MIRROR + (1, 0), atol=1e-3)
    assert not any("WARNING" in line for line in said)


def test_some_clips_of_a_set_are_flipped(tmp_path):
    (tmp_path / "in/book").mkdir(parents=True)
    for number in range(6):
        np.save(tmp_path / f"in/book/{number}.npy", CLIP * (MIRROR if number % 2 else 1))
    store = imported(tmp_path / "in", tmp_path / "s")
    for number in range(6):
        np.testing.assert_allclose(np.asarray(store.frames(number), np.float32), CLIP, atol=1e-3)


def test_one_hand_beside_the_middle_of_the_shoulders_is_no_flip(tmp_path):
    (tmp_path / "in/book").mkdir(parents=True)
    unit = ((CLIP - (0.5, 0.45)) / 0.24)[:, :42] + (
        0,
        1.5,
    )  # two hands, no body, below the shoulders
    right = unit.copy()
    right[:, LEFT_HAND] = np.nan
    assert np.nanmax(right[..., 0]) < 0
    for number in range(6):
        np.save(tmp_path / f"in/book/{number}.npy", unit if number == 3 else right)
    store = imported(tmp_path / "in", tmp_path / "s", said := [])
    for number in range(6):
        expected = (unit if number == 3 else right)[:, RIGHT_HAND]
        found = np.asarray(store.frames(number), np.float32)[:, RIGHT_HAND]
        np.testing.assert_allclose(found, expected, atol=1e-2)
    assert not any("flip" in line for line in said)


def test_normalised_by_several_factors(tmp_path):
    (tmp_path / "in/book").mkdir(parents=True)
    unit = (CLIP - (0.5, 0.45)) / 0.24
    for number, factor in enumerate((100, 50, 1000, 80)):
        np.save(tmp_path / f"in/book/{number}.npy", unit * factor)
    store = imported(tmp_path / "in", tmp_path / "s")
    for number in range(4):
        np.testing.assert_allclose(np.asarray(store.frames(number), np.float32), unit, atol=4e-3)
    (tmp_path / "b").mkdir()
    with pytest.raises(UserError, match="around zero that reach"):  # centred on something else
        one(tmp_path / "b", ".npy", npy((unit + 0.5) * 100))


@pytest.mark.parametrize("factor", [1, 100])
def test_joints_that_were_standardised_each_by_itself_are_refused(tmp_path, factor):
    clip = CLIP + np.random.default_rng(0).normal(0, 0.01, CLIP.shape)
    with pytest.raises(UserError, match="no body is seen"):
        one(tmp_path, ".npy", npy((clip - clip.mean(axis=0)) / clip.std(axis=0) * factor))
