"""The 75-joint layout that every clip store has, and the maps into it.

Left hand 0-20, right hand 21-41, body 42-74: MediaPipe's 21-point hands and 33-point pose
(`docs/paper.md`, "Input"). A source that lacks a part (a hands-only set has no body) fills it
with NaN, which means "missing" everywhere in this package.
"""

import numpy as np

N_JOINTS = 75
LEFT_HAND = slice(0, 21)
RIGHT_HAND = slice(21, 42)
BODY = slice(42, 75)
PARTS = {"left_hand": LEFT_HAND, "right_hand": RIGHT_HAND, "body": BODY}

HAND_NAMES = (
    "wrist",
    *(f"thumb_{joint}" for joint in ("cmc", "mcp", "ip", "tip")),
    *(
        f"{finger}_{joint}"
        for finger in ("index", "middle", "ring", "pinky")
        for joint in ("mcp", "pip", "dip", "tip")
    ),
)
BODY_NAMES = [
    "nose",
    "left_eye_inner",
    "left_eye",
    "left_eye_outer",
    "right_eye_inner",
    "right_eye",
    "right_eye_outer",
    "left_ear",
    "right_ear",
    "mouth_left",
    "mouth_right",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_pinky",
    "right_pinky",
    "left_index",
    "right_index",
    "left_thumb",
    "right_thumb",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_foot_index",
    "right_foot_index",
]
NAMES = (
    *(f"left_hand.{name}" for name in HAND_NAMES),
    *(f"right_hand.{name}" for name in HAND_NAMES),
    *(f"body.{name}" for name in BODY_NAMES),
)

LEFT_WRIST, RIGHT_WRIST = 0, 21
BODY_LEFT_WRIST, BODY_RIGHT_WRIST = BODY.start + 15, BODY.start + 16  # the body's own
LEFT_SHOULDER, RIGHT_SHOULDER = 42 + 11, 42 + 12
MIDDLE_MCP = 9  # within a hand: wrist to this joint is the length of the palm


def _hand_edges(first: int) -> list[tuple[int, int]]:
    edges = [(0, 1), (0, 5), (0, 17), (5, 9), (9, 13), (13, 17)]
    for root in (1, 5, 9, 13, 17):
        edges += [(root + i, root + i + 1) for i in range(3)]
    return [(first + a, first + b) for a, b in edges]


_BODY_EDGES = [(11, 12), (11, 13), (13, 15), (12, 14), (14, 16), (11, 23), (12, 24), (23, 24)]
_BODY_EDGES += [(7, 3), (3, 2), (2, 1), (1, 0), (0, 4), (4, 5), (5, 6), (6, 8), (9, 10)]
_BODY_EDGES += [(23, 25), (25, 27), (24, 26), (26, 28)]
EDGES = {
    "left_hand": _hand_edges(0),
    "right_hand": _hand_edges(21),
    "body": [(42 + a, 42 + b) for a, b in _BODY_EDGES],
}


# COCO-WholeBody's 133 keypoints (Jin et al., ECCV 2020): body 17, feet 6, face 68 (the 300-W order,
# which starts at the person's right jaw), left hand 21, right hand 21. Each joint of MediaPipe's
# body and the keypoint that stands for it. MediaPipe's eye and mouth corners lie where the face has
# its; its three joints of a hand lie nearest to the knuckles named here (docs/known-limits.md).
N_WHOLEBODY = 133
WHOLEBODY_LEFT_HAND, WHOLEBODY_RIGHT_HAND = slice(91, 112), slice(112, 133)
_FACE, _LEFT, _RIGHT = 23, 91, 112
WHOLEBODY_OF_BODY = {
    "nose": 0, "left_eye_inner": _FACE + 42, "left_eye": 1, "left_eye_outer": _FACE + 45,
    "right_eye_inner": _FACE + 39, "right_eye": 2, "right_eye_outer": _FACE + 36,
    "left_ear": 3, "right_ear": 4, "mouth_left": _FACE + 54, "mouth_right": _FACE + 48,
    "left_shoulder": 5, "right_shoulder": 6, "left_elbow": 7, "right_elbow": 8,
    "left_wrist": 9, "right_wrist": 10,
    "left_pinky": _LEFT + 17, "right_pinky": _RIGHT + 17,  # the little finger's MCP
    "left_index": _LEFT + 5, "right_index": _RIGHT + 5,  # the index finger's MCP
    "left_thumb": _LEFT + 2, "right_thumb": _RIGHT + 2,  # the thumb's MCP
    "left_hip": 11, "right_hip": 12, "left_knee": 13, "right_knee": 14,
    "left_ankle": 15, "right_ankle": 16, "left_heel": 19, "right_heel": 22,
    "left_foot_index": 17, "right_foot_index": 20,  # the big toes
}  # fmt: skip
# wholebody[..., FROM_WHOLEBODY, :] is the 75-joint layout.
FROM_WHOLEBODY = np.array(
    [
        *range(WHOLEBODY_LEFT_HAND.start, WHOLEBODY_LEFT_HAND.stop),
        *range(WHOLEBODY_RIGHT_HAND.start, WHOLEBODY_RIGHT_HAND.stop),
        *(WHOLEBODY_OF_BODY[name] for name in BODY_NAMES),
    ]
)


def _swap() -> np.ndarray:
    index = {name: i for i, name in enumerate(NAMES)}

    def other(name: str) -> str:
        if "left" in name:
            return name.replace("left", "right")
        return name.replace("right", "left")

    return np.array([index.get(other(name), i) for name, i in index.items()])


# keypoints[..., MIRROR, :] exchanges left and right: what a mirror does to names.
MIRROR = _swap()


def from_parts(
    left_hand: np.ndarray | None, right_hand: np.ndarray | None, body: np.ndarray | None
) -> np.ndarray:
    """Join parts into one (frames, 75, 2) float32 array; a part that is None becomes NaN.

    Args:
        left_hand, right_hand: (frames, 21, 2) or None.
        body: (frames, 33, 2) or None.
    """
    given = [part for part in (left_hand, right_hand, body) if part is not None]
    if not given:
        raise ValueError("at least one of left_hand, right_hand and body must be given")
    frames = np.full((len(given[0]), N_JOINTS, 2), np.nan, dtype=np.float32)
    for part, where in ((left_hand, LEFT_HAND), (right_hand, RIGHT_HAND), (body, BODY)):
        if part is not None:
            frames[:, where] = part
    return frames


def to_75(keypoints: np.ndarray) -> np.ndarray:
    """Bring (frames, 75, 2) or hands-only (frames, 42, 2) keypoints to the 75-joint layout.

    Raises:
        ValueError: another number of joints, or not two coordinates.
    """
    if keypoints.ndim != 3 or keypoints.shape[2] != 2:
        raise ValueError(f"expected (frames, joints, 2), found shape {keypoints.shape}")
    joints = keypoints.shape[1]
    if joints == N_JOINTS:
        return keypoints
    if joints == 42:
        return from_parts(keypoints[:, LEFT_HAND], keypoints[:, RIGHT_HAND], None)
    raise ValueError(
        f"{joints} joints; known layouts are 75 (left hand 21, right hand 21, body 33) and 42 "
        "(the hands alone)"
    )


def from_wholebody(keypoints: np.ndarray) -> np.ndarray:
    """COCO-WholeBody keypoints (..., 133, channels) in the 75-joint layout, (..., 75, channels).

    Raises:
        ValueError: another number of keypoints.
    """
    if keypoints.ndim < 2 or keypoints.shape[-2] != N_WHOLEBODY:
        raise ValueError(f"expected (..., {N_WHOLEBODY}, channels), found shape {keypoints.shape}")
    return keypoints[..., FROM_WHOLEBODY, :]
