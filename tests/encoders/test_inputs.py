"""Every input against a plain loop over clips, frames and hands, with one clip that lacks a hand."""

import itertools
import math

import numpy as np
import pytest
import torch

from sslslr.data.batch import Batch
from sslslr.encoders.inputs import INPUTS
from sslslr.encoders.inputs._base import LARGEST, LEAST_DEVIATION, Inputs
from sslslr.encoders.inputs._hands import hands_of
from sslslr.utils.errors import UserError

FRAMES = 9
PARENTS = [0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19]
TIPS, BASES = [4, 8, 12, 16, 20], [2, 5, 9, 13, 17]
THUMB_MEETS = [5, 6, 9, 10, 13, 17]
POINTS = [*TIPS, 0, 9]  # of one hand that meet those of the other


@pytest.fixture(params=[42, 75], ids=["hands alone", "with a body"])
def batch(request) -> Batch:
    """Three clips: one of full length, a shorter one, one without its left hand."""
    draws = torch.Generator().manual_seed(0)
    present = torch.ones(3, 75, dtype=torch.bool)
    present[:, request.param :] = False
    present[2, :21] = False
    clips = Batch(torch.rand(3, FRAMES, 75, 2, generator=draws), torch.tensor([9, 6, 7]), present)
    return clips.with_keypoints(clips.keypoints)


def values(name: str, batch: Batch) -> np.ndarray:
    hands = hands_of(batch.keypoints, batch.lengths, mirrored=True, fill=True)
    return INPUTS.get(name).values(hands).numpy()


class Plain:
    """One hand of one clip, by loops: local (n, 21, 2), wrist (n, 2), palm, there."""

    def __init__(self, batch: Batch, clip: int, hand: int):
        n = int(batch.lengths[clip])
        joints = batch.keypoints[clip, :n, 21 * hand : 21 * hand + 21].double().numpy()
        self.n, self.there = n, bool(batch.present[clip, 21 * hand])
        self.wrist, self.sign = joints[:, 0], np.array([-1.0 if hand == 0 else 1.0, 1.0])
        self.palm = np.mean([np.linalg.norm(frame[9] - frame[0]) for frame in joints])
        self.joints = joints
        self.local = (joints - joints[:, :1]) / max(self.palm, 1e-9) * self.sign


def by_hand(batch: Batch, of_hand) -> np.ndarray:
    """(B, T, 2, n) from `of_hand(plain, clip)`, (n frames, n); zero in padding and where missing."""
    parts = []
    for clip, hand in itertools.product(range(3), range(2)):
        plain = Plain(batch, clip, hand)
        rows = np.asarray(of_hand(plain, clip), dtype=float)
        padded = np.zeros((FRAMES, rows.shape[1]))
        padded[: plain.n] = rows * plain.there
        parts.append(padded)
    return np.stack(parts).reshape(3, 2, FRAMES, -1).transpose(0, 2, 1, 3)


def clip_palm(batch: Batch, clip: int) -> float:
    hands = [Plain(batch, clip, hand) for hand in range(2)]
    return float(np.mean([hand.palm for hand in hands if hand.there]))


def soft(vector, softness):
    return vector / (np.linalg.norm(vector) + softness)


def check(name: str, batch: Batch, expected: np.ndarray) -> None:
    np.testing.assert_allclose(values(name, batch), expected, atol=2e-4, rtol=2e-4)


def test_hand_shape_and_motion(batch):
    check("hand_shape", batch, by_hand(batch, lambda hand, _: hand.local.reshape(hand.n, -1)))

    def motion(hand, _):
        rows = []
        for time in range(hand.n):
            change = hand.local[time] - hand.local[max(time - 1, 0)]
            speed = [math.tanh(4 * np.linalg.norm(d)) for d in change[1:]]
            rows.append([*(2 * change[1:]).ravel(), *speed])
        return rows

    check("hand_motion", batch, by_hand(batch, motion))


def test_position_velocity_and_presence(batch):
    place, change = np.zeros((2, 3, FRAMES, 150))
    seen = np.zeros((3, FRAMES, 2, 1))
    for clip in range(3):
        for time in range(int(batch.lengths[clip])):
            frame = batch.keypoints[clip, time].double().numpy()
            place[clip, time] = frame.ravel()
            if time:
                change[clip, time] = (frame - batch.keypoints[clip, time - 1].numpy()).ravel()
            for hand in range(2):
                seen[clip, time, hand] = np.any(frame[21 * hand : 21 * hand + 21])
    for name, expected in (("position", place), ("velocity", change), ("presence", seen)):
        check(name, batch, expected)


def test_joined_inputs_are_those_of_the_hands_and_those_of_the_frame(batch):
    names = ["palm", "between_hands", "presence", "arms"]
    for standardise in (False, True):
        inputs = Inputs(names, mirrored=True, standardise=standardise, fill=True)
        inputs.measure(batch)
        palm, between, presence, arms = inputs(batch.keypoints, batch.lengths)
        by_hand, by_frame = inputs.joined(batch.keypoints, batch.lengths)
        assert by_hand.equal(torch.cat([palm, presence], dim=3))
        assert by_frame.equal(torch.cat([between, arms], dim=2))
    alone = Inputs(["palm"], mirrored=True, standardise=False, fill=True)
    assert alone.joined(batch.keypoints, batch.lengths)[1].shape == (3, FRAMES, 0)


def test_wrist_motion(batch):
    def motion(hand, clip):
        wrists = [
            w for h in range(2) for w in Plain(batch, clip, h).wrist if Plain(batch, clip, h).there
        ]
        path = (hand.wrist - np.mean(wrists, axis=0)) / clip_palm(batch, clip) * hand.sign
        rows = []
        for time in range(hand.n):
            step = path[time] - path[max(time - 1, 0)]
            row = [*path[time] / 2, *2 * step, *soft(step, 0.05)]
            for lag in (1, 2):  # T / 8, and T / 4, at least 2
                late = time + lag // 2
                inside = late - lag >= 0 and late < hand.n
                moved = path[late] - path[late - lag] if inside else np.zeros(2)
                row += [*moved / 2, *soft(moved, 0.3)]
            rows.append(row)
        return rows

    check("wrist_motion", batch, by_hand(batch, motion))


def test_wrist_place_is_relative_to_the_shoulders_where_there_are_any(batch):
    def place(hand, clip):
        body = batch.keypoints[clip, : hand.n, 42:].double().numpy()
        origin, unit = np.zeros(2), 1.0
        if batch.present[clip, 53]:
            origin = (body[:, 11] + body[:, 12]).mean(axis=0) / 2
            unit = np.mean([np.linalg.norm(frame[11] - frame[12]) for frame in body])
        rows = []
        for wrist in hand.wrist:
            x, y = (wrist - origin) / unit * hand.sign
            waves = [
                wave(f * v) for wave in (math.sin, math.cos) for v in (x, y) for f in (6, 12, 24)
            ]
            rows.append([4 * x, 4 * y, *waves])
        return rows

    np.testing.assert_allclose(
        values("wrist_place", batch), by_hand(batch, place), atol=1e-3, rtol=1e-3
    )


def test_bones_and_joint_angles(batch):
    def bones(hand, _):
        return [
            [v for j in range(1, 21) for v in soft(frame[j] - frame[PARENTS[j]], 0.05)]
            for frame in hand.local
        ]

    def angles(hand, clip):
        rows = []
        for row in np.array(bones(hand, clip)).reshape(hand.n, 5, 4, 2):
            pairs = [(f[i], f[i + 1]) for f in row for i in range(3)]
            cos = [a @ b for a, b in pairs]
            rows.append([*cos, *(a[0] * b[1] - a[1] * b[0] for a, b in pairs)])
        return rows

    check("bones", batch, by_hand(batch, bones))
    check("joint_angles", batch, by_hand(batch, angles))


def test_fingertip_distances_and_palm(batch):
    def distances(hand, _):
        rows = []
        for frame in hand.local:
            tips = frame[TIPS]
            row = [np.linalg.norm(tips[i] - tips[j]) for i in range(5) for j in range(i + 1, 5)]
            row += [np.linalg.norm(tip) for tip in tips]
            row += [np.linalg.norm(frame[t] - frame[b]) for t, b in zip(TIPS, BASES, strict=True)]
            rows.append(row + [np.linalg.norm(frame[4] - frame[b]) for b in THUMB_MEETS])
        return rows

    def palm(hand, _):
        return [
            [*soft(f[9], 0.05), np.linalg.norm(f[9]), f[5, 0] * f[17, 1] - f[5, 1] * f[17, 0]]
            for f in hand.local
        ]

    check("fingertip_distances", batch, by_hand(batch, distances))
    check("palm", batch, by_hand(batch, palm))


def test_between_hands(batch):
    expected = np.zeros((3, FRAMES, 62))
    for clip in range(3):
        left, right = (Plain(batch, clip, hand) for hand in range(2))
        unit = clip_palm(batch, clip)
        for time in range(left.n):
            there = [float(left.there), float(right.there)]
            row = np.zeros(62)
            row[8:10] = there
            if all(there):
                apart = (right.joints[time] - left.joints[time]) / unit
                r = np.linalg.norm(apart[0])
                near = [
                    math.exp(-np.linalg.norm(right.joints[time, a] - left.joints[time, b]) / unit)
                    for a in POINTS
                    for b in POINTS
                ]
                row = [*apart[[0, 8, 9]].ravel() / 2, r / 2, 1, *there, *near]
                row += [*soft(apart[0], 0.3), math.exp(-r / 2)]
            expected[clip, time] = row
    check("between_hands", batch, expected)


def test_arms(batch):
    expected = np.zeros((3, FRAMES, 28))
    for clip in range(3):
        if not batch.present[clip, 42]:
            continue
        body = batch.keypoints[clip, : batch.lengths[clip], 42:].double().numpy()
        origin = (body[:, 11] + body[:, 12]).mean(axis=0) / 2
        unit = np.mean([np.linalg.norm(frame[11] - frame[12]) for frame in body])
        hands = [Plain(batch, clip, hand) for hand in range(2)]
        for time, frame in enumerate(body):
            joints = (frame[[0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]] - origin) / unit
            near = [(h.wrist[time] - frame[0]) / unit * h.there for h in hands]
            row = [*joints.ravel(), *np.ravel(near), *(np.linalg.norm(v) for v in near)]
            expected[clip, time] = row
    check("arms", batch, expected)


def test_a_hand_that_some_frames_do_not_show_is_interpolated_and_presence_says_so(batch):
    whole = batch.keypoints.clone()
    whole[0, :, 21:42] = torch.linspace(1, 2, FRAMES)[:, None, None] * whole[0, 0, 21:42]
    broken = whole.clone()
    broken[0, 3:5, 21:42] = 0
    broken[0, 8, 21:42] = 0
    hands = hands_of(broken, batch.lengths, mirrored=False, fill=True)
    filled = hands.keypoints[0, :, 21:42]
    torch.testing.assert_close(filled[:8], whole[0, :8, 21:42])
    torch.testing.assert_close(filled[8], whole[0, 7, 21:42])  # the end is held
    seen = INPUTS.get("presence").values(hands)[0, :, 1, 0].tolist()
    assert seen == [1, 1, 1, 0, 0, 1, 1, 1, 0]


@pytest.mark.parametrize("name", INPUTS.names())
def test_padding_and_a_missing_hand_are_zero_and_a_clip_stands_alone(name, batch):
    together = values(name, batch)
    assert np.isfinite(together).all()
    assert (together[1, 6:] == 0).all()
    if together.ndim == 4:
        assert (together[2, :, 0] == 0).all()
    for clip in range(3):
        np.testing.assert_allclose(
            values(name, batch[clip : clip + 1])[0], together[clip], atol=1e-6
        )


def test_standardised_inputs_have_the_mean_and_deviation_of_the_clips_that_were_measured(batch):
    inputs = Inputs(["palm", "between_hands"], mirrored=True, standardise=True, fill=True)
    inputs.measure(batch)
    palm, between = inputs(batch.keypoints, batch.lengths)
    hands = hands_of(batch.keypoints, batch.lengths, mirrored=True, fill=True)
    shown = hands.inside[:, :, None] & hands.there[:, None]
    raw = INPUTS.get("palm").values(hands)[shown]
    scaled = (raw - raw.mean(dim=0)) / raw.std(dim=0).clamp_min(LEAST_DEVIATION)
    torch.testing.assert_close(palm[shown], scaled.clamp(-LARGEST, LARGEST), atol=1e-4, rtol=1e-4)
    assert (palm[~shown] == 0).all()
    assert (between[~hands.inside] == 0).all()
    assert set(inputs.state_dict()) == {"mean", "deviation", "measured"}


def test_no_hand_to_measure_by_is_an_error():
    inputs = Inputs(["palm"], mirrored=True, standardise=True, fill=True)
    empty = Batch(torch.zeros(4, 5, 75, 2), torch.full((4,), 5), torch.zeros(4, 75).bool())
    with pytest.raises(UserError, match="no clip has a hand"):
        inputs.measure(empty)
