"""What an encoder sees of a target set when the two do not have the same joints.

A set of hands alone and a set with bodies can be pretrained on and evaluated on each other: joints
that are absent on one side are masked on the other.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from sslslr.config.study import TargetConfig
from sslslr.data.preprocess import Preprocessed
from sslslr.data.splits import splits_of
from sslslr.data.store import ClipStore
from sslslr.encoders.inputs._base import Inputs, measure_inputs
from sslslr.pose.skeleton import N_JOINTS, PARTS
from sslslr.utils.errors import UserError


def joints_seen(run: dict[str, Any], target: TargetConfig) -> np.ndarray:
    """bool (75,): the joints of a target that an encoder is given.

    A joint that no pretraining clip had is masked: its weights are as they were drawn, and what a
    clip is measured by (shoulders or wrists) must be the same on both sides of a transfer.

    Args:
        run: the encoder's run.json; `joints` is None for an encoder that was not pretrained.
    """
    if "joints" not in run:
        raise UserError(
            "the encoder's run.json does not state the joints that it has seen. Pretrain the run again."
        )
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


def measured_by_target(
    encoder: nn.Module,
    store: ClipStore,
    target: TargetConfig,
    dataset: str,
    prepared: Preprocessed,
) -> bool:
    """Standardise the inputs of an encoder that was not pretrained by the target's training clips."""
    if not any(isinstance(part, Inputs) and part.standardise for part in encoder.modules()):
        return False
    split = splits_of(store.clips, target, dataset)[prepared.indices]
    rows = np.flatnonzero(np.isin(split, target.train))
    if len(rows):  # else the task says what is missing
        measure_inputs(encoder, prepared.batch[torch.from_numpy(rows)])
    return True
