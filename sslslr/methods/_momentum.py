"""Momentum (target) networks: slow copies of a network that no gradient reaches.

After each optimiser step, with momentum m:  target = m * target + (1 - m) * online
"""

import copy
import math

import torch
from torch import nn


def slow_copy(network: nn.Module) -> nn.Module:
    """A copy of `network` whose parameters take no gradient, so that the optimiser skips them.

    It is a submodule like any other: in `state_dict`, and in training mode with its owner, so that
    its batch norms use their own batch's statistics, as in the code of MoCo and BYOL.
    """
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def follow(target: nn.Module, online: nn.Module, momentum: float) -> None:
    """Move the target's parameters towards the online network's; buffers are the target's own."""
    for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
        slow.lerp_(fast, 1 - momentum)


def cosine_momentum(start: float, progress: float) -> float:
    """From `start` to 1 along half a cosine: 1 - (1 - start) (cos(pi progress) + 1) / 2 (BYOL)."""
    return 1 - (1 - start) * (math.cos(math.pi * progress) + 1) / 2
