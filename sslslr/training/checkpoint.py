"""The state of a run, after any step: in memory while it trains, on disk for a resume."""

import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslslr.utils.files import atomic_file


@dataclass
class TrainingState:
    """What a checkpoint holds. Random draws are no part of it: they come from (seed, epoch, step)."""

    method: Any
    optimizer: Any  # torch's AdamW in Fabric's wrapper
    precision: Any  # Fabric's, with the state of a gradient scaler where there is one
    identity: str  # of settings, code and data; a checkpoint of another identity is not resumed
    epoch: int = 0  # epochs that are complete
    step: int = 0  # optimiser steps, ever
    history: list[dict[str, float]] = field(default_factory=list)
    # Of the epoch that is under way, on the device: the loss of each step, the sum of each term.
    losses: list[Tensor] = field(default_factory=list)
    sums: dict[str, Tensor] = field(default_factory=dict)
    earlier: float = 0.0  # seconds that other processes worked on what a checkpoint gave
    began: float = field(default_factory=time.monotonic)

    @property
    def module(self) -> torch.nn.Module:
        """The method itself, without what Fabric may have wrapped it in."""
        return getattr(self.method, "module", self.method)

    def epochs_since(self, step: int) -> float:
        """Passes over the data since that step; the first may have been begun before it."""
        return (self.step - step) * self.epoch / self.step if self.step else 0.0

    def seconds(self) -> float:
        """What went into this state, earlier processes included."""
        return self.earlier + time.monotonic() - self.began

    def save(self, path: Path) -> None:
        state = {
            "seconds": self.seconds(),
            "identity": self.identity,
            "epoch": self.epoch,
            "step": self.step,
            "history": self.history,
            "losses": torch.stack(self.losses) if self.losses else torch.empty(0),
            "sums": self.sums,
            "method": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.precision.state_dict(),
        }
        # Through memory: torch's own writer reports a full disk as a RuntimeError without a cause.
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with atomic_file(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def resume(self, path: Path, device: torch.device) -> str:
        """Take up a checkpoint; says in words what was done, empty where there is none."""
        if not path.is_file():
            return ""
        try:
            state = torch.load(path, map_location=device, weights_only=True)
            identity = state["identity"]
        except Exception as error:  # a cut or foreign file: torch raises several kinds
            return f"checkpoint {path} cannot be read ({type(error).__name__}); starting from the beginning"
        if identity != self.identity:
            return (
                f"checkpoint {path} is of other settings, code or data; starting from the beginning"
            )
        self.method.load_state_dict(state["method"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.precision.load_state_dict(state["precision"])
        self.epoch, self.step, self.history = state["epoch"], state["step"], state["history"]
        self.earlier = state["seconds"]
        self.losses, self.sums = list(state["losses"].unbind()), state["sums"]
        inside = f" and {len(self.losses)} steps" if self.losses else ""
        return f"resumed after epoch {self.epoch}{inside} from {path}"
