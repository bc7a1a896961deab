"""What the loop asks of Lightning Fabric, for one CPU in full precision, where Fabric does nothing.

Fabric imports torch's compiler: 1.3 s of each job of a study that trains small encoders on CPU. It is
used wherever there is something for it to do: a GPU, several devices, other precisions.
"""

from typing import Any

import torch
from torch import Tensor, nn


class FullPrecision:
    """Fabric's precision plugin without a gradient scaler: no state."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take up."""


class OnCpu:
    """The few members of `lightning_fabric.Fabric` that a run uses."""

    def __init__(self) -> None:
        self.device = torch.device("cpu")
        self.strategy = self
        self.precision = FullPrecision()

    def setup(self, module: nn.Module, optimizer: Any) -> tuple[nn.Module, Any]:
        """Both as they are: there is nowhere to move them to."""
        return module, optimizer

    def backward(self, loss: Tensor) -> None:
        loss.backward()


def suffices(accelerator: str, devices: int, precision: str) -> bool:
    """Whether a run of these settings needs no Fabric."""
    return (accelerator, devices, precision) == ("cpu", 1, "32-true")
