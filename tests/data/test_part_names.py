"""Parts under the names of other tools, around them and beside them; all of these were refused once."""

import json
import pickle

import numpy as np
import pytest
from bodies import arranged
from kinds import CLIP, SIZE, imported, labelled, npz, one, same

from sslslr.data.readers._parts import plain
from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND
from sslslr.utils.errors import UserError

PARTS = (BODY, LEFT_HAND, RIGHT_HAND)
GONE = CLIP.copy()  # the right hand was not found in one frame
GONE[3, RIGHT_HAND] = np.nan


def points(piece):
    """MediaPipe's landmarks; None where they were not found."""
    return None if np.isnan(piece).any() else [{"x": x, "y": y, "z": 0} for x, y in piece.tolist()]


def frames(*names, each=points):
    return [
        {name: each(frame[part]) for name, part in zip(names, PARTS, strict=True)} for frame in GONE
    ]


def in_hands(frame):
    pose, left, right = (points(frame[part]) for part in PARTS)
    return {"pose": pose, "hands": {"left": left, "right": right}}


def of_tasks(frame):
    """MediaPipe's newer tasks in JavaScript: a list of persons, which is empty where none was found."""
    parts = zip(("poseLandmarks", "leftHandLandmarks", "rightHandLandmarks"), PARTS, strict=True)
    return {name: [found] if (found := points(frame[part])) else [] for name, part in parts}


JSON = {
    "a list of persons": [of_tasks(frame) for frame in GONE],
    "JavaScript's names": frames("poseLandmarks", "leftHandLandmarks", "rightHandLandmarks"),
    "the side last": frames("pose_landmarks", "hand_landmarks_left", "hand_landmarks_right"),
    "MessageToDict": frames("pose", "left_hand", "right_hand", each=lambda p: {"landmark": points(p) or []}),
    "hands in a dict": [in_hands(frame) for frame in GONE],
    "under landmarks": {"fps": 30, "frames": [{"frame": 3, "landmarks": in_hands(frame)} for frame in GONE]},
}  # fmt: skip


@pytest.mark.parametrize("kind", JSON)
def test_json(tmp_path, kind):
    found, _ = one(tmp_path, ".json", json.dumps(JSON[kind]).encode())
    same(found, GONE)


@pytest.mark.parametrize("kind", ["JavaScript's names", "MessageToDict", "a list of persons"])
def test_a_frame_a_file(tmp_path, kind):
    held = JSON[kind][3:] + JSON[kind][:3]  # the first has no right hand
    for number, frame in enumerate(held):
        (tmp_path / "in/book/v").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"in/book/v/frame_{number:03d}.json").write_text(json.dumps(frame))
    same(imported(tmp_path / "in", tmp_path / "s").frames(0), np.roll(GONE, -3, axis=0))


def test_a_body_that_was_never_found_is_no_part(tmp_path):
    held = [{**frame, "poseLandmarks": None} for frame in JSON["JavaScript's names"]]
    found, _ = one(tmp_path, ".json", json.dumps(held).encode())
    same(found, GONE, slice(42))
    assert np.isnan(found[:, 42:]).all()


def test_hands_of_no_side_are_named(tmp_path):
    held = [{"hands": [points(frame[LEFT_HAND])]} for frame in CLIP]
    with pytest.raises(UserError, match="do not say which is the left one. Write them as left_han"):
        one(tmp_path, ".json", json.dumps(held).encode())


def side(name, form):
    category = {"categoryName": name, "score": 0.9}
    return {
        "landmarks": [category],
        "hand_landmarks": [{"category_name": name}],
        "multi_hand_landmarks": {"classification": [{"index": 1, "label": name}]},
        "hands": name,
    }[form]


@pytest.mark.parametrize("form", ["landmarks", "hand_landmarks", "multi_hand_landmarks", "hands"])
@pytest.mark.parametrize("files", [False, True])
def test_hands_whose_sides_are_said(tmp_path, form, files):
    held = []
    for frame in GONE:
        both = {"Right": points(frame[RIGHT_HAND]), "Left": points(frame[LEFT_HAND])}
        found = {name: hand for name, hand in both.items() if hand}
        sides = [side(name, form) for name in found]
        held.append({form: list(found.values()), "handedness": sides, "worldLandmarks": []})
    if files:
        (tmp_path / "in/book/v").mkdir(parents=True)
        for number, frame in enumerate(held):
            (tmp_path / f"in/book/v/frame_{number}.json").write_text(json.dumps(frame))
        found = imported(tmp_path / "in", tmp_path / "s").frames(0)
    else:
        found, _ = one(tmp_path, ".json", json.dumps(held).encode())
    same(found, GONE, slice(42))


@pytest.mark.parametrize("axes", [(8, 2, 21, 2), (8, 42, 2), (8, 84)])
def test_both_hands_in_an_array_beside_the_body(tmp_path, axes):
    np.savez(tmp_path / "a.npz", pose=CLIP[:, BODY], hands=CLIP[:, :42].reshape(axes))
    labelled(tmp_path, "a.npz")
    same(imported(tmp_path, tmp_path / "s").frames(0))


def test_names_with_blanks_are_parts_of_a_clip(tmp_path):
    held = {
        "Body": CLIP[:, BODY],
        "Left Hand": CLIP[:, LEFT_HAND],
        "right-hand": CLIP[:, RIGHT_HAND],
    }
    same(one(tmp_path, ".pkl", pickle.dumps(held))[0])
    assert [plain(name) for name in ("leftHand", "LH", 3)] == ["left_hand", "lh", 3]


@pytest.mark.parametrize("folders", [("pose", "lh", "rh"), ("body", "hand_left", "hand_right")])
def test_a_folder_a_part(tmp_path, folders):
    for folder, part in zip(folders, PARTS, strict=True):
        (tmp_path / "in" / folder).mkdir(parents=True)
        np.save(tmp_path / "in" / folder / "a.npy", CLIP[:, part])
    labelled(tmp_path / "in", "a")
    same(imported(tmp_path / "in", tmp_path / "s").frames(0))


@pytest.mark.parametrize("name", ["keyPoints", "KeyPoints", "landMarks"])
def test_points_may_have_an_inner_capital(tmp_path, name):
    held = {name: CLIP, "other": np.zeros((9, 9, 9))}
    same(one(tmp_path, ".pkl", pickle.dumps(held))[0])


def test_hands_beside_whole_persons_may_be_anything(tmp_path):
    held = [{"keypoints": frame.tolist(), "hands": 2} for frame in CLIP]
    same(one(tmp_path, ".json", json.dumps(held).encode())[0])


def test_parts_of_the_body_are_signs(tmp_path):
    for gloss in ("body", "left hand"):
        (tmp_path / "in" / gloss).mkdir(parents=True)
        np.save(tmp_path / "in" / gloss / "0.npy", CLIP)
    clips = imported(tmp_path / "in", tmp_path / "s").clips
    assert clips["gloss"].tolist() == ["body", "left hand"]


def test_left_and_right_are_signs(tmp_path):
    for gloss in ("left", "right"):
        (tmp_path / "in" / gloss).mkdir(parents=True)
        np.save(tmp_path / "in" / gloss / "0.npy", CLIP)
    assert list(imported(tmp_path / "in", tmp_path / "s").clips["gloss"]) == ["left", "right"]


def test_the_one_person_of_a_frame_is_in_no_list(tmp_path):
    sides = ("pose", "hand_left", "hand_right")
    (tmp_path / "in/a").mkdir(parents=True)
    for number, frame in enumerate(arranged(CLIP, "openpose25-left-right") * SIZE):
        pieces = np.split(np.pad(frame, ((0, 0), (0, 1)), constant_values=0.8), (25, 46))
        person = {
            f"{side}_keypoints_2d": p.ravel().tolist()
            for side, p in zip(sides, pieces, strict=True)
        }
        (tmp_path / f"in/a/a_{number:012d}_keypoints.json").write_text(
            json.dumps({"people": person})
        )
    labelled(tmp_path / "in", "a")
    found = imported(tmp_path / "in", tmp_path / "s", width=1280, height=720).frames(0)
    same(found, joints=slice(42))


def test_25_points_of_a_body_beside_hands_may_be_openposes(tmp_path):
    points = arranged(CLIP, "openpose25-left-right")
    parts = {
        "pose_keypoints_2d": points[:, :25],
        "hand_left": points[:, 25:46],
        "hand_right": points[:, 46:],
    }
    found, store = one(tmp_path, ".npz", npz(**parts))
    same(found, joints=[*range(42), 57, 58])
    assert "order openpose25-left-right" in " ".join(store.card["conversion"]["recognised"])
