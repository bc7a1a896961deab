"""Numbers that mean something else than a place: fillers, confidences in another unit, sizes that cannot be used."""

import json

import numpy as np
import pytest
from bodies import arranged
from kinds import CLIP, SIZE, imported, npy, npz, one, same

from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND
from sslslr.utils.errors import UserError

GAPPED = CLIP.copy()
GAPPED[2:5, LEFT_HAND] = np.nan


@pytest.mark.parametrize("filler", [-1, -2, -100, -999, 9999, 1e6])
@pytest.mark.parametrize("pixels", [False, True])
def test_fillers_of_missing_joints(tmp_path, filler, pixels):
    array, said = GAPPED * SIZE if pixels else GAPPED, []
    array = np.where(np.isnan(array), filler, array)
    columns = (",width,height", ",1280,720") if pixels else ("", "")
    found, store = one(tmp_path, ".npy", npy(array), said, columns)
    same(found, GAPPED)
    assert f"x: 63 joints at exactly ({filler:g}, {filler:g}) count as missing." in said
    assert store.card["conversion"]["fillers"] == {f"({filler:g}, {filler:g})": 63}


def test_a_hand_that_is_hardly_ever_found_tells_nothing_of_the_order(tmp_path):
    array = CLIP.copy()
    array[1:, LEFT_HAND] = -999
    found, _ = one(tmp_path, ".npy", npy(array))
    assert np.isnan(found[1:, LEFT_HAND]).all()
    same(found[:1], CLIP[:1])


def test_fillers_at_the_end_are_padding_and_may_be_kept(tmp_path):
    said, padded = [], np.concatenate([CLIP, np.full((5, 75, 2), -999, np.float32)])
    same(one(tmp_path, ".npy", npy(padded), said)[0])
    assert "x: Empty frames cut off at the end of 1 clip: 5." in said
    (tmp_path / "b").mkdir()
    lowest = CLIP.copy()
    lowest[
        :, 70
    ] = -1.5  # one joint beyond the picture is a filler, unless it is said that it is none
    same(one(tmp_path / "b", ".npy", npy(lowest), missing="nan")[0], lowest)


@pytest.mark.parametrize("filler", [-1, -999])
def test_fillers_in_all_three_numbers_hide_no_confidence(tmp_path, filler):
    array, said = np.concatenate([GAPPED, np.full((8, 75, 1), 0.9)], axis=2), []
    array[6, :, 2] = 0.1
    expected = GAPPED.copy()
    expected[6] = np.nan
    array[2:5, LEFT_HAND] = filler
    same(one(tmp_path, ".npy", npy(array), said)[0], expected)
    assert not any("depth" in line for line in said)


def test_a_depth_among_confidences_is_named(tmp_path):
    (tmp_path / "in/book").mkdir(parents=True)
    for number in range(40):
        third = -0.1 if number == 1 else 0.9
        np.save(
            tmp_path / f"in/book/{number:02}.npy",
            np.pad(CLIP, ((0, 0), (0, 0), (0, 1)), constant_values=third),
        )
    with pytest.raises(
        UserError, match=r"/01'.*third coordinate is below 0, but the other clips' is a confid"
    ):
        imported(tmp_path / "in", tmp_path / "s")


def test_a_confidence_in_another_unit_is_no_depth_without_a_word(tmp_path):
    said = []
    one(tmp_path, ".npy", npy(np.concatenate([CLIP, np.full((8, 75, 1), 92.0)], axis=2)), said)
    assert any("If it is a confidence, write it as 0 to 1" in line for line in said)


@pytest.mark.parametrize("centre", [0.5, (0.5, 0.45)])
def test_a_size_that_is_not_used_is_said(tmp_path, centre):
    said = []
    one(tmp_path, ".npy", npy(CLIP - centre), said, (",width,height", ",1280,720"))
    assert any("image's size was not used in 1 clip around zero" in line for line in said)


@pytest.mark.parametrize("form", ["alphapose", "coco"])
def test_a_person_an_entry_by_image(tmp_path, form):
    frames = arranged(CLIP * SIZE, "coco133", 3)
    frames[..., 2] = 0.9
    persons = []
    for number, frame in enumerate(frames):
        image = f"clip7_{number:04d}.jpg" if form == "alphapose" else number
        for person in (frame * (0.3, 0.3, 1), frame) if number != 3 else ():
            persons.append({"image_id": image, "keypoints": person.ravel().tolist(), "score": 2.9})
    persons.reverse()
    held = persons if form == "alphapose" else {"images": [], "annotations": persons}
    (tmp_path / "in/book").mkdir(parents=True)
    (tmp_path / "in/book/a.json").write_text(json.dumps(held))
    store = imported(tmp_path / "in", tmp_path / "s", said=(said := []), width=1280, height=720)
    expected = CLIP.copy()
    expected[3] = np.nan
    same(np.asarray(store.frames(0), np.float32), expected, slice(0, 42))
    assert any("1 frame left out in the numbering" in line for line in said)
    assert any("Several persons in 1 clip" in line for line in said)


def moved(clip, to_own_box):
    """Hands in boxes of their own, or measured from their wrists."""
    out = clip.copy()
    for hand in (LEFT_HAND, RIGHT_HAND):
        low, high = out[:, hand].min(axis=1, keepdims=True), out[:, hand].max(axis=1, keepdims=True)
        first = out[:, hand.start, None]
        out[:, hand] = (out[:, hand] - low) / (high - low) if to_own_box else out[:, hand] - first
    return out


@pytest.mark.parametrize("to_own_box", [False, True])
def test_hands_that_lie_nowhere_near_the_body_are_said_first(tmp_path, to_own_box):
    said = []
    one(tmp_path, ".npy", npy(moved(CLIP, to_own_box)), said)
    assert "WARNING: no hand lies at a wrist of the body in 100 % of the frames" in said[0]
    assert not any("exchanged" in line for line in said)


@pytest.mark.parametrize("moved", [lambda xy: xy * 4 - (2, 1.8), lambda xy: xy * 0.5 + 0.2])
def test_zeros_that_were_moved_with_the_rest_are_no_hand(tmp_path, moved):
    said, array = [], moved(np.nan_to_num(GAPPED))
    found, _ = one(tmp_path, ".npy", npy(array), said)
    same(found, moved(GAPPED), tolerance=2e-3)
    assert "x: 3 hands with all joints at one point: missing." in said
    (tmp_path / "b").mkdir()
    same(one(tmp_path / "b", ".npy", npy(array), missing="nan")[0], array, tolerance=2e-3)


# Where nothing was found, a detector says something nevertheless: noise.
NOISY = np.where(np.isnan(GAPPED), np.random.default_rng(0).uniform(0.3, 0.6, CLIP.shape), GAPPED)
FOUND = ~np.isnan(GAPPED[..., :1])


@pytest.mark.parametrize("name", ["valid", "visible", "presence", "confs", "kp_score", "kpt_conf"])
@pytest.mark.parametrize("points", ["keypoints", "kp"])
def test_what_says_which_joints_are_there_is_a_confidence(tmp_path, points, name):
    data = npz(**{points: NOISY, name: FOUND[..., 0]})
    same(one(tmp_path, ".npz", data)[0], GAPPED)


def test_an_array_of_a_number_a_joint_that_is_not_used_is_said(tmp_path):
    said = []
    one(tmp_path, ".npz", npz(keypoints=CLIP, tracked=FOUND[..., 0]), said)
    assert any(line.startswith("x: 'tracked' was not used in 1 clip") for line in said)


def test_a_third_number_of_parts_is_a_confidence_or_a_depth(tmp_path):
    where = {"left_hand": LEFT_HAND, "right_hand": RIGHT_HAND, "pose": BODY}
    scored, said = np.concatenate([NOISY, FOUND], axis=2), []
    found, _ = one(tmp_path, ".npz", npz(**{part: scored[:, w] for part, w in where.items()}), said)
    same(found, GAPPED)
    assert "x: 63 joints of confidence 0 count as missing." in said
    parts = {part: np.pad(CLIP[:, w], ((0, 0), (0, 0), (0, 1))) for part, w in where.items()}
    for number, of_body in enumerate((-0.1, 0.9)):  # z as MediaPipe has it, or a visibility alone
        parts["pose"][..., 2] = of_body
        (tmp_path / str(number)).mkdir()
        same(one(tmp_path / str(number), ".npz", npz(**parts), said)[0])
    assert "x: A third coordinate (depth) was dropped in 1 clip." in said
    parts["pose"] = np.pad(parts["pose"], ((0, 0), (0, 0), (0, 1)), constant_values=0.9)
    (tmp_path / "four").mkdir()
    same(one(tmp_path / "four", ".npz", npz(**parts))[0])


def test_a_mask_that_may_mean_either_is_said_not_to_be_used(tmp_path):
    said = []
    one(tmp_path, ".npz", npz(keypoints=CLIP, mask=np.isnan(GAPPED[..., 0])), said)
    assert any(line.startswith("x: 'mask' was not used in 1 clip") for line in said)


def test_labels_that_are_no_numbers_are_refused(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    np.save(folder / "X.npy", np.stack([CLIP, CLIP + 0.01]))
    np.save(folder / "y.npy", np.array([1.0, np.inf]))
    with pytest.raises(UserError, match="labels that are NaN or infinite"):
        imported(folder, tmp_path / "s")
