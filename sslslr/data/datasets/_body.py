"""The articulated signer's body: from hand states to the 75 joints, batched.

Lengths are in shoulder widths, the origin is the middle of the shoulders, y points down and the
signer faces the camera, so that the left hand is on the right of the image. A hand's state is ten
numbers (`STATE`), mirrored left and right so that a symmetric sign has equal states. Arrays are
(clips, frames, hands, ...), hand 0 = left, 1 = right. Proportions are rough adult averages.
"""

import numpy as np

STATE = ("out", "down", "lean", "roll", "thumb", "index", "middle", "ring", "pinky", "spread")
POSITION, LEAN, ROLL, CURLS, SPREAD = slice(0, 2), 2, 3, slice(4, 9), 9
SIDE = np.array([1.0, -1.0], dtype=np.float32)  # x of a hand's own side: left is image right

UPPER_ARM, FOREARM, PALM = 0.92, 0.80, 0.27
# A straight arm would be this much of its length in the image: the rest is elbow bend.
STRAIGHTNESS = 0.80

# Body joints that do not depend on the arms, MediaPipe's names and order: (x, y).
_HEAD = {
    "nose": (0, -0.50), "left_eye_inner": (0.05, -0.60), "left_eye": (0.09, -0.60),
    "left_eye_outer": (0.13, -0.59), "right_eye_inner": (-0.05, -0.60),
    "right_eye": (-0.09, -0.60), "right_eye_outer": (-0.13, -0.59), "left_ear": (0.21, -0.54),
    "right_ear": (-0.21, -0.54), "mouth_left": (0.07, -0.38), "mouth_right": (-0.07, -0.38),
}  # fmt: skip
HEAD = np.array(list(_HEAD.values()), dtype=np.float32)
SHOULDERS = np.array([[0.5, 0.0], [-0.5, 0.0]], dtype=np.float32)
HIPS = np.array([[0.31, 1.60], [-0.31, 1.60]], dtype=np.float32)

# Knuckles of index, middle, ring and pinky: angle from the palm's axis (towards the thumb), length.
_KNUCKLES = np.array([[0.30, 1.00], [0.03, 1.00], [-0.22, 0.94], [-0.48, 0.86]], dtype=np.float32)
_FINGER_LENGTHS = np.array([0.95, 1.05, 0.97, 0.76], dtype=np.float32)
_PHALANGES = np.array([0.50, 0.31, 0.24], dtype=np.float32)  # of a palm's length
_FLEXION = np.array([1.35, 1.75, 1.05], dtype=np.float32)  # radians at curl 1, per joint
_FAN = np.array([0.22, 0.05, -0.12, -0.30], dtype=np.float32)  # radians at spread 1


def _finger_joints(curls: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Four fingers in the palm's frame (forward, thumbward, normal): (..., 4, 4, 3)."""
    bend = np.cumsum(curls[..., 1:, None] * _FLEXION, axis=-1)  # (..., 4, 3)
    length = _FINGER_LENGTHS[:, None] * _PHALANGES
    forward, normal = length * np.cos(bend), length * np.sin(bend)
    angle = (_KNUCKLES[:, 0] * 0.5 + _FAN * spread[..., None])[..., None]
    steps = np.stack([forward * np.cos(angle), forward * np.sin(angle), normal], axis=-1)
    knuckle = np.zeros((4, 1, 3), dtype=np.float32)
    knuckle[:, 0, 0] = _KNUCKLES[:, 1] * np.cos(_KNUCKLES[:, 0])
    knuckle[:, 0, 1] = _KNUCKLES[:, 1] * np.sin(_KNUCKLES[:, 0])
    first = np.broadcast_to(knuckle, (*steps.shape[:-3], 4, 1, 3))
    return np.concatenate([first, knuckle + np.cumsum(steps, axis=-2)], axis=-2)


def _thumb_joints(curl: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """The thumb in the palm's frame: (..., 4, 3). Curled, it folds over the palm."""
    angle = (0.55 + 0.5 * spread - 0.75 * curl)[..., None] - curl[..., None] * np.array(
        [0.0, 0.35, 0.7], dtype=np.float32
    )
    length = np.array([0.36, 0.30, 0.25], dtype=np.float32)
    normal = length * np.sin(0.6 * curl)[..., None]
    steps = np.stack([length * np.cos(angle), length * np.sin(angle), normal], axis=-1)
    base = np.array([0.28, 0.30, 0.0], dtype=np.float32)
    first = np.broadcast_to(base, (*steps.shape[:-2], 1, 3))
    return np.concatenate([first, base + np.cumsum(steps, axis=-2)], axis=-2)


def hand_joints(state: np.ndarray, wrist: np.ndarray) -> np.ndarray:
    """The 21 joints of both hands in the image plane.

    Args:
        state: (clips, frames, 2, 10), see `STATE`.
        wrist: (clips, frames, 2, 2).

    Returns:
        (clips, frames, 2, 21, 2).
    """
    curls, spread = state[..., CURLS], state[..., SPREAD]
    thumb = _thumb_joints(curls[..., 0], spread)
    fingers = _finger_joints(curls, spread)
    fingers = fingers.reshape(*fingers.shape[:-3], 16, 3)
    local = np.concatenate([np.zeros_like(thumb[..., :1, :]), thumb, fingers], axis=-2) * PALM
    roll, lean = state[..., ROLL, None], state[..., LEAN]
    thumbward = local[..., 1] * np.cos(roll) + local[..., 2] * np.sin(roll)
    forward = np.stack([-SIDE * np.sin(lean), -np.cos(lean)], axis=-1)  # lean 0: fingers up
    across = SIDE[:, None] * np.stack([forward[..., 1], -forward[..., 0]], axis=-1)
    along = local[..., 0, None] * forward[..., None, :]
    plane = along + thumbward[..., None] * across[..., None, :]
    return wrist[..., None, :] + plane


def bend_arms(target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two-link inverse kinematics in the image plane.

    A hand near the shoulder means an arm that points at the camera, so the links are foreshortened
    with the distance rather than folded flat in the image; a target out of reach is pulled in.

    Args:
        target: where the wrists should be, (clips, frames, 2, 2).

    Returns:
        Elbows and wrists, each (clips, frames, 2, 2).
    """
    reach = target - SHOULDERS
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    direction = reach / np.maximum(distance, 1e-6)
    distance = np.clip(distance, 0.12, 0.985 * (UPPER_ARM + FOREARM))
    shrink = np.minimum(distance / (STRAIGHTNESS * (UPPER_ARM + FOREARM)), 1.0)
    upper, fore = UPPER_ARM * shrink, FOREARM * shrink
    along = (distance**2 + upper**2 - fore**2) / (2 * distance)
    aside = np.sqrt(np.maximum(upper**2 - along**2, 0.0))
    # The elbow lies outward and down of the line from shoulder to wrist.
    outward = SIDE[:, None] * np.stack([direction[..., 1], -direction[..., 0]], axis=-1)
    elbow = SHOULDERS + along * direction + aside * outward
    return elbow, SHOULDERS + distance * direction


def all_joints(state: np.ndarray, nod: np.ndarray) -> np.ndarray:
    """The 75 joints of a signer whose hands are in `state`; legs are NaN.

    Args:
        state: (clips, frames, 2, 10), see `STATE`.
        nod: (clips, frames, 2), how far the head is from its place.

    Returns:
        float32 (clips, frames, 75, 2), shoulder widths.
    """
    target = state[..., POSITION] * np.stack([SIDE, np.ones_like(SIDE)], axis=-1)
    elbow, wrist = bend_arms(target)
    hands = hand_joints(state, wrist)
    body = np.full((*state.shape[:2], 33, 2), np.nan, dtype=np.float32)
    body[..., 0:11, :] = HEAD + nod[..., None, :]
    body[..., 11:13, :] = SHOULDERS
    body[..., 13:15, :] = elbow
    body[..., 15:17, :] = wrist
    for first, joint in ((17, 17), (19, 5), (21, 2)):  # the pose's own pinky, index and thumb
        body[..., first : first + 2, :] = hands[..., joint, :]
    body[..., 23:25, :] = HIPS
    return np.concatenate([hands[..., 0, :, :], hands[..., 1, :, :], body], axis=-2)
