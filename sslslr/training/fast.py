"""Compiled encoders (`pretrain.compile`): the nine tenths of a step that one program can fuse.

`torch.compile` replaces what an encoder computes in training; in evaluation (the figures of collapse)
and for `as_released`, which draws within its forward pass, it stays as it is. The compiler is tried
before the first step, on the shapes that an epoch has, so that a failure is met there: it is said,
recorded in run.json, and the run goes on without. What was compiled is kept between processes in
`~/.cache/sslslr/inductor` (or where `TORCHINDUCTOR_CACHE_DIR` points).
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sslslr.encoder import ENCODERS
from sslslr.errors import UserError
from sslslr.training.ranks import Say

CACHE = "TORCHINDUCTOR_CACHE_DIR"


@dataclass(frozen=True)
class Compilation:
    """What became of it: `off`, `on` or `failed`, how long it took, and why it failed."""

    outcome: str = "off"
    seconds: float = 0.0
    reason: str = ""


def wanted(setting: str, device: torch.device, devices: int) -> bool:
    """Whether to compile: `auto` is on a GPU alone; several devices share out an uncompiled encoder."""
    return devices == 1 and (setting == "on" or (setting == "auto" and device.type == "cuda"))


def compile_encoders(
    module: nn.Module, device: torch.device, steps: Iterable[Callable[[], Tensor]], say: Say
) -> Compilation:
    """Compile every encoder within `module`, or leave it as it was.

    Args:
        steps: each runs a forward and a backward pass of one shape and returns the loss; their effect
            on parameters, buffers, gradients and the random generators is undone.
    """
    encoders = [
        part
        for part in module.modules()
        if isinstance(part, tuple(ENCODERS.values())) and not hasattr(part, "draw_noise")
    ]

    def compile_all() -> None:
        for encoder in encoders:
            for name in sorted({"forward", "tokens"} & set(dir(encoder))):
                setattr(encoder, name, _in_training(encoder, getattr(encoder, name)))

    def undo() -> None:
        for encoder in encoders:
            for name in ("forward", "tokens"):
                vars(encoder).pop(name, None)

    before = {name: value.clone() for name, value in module.state_dict().items()}
    found = compile_or_undo(compile_all, undo, device, steps, say)
    module.load_state_dict(before)
    module.zero_grad(set_to_none=True)
    return found if encoders else Compilation("off", found.seconds, found.reason)


def compile_or_undo(
    compile_all: Callable[[], None],
    undo: Callable[[], None],
    device: torch.device,
    steps: Iterable[Callable[[], Tensor]],
    say: Say,
) -> Compilation:
    """Call `compile_all` and try the steps, which really compile; `undo` it where one of them fails.

    A loss that is not finite is a failure too: torch compiles some attention with dropout to that.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sslslr" / "inductor"
    os.environ.setdefault(CACHE, str(cache))
    began = time.monotonic()
    try:
        compile_all()
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            for step in steps:
                if not torch.isfinite(step()).all():
                    raise FloatingPointError("the loss of a compiled step is not finite")
    except UserError:  # the method's, compiled or not
        undo()
        raise
    except Exception as error:  # the compiler, the C++ compiler, Triton: each has its own kinds
        undo()
        text = str(error).strip() or type(error).__name__
        reason = f"torch.compile failed ({text.splitlines()[0][:200]}); training uncompiled"
        say(f"WARNING: {reason}")
        return Compilation("failed", time.monotonic() - began, reason)
    return Compilation("on", time.monotonic() - began)


def _in_training(encoder: nn.Module, plain: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`plain`, compiled for each shape where the encoder is in training mode."""
    compiled = torch.compile(plain, dynamic=False)

    def either(keypoints: Tensor, lengths: Tensor, generator: Any = None) -> Tensor:
        if encoder.training:
            return compiled(keypoints, lengths)
        return plain(keypoints, lengths, generator)

    return either
