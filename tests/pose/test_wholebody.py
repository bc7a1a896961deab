"""The map from COCO-WholeBody's 133 keypoints to the 75 joints, on keypoints made by hand."""

from pathlib import Path

import numpy as np
import pytest

from sslslr.pose.skeleton import FROM_WHOLEBODY, MIRROR, NAMES, from_wholebody

# Jin et al. 2020, figure 2: numbers from 1 there, from 0 here. Written out apart from the map.
_PAIRS = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
BODY = ["nose", *(f"{side}_{name}" for name in _PAIRS for side in ("left", "right"))]
FINGERS = ("thumb", "index", "middle", "ring", "pinky")


def person():
    """(133, 2): a signer who faces the camera, so that the left is at larger x. y points down."""
    points = np.full((133, 2), np.nan)
    middle = {
        "nose": (0, 10), "eye": (3, 8), "ear": (6, 9), "shoulder": (12, 25), "elbow": (18, 40),
        "wrist": (20, 55), "hip": (8, 60), "knee": (8, 80), "ankle": (8, 100),
    }  # fmt: skip
    for number, name in enumerate(BODY):
        side = 1 if name.startswith("left") else -1
        x, y = middle[name.removeprefix("left_").removeprefix("right_")]
        points[number] = (side * x, y)
    for first, side in ((17, 1), (20, -1)):
        points[first : first + 3] = [
            (side * 9, 106),
            (side * 12, 105),
            (side * 7, 102),
        ]  # toes, heel
    face = points[23:91]
    face[:17] = [
        (-8 + i, 10 + 5 * np.sin(np.pi * i / 16)) for i in range(17)
    ]  # the jaw, from the right
    face[36:42] = [(-4, 8), (-3.5, 7.5), (-2.5, 7.5), (-2, 8), (-2.5, 8.5), (-3.5, 8.5)]
    face[42:48] = [(2, 8), (2.5, 7.5), (3.5, 7.5), (4, 8), (3.5, 8.5), (2.5, 8.5)]
    face[48:60] = [(-3 + i, 14) for i in range(7)] + [(2 - i, 15) for i in range(5)]
    for first, side in ((91, 1), (112, -1)):
        points[first] = (side * 20.5, 56)
        for finger in range(5):
            for joint in range(4):
                x = 20 + 2 - finger  # thumbs point outwards here
                points[first + 1 + 4 * finger + joint] = (side * x, 58 + 2 * joint)
    return points


def test_every_joint_lies_where_its_name_says():
    joints = dict(zip(NAMES, from_wholebody(person()), strict=True))
    body = {n.removeprefix("body."): xy for n, xy in joints.items() if n.startswith("body.")}
    expected = {
        "nose": (0, 10), "left_eye": (3, 8), "left_eye_inner": (2, 8), "left_eye_outer": (4, 8),
        "right_eye": (-3, 8), "right_eye_inner": (-2, 8), "right_eye_outer": (-4, 8),
        "left_ear": (6, 9), "mouth_left": (3, 14), "mouth_right": (-3, 14),
        "left_shoulder": (12, 25), "right_elbow": (-18, 40), "left_wrist": (20, 55),
        "left_hip": (8, 60), "right_knee": (-8, 80), "left_ankle": (8, 100),
        "left_heel": (7, 102), "right_heel": (-7, 102), "left_foot_index": (9, 106),
        "right_foot_index": (-9, 106), "left_index": (21, 58), "right_index": (-21, 58),
        "left_pinky": (18, 58), "left_thumb": (22, 60), "right_thumb": (-22, 60),
    }  # fmt: skip
    for name, xy in expected.items():
        np.testing.assert_array_equal(body[name], xy, err_msg=name)
    for side, sign in (("left", 1), ("right", -1)):
        hand = {n.split(".")[1]: xy for n, xy in joints.items() if n.startswith(f"{side}_hand.")}
        np.testing.assert_array_equal(hand["wrist"], (sign * 20.5, 56))
        for number, finger in enumerate(FINGERS):
            tip = hand[f"{finger}_tip"]
            np.testing.assert_array_equal(tip, (sign * (22 - number), 64), err_msg=finger)


def test_nothing_is_missing_and_left_and_right_mirror_each_other():
    joints = from_wholebody(person())
    assert np.isfinite(joints).all()
    np.testing.assert_array_equal(joints[MIRROR] * (-1, 1), joints)


def test_names_agree_with_mmposes_where_it_is_installed():
    mmpose = pytest.importorskip("mmpose", reason="mmpose is not installed; run `make pose`")
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    configs = Path(mmpose.__file__).parent / ".mim/configs"
    keypoints = configs / "_base_/datasets/coco_wholebody.py"
    meta = parse_pose_metainfo({"from_file": str(keypoints)})
    theirs = [meta["keypoint_id2name"][int(i)] for i in FROM_WHOLEBODY]
    for ours, name in zip(NAMES, theirs, strict=True):
        part, joint = ours.split(".")
        side = next((s for s in ("left", "right") if s in ours), "")
        if name.startswith("face-"):
            # 68 points are numbered from the person's right: 36-41 right eye, 42-47 left eye.
            assert joint.split("_")[-1] in ("inner", "outer", "left", "right")
            continue
        assert side in name, (ours, name)
        if part == "body" and name in (joint, "nose"):
            continue
        finger = joint.replace("left_", "").replace("right_", "").split("_")[0]
        theirs_say = name.replace("forefinger", "index").replace("big_toe", "foot_index")
        assert finger.replace("wrist", "root") in theirs_say, (ours, name)


def test_confidence_goes_along_and_another_layout_is_refused():
    assert from_wholebody(np.zeros((4, 133, 3))).shape == (4, 75, 3)
    with pytest.raises(ValueError, match="133"):
        from_wholebody(np.zeros((4, 17, 2)))
