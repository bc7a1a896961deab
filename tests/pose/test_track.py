import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sslslr.pose.track import Tracker, areas, box_around, overlaps

SIGNER, PASSER_BY, CROWD = [100, 50, 300, 400], [400, 60, 520, 380], [0, 0, 40, 60]


def moved(box, x, y=0):
    return [box[0] + x, box[1] + y, box[2] + x, box[3] + y]


def test_the_largest_is_taken_first_and_then_the_nearest_even_if_another_is_larger():
    tracker = Tracker()
    assert tracker.update([PASSER_BY, SIGNER, CROWD]) == 1
    huge = [350, 0, 1000, 700]
    assert tracker.update([huge, moved(SIGNER, 10), CROWD]) == 1
    assert tracker.update([moved(SIGNER, 25), huge]) == 0


def test_people_who_cross_keep_their_tracks():
    tracker = Tracker()
    for step in range(30):
        left, right = moved(SIGNER, 8 * step), moved(SIGNER, 300 - 8 * step, 60)
        right = [right[0], right[1], right[2] - 20, right[3] - 20]  # a little smaller
        assert tracker.update([left, right]) == 0


def test_someone_far_away_is_not_the_same_person_until_patience_ends():
    tracker = Tracker(patience=3)
    tracker.update([CROWD])
    far = [800, 500, 1000, 900]
    assert [tracker.update([far]) for _ in range(4)] == [None, None, None, 0]
    assert tracker.update([CROWD, moved(far, 5)]) == 1


def test_frames_without_anybody_do_not_lose_the_person():
    tracker = Tracker()
    tracker.update([SIGNER])
    assert [tracker.update(np.empty((0, 4))) for _ in range(40)] == [None] * 40
    assert tracker.update([PASSER_BY, moved(SIGNER, 5)]) == 1


def test_a_new_video_forgets():
    tracker = Tracker()
    tracker.update([CROWD])
    tracker.start()
    assert tracker.update([CROWD, SIGNER]) == 1


boxes = st.tuples(*[st.integers(0, 500)] * 4).map(
    lambda v: [min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]) + 1, max(v[1], v[3]) + 1]
)


@given(st.lists(boxes, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_detections_does_not_matter(found, random):
    shuffled = random.sample(found, len(found))
    a, b = Tracker(), Tracker()
    a.update(found), b.update(shuffled)
    assert areas(a.box[None])[0] == areas(b.box[None])[0]


@given(boxes, boxes)
def test_overlap_is_symmetric_and_at_most_one(a, b):
    a, b = np.array(a, float), np.array(b, float)
    assert overlaps(a[None], b)[0] == pytest.approx(overlaps(b[None], a)[0])
    assert 0 <= overlaps(a[None], b)[0] <= 1
    assert overlaps(a[None], a)[0] == pytest.approx(1)


def test_the_box_around_keypoints_holds_them_and_stays_in_the_picture():
    points = np.array(
        [[100, 100], [200, 100], [100, 300], [200, 300], [150, 200], [9e5, 9e5]], float
    )
    found = np.array([True] * 5 + [False])
    box = box_around(points, found, 640, 480, margin=0.1)
    np.testing.assert_allclose(box, [80, 80, 220, 320])
    near_the_edge = box_around(points - (95, 95), found, 640, 480, margin=0.1)
    assert near_the_edge.min() >= 0


def test_too_few_joints_give_no_box():
    points = np.random.default_rng(0).random((4, 133, 2)) * 100
    found = np.zeros((4, 133), bool)
    found[:, :4] = True
    assert box_around(points, found, 640, 480) is None
