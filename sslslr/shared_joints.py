"""What an encoder sees of a target set when the two do not have the same joints.

A set of hands alone and a set with bodies can be pretrained on and evaluated on each other: joints
that are absent on one side are masked on the other.
"""

from typing import Any

import numpy as np

from sslslr.clips import ClipStore
from sslslr.config import TargetConfig
from sslslr.skeleton import N_JOINTS, PARTS


def joints_seen(run: dict[str, Any], target: TargetConfig) -> np.ndarray:
    """bool (75,): the joints of a target that an encoder is given.

    A joint that no pretraining clip had is masked: its weights are as they were drawn, and what a
    clip is measured by (shoulders or wrists) must be the same on both sides of a transfer.

    Args:
        run: the encoder's run.json; `joints` is None for an encoder that was not pretrained.
    """
    seen = np.zeros(N_JOINTS, dtype=bool)
    seen[list(range(N_JOINTS) if run["joints"] is None else run["joints"])] = True
    wanted = np.zeros(N_JOINTS, dtype=bool)
    for part in target.parts:
        wanted[PARTS[part]] = True
    return seen & wanted


def joint_counts(store: ClipStore, seen: np.ndarray) -> dict[str, int]:
    """How many joints of a target are used, and how many it has that are masked."""
    has = store.joints_present()
    return {
        "n_joints": int((has & seen).sum()),
        "n_joints_masked": int((has & ~seen).sum()),
    }


def why_masked(target: TargetConfig) -> str:
    """The reason, in words."""
    left_out = [part for part in PARTS if part not in target.parts]
    if left_out:
        return f"`evaluate.targets` leaves out {' and '.join(left_out)}"
    return "no pretraining clip had them"
