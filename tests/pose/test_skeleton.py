"""The 75-joint layout and the maps into it."""

import numpy as np
import pytest

from sslslr.pose import skeleton


def test_parts_cover_every_joint_once():
    joints = np.concatenate([np.arange(75)[part] for part in skeleton.PARTS.values()])
    assert joints.tolist() == list(range(75))
    assert len(skeleton.NAMES) == len(set(skeleton.NAMES)) == skeleton.N_JOINTS


def test_named_joints():
    assert skeleton.NAMES[skeleton.LEFT_WRIST] == "left_hand.wrist"
    assert skeleton.NAMES[skeleton.RIGHT_WRIST] == "right_hand.wrist"
    assert skeleton.NAMES[skeleton.LEFT_SHOULDER] == "body.left_shoulder"
    assert skeleton.NAMES[skeleton.RIGHT_SHOULDER] == "body.right_shoulder"
    assert skeleton.NAMES[skeleton.MIDDLE_MCP] == "left_hand.middle_mcp"


def test_mirror_swaps_names_and_is_its_own_inverse():
    assert (skeleton.MIRROR[skeleton.MIRROR] == np.arange(75)).all()
    for joint, other in enumerate(skeleton.MIRROR):
        swapped = skeleton.NAMES[joint].replace("left", "@").replace("right", "left")
        assert skeleton.NAMES[other] == swapped.replace("@", "right")
    assert skeleton.MIRROR[42] == 42  # the nose


def test_edges_stay_in_their_part():
    for part, edges in skeleton.EDGES.items():
        inside = np.arange(75)[skeleton.PARTS[part]]
        assert np.isin(np.array(edges), inside).all()


def test_hands_only_become_75_joints_with_a_missing_body():
    hands = np.random.default_rng(0).random((4, 42, 2)).astype(np.float32)
    frames = skeleton.to_75(hands)
    assert frames.shape == (4, 75, 2)
    np.testing.assert_array_equal(frames[:, :42], hands)
    assert np.isnan(frames[:, skeleton.BODY]).all()


def test_75_joints_pass_unchanged():
    frames = np.zeros((2, 75, 2), dtype=np.float16)
    assert skeleton.to_75(frames) is frames


@pytest.mark.parametrize("shape", [(3, 33, 2), (3, 75, 3), (75, 2), (3, 543, 2)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"joints"):
        skeleton.to_75(np.zeros(shape))


def test_from_parts_needs_a_part():
    with pytest.raises(ValueError, match="at least one"):
        skeleton.from_parts(None, None, None)
