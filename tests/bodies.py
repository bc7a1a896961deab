"""A signer made by the tests: hands at the wrists of a body, in the arrangements that tools write."""

import numpy as np

from sslslr.pose.layouts import named
from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND


def signer(frames: int = 8, seed: int = 0) -> np.ndarray:
    """(frames, 75, 2) float32, 0 to 1: shoulders 0.24 apart, hands 0.05 large that move."""
    rng = np.random.default_rng(seed)
    body = {
        0: (0.5, 0.25), 7: (0.55, 0.25), 8: (0.45, 0.25), 11: (0.62, 0.45), 12: (0.38, 0.45),
        13: (0.68, 0.62), 14: (0.32, 0.62), 15: (0.62, 0.7), 16: (0.4, 0.72), 23: (0.58, 0.85), 24: (0.42, 0.85),
    }  # fmt: skip
    out = np.empty((frames, 75, 2))
    out[:, BODY] = np.array([0.5, 0.3]) + rng.normal(0, 0.02, (33, 2))
    for joint, place in body.items():
        out[:, BODY.start + joint] = place
    out[:, BODY.start + 25 :] = np.array([0.5, 1.1]) + rng.normal(0, 0.05, (8, 2))
    swing = 0.04 * np.sin(np.linspace(0, 3, frames))[:, None] * (1, -1)
    for hand, wrist in ((LEFT_HAND, 15), (RIGHT_HAND, 16)):
        out[:, BODY.start + wrist] += swing
        shape = rng.uniform(-0.03, 0.03, (21, 2))
        shape[0] = 0
        out[:, hand] = out[:, BODY.start + wrist, None] + shape
    return out.astype(np.float32)


def arranged(
    frames: np.ndarray, layout: str, coordinates: int = 2, fill: float = 0.4
) -> np.ndarray:
    """(frames, 75, 2) as a file of `layout` has it; what the 75 joints do not say is `fill`."""
    order = named(layout)
    out = np.full((len(frames), order.points, coordinates), fill, dtype=np.float32)
    out[..., :2] += np.random.default_rng(0).normal(0, 0.03, (order.points, 2))
    out[..., 2:] = 0
    for joint in (
        *range(42, 75),
        *range(42),
    ):  # hands last: COCO-WholeBody lends the body their knuckles
        if order.places[joint] >= 0:
            out[:, order.places[joint], :2] = frames[:, joint]
    return out
