"""A step of `config/encoder_cpu.yaml`, its parts, and what this CPU reaches in products of its sizes.

The recipe's step (`sl_fpn_rate`, two blocks, batch 256, one thread, bf16 where the CPU multiplies it)
stands beside the same loop around what one would write first: depthwise convolutions over time with
batch norm, from the joints' coordinates, at the same width. Rounds of all parts alternate, and each
figure is the median of its processor times, so other jobs stretch both sides alike. Part of `make
bench`.
"""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as `sslslr` does
import torch
from peers import PlainConvolution
from torch import nn
from torch.nn import functional as F

from sslslr.augment import at_frames, compose
from sslslr.config.load import load
from sslslr.data.batch import Batch, concatenate
from sslslr.encoders.inputs._base import measure_inputs
from sslslr.methods import METHODS
from sslslr.training.loop import decayed
from sslslr.training.pretrain import method_of
from sslslr.utils.hardware import choose_precision
from sslslr.workflow import grid

CONFIG = Path(__file__).parents[1] / "config" / "encoder_cpu.yaml"
RECIPE = "sl_fpn_rate.each_hand.{}.wlasl_2000.s0"
ENCODERS = ("transformer", "two_hands")
ROUNDS = 7
FRAMES, VIEW_FRAMES = 16, 64
PRECISION = choose_precision("cpu", load(CONFIG).pretrain.precision)[0]
MIXED = PRECISION == "bf16-mixed"
TYPE = torch.bfloat16 if MIXED else torch.float32


def autocast() -> torch.autocast:
    return torch.autocast("cpu", TYPE, enabled=MIXED)


def clips(n: int, frames: int) -> Batch:
    """Hands without a body on a smooth path; a seventh of the frames lacks a hand."""
    draws = torch.Generator().manual_seed(frames)
    path = torch.cumsum(torch.randn(n, frames, 1, 2, generator=draws) * 0.02, dim=1)
    keypoints = 0.4 + path + 0.1 * torch.rand(n, frames, 75, 2, generator=draws)
    lost = torch.rand(n, frames, 2, generator=draws) < 1 / 7
    keypoints[:, :, :42] *= ~lost.repeat_interleave(21, dim=2)[..., None]
    present = torch.zeros(n, 75, dtype=torch.bool)
    present[:, :42] = True
    return Batch(keypoints * present[:, None, :, None], torch.full((n,), frames), present)


class Step:
    """A method, its optimiser and what a step does with them."""

    def __init__(self, method: nn.Module, spec, data: Batch, sources: Batch):
        self.method, self.data, self.sources = method.train(), data, sources
        self.view = compose(spec.augmentation_steps)
        self.optimizer = torch.optim.AdamW(decayed(method, spec.pretrain), 1e-3, fused=True)
        self.clip_norm, self.draws = spec.pretrain.clip_norm, torch.Generator().manual_seed(0)

    def views(self) -> list[Batch]:
        return [at_frames(self.view(self.sources, self.draws), FRAMES) for _ in range(2)]

    def loss(self, views: list[Batch]) -> torch.Tensor:
        with autocast():
            return self.method(self.data, *views, self.draws)[0]

    def __call__(self) -> None:
        self.loss(self.views()).backward()
        nn.utils.clip_grad_norm_(self.method.parameters(), self.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def products(step: Step) -> list[Callable[[], object]]:
    """The matrix products of a step, forward and backward, on random matrices of their sizes."""
    sizes: list[tuple[int, int, int, bool]] = []

    def note(module: nn.Module, inputs: tuple[torch.Tensor], _: object) -> None:
        x, weight = inputs[0], module.weight
        sizes.append((x.shape[:-1].numel(), *weight.shape, x.requires_grad))

    linear = [module for module in step.method.modules() if isinstance(module, nn.Linear)]
    hooks = [module.register_forward_hook(note) for module in linear]
    step.loss(step.views())
    for hook in hooks:
        hook.remove()
    found = []
    for rows, wide, deep, backward in sizes:
        x, weight, y = (
            torch.randn(shape, dtype=TYPE) for shape in ((rows, deep), (wide, deep), (rows, wide))
        )
        found += [lambda x=x, w=weight: F.linear(x, w), lambda x=x, y=y: y.T @ x]
        found += [lambda y=y, w=weight: y @ w] if backward else []
    encoder = step.method.encoder
    for block in getattr(encoder, "blocks", []):  # attention: two products, four backward
        groups = 3 * len(step.data) * block.heads
        tokens = FRAMES // encoder.frames_per_token + hasattr(encoder, "class_token")
        deep = encoder.norm.weight.numel() // block.heads
        q, p = (torch.randn(groups, tokens, n, dtype=TYPE) for n in (deep, tokens))
        found += [lambda q=q: q @ q.transpose(1, 2), lambda p=p, q=q: p @ q] * 3
    return found


def measure(encoder: str, n: int = 256, rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds of one thread: step, views, inputs, products, and the plain step."""
    spec = grid.runs(load(CONFIG))[RECIPE.format(encoder)]
    data, sources = clips(n, FRAMES), clips(n, VIEW_FRAMES)
    method = method_of(spec)
    measure_inputs(method, data)
    ours = Step(method, spec, data, sources)
    entry = METHODS.get(spec.method_type)
    plain = entry(PlainConvolution(method.encoder.norm.weight.numel()), method.options)
    peer = Step(plain, spec, data, sources)
    together = concatenate([data, *ours.views()])
    own_products = products(ours)

    @torch.no_grad()
    def inputs() -> None:
        with autocast():
            method.encoder.inputs(together.keypoints, together.lengths)

    parts: dict[str, Callable[[], object]] = {
        "step": ours,
        "views": ours.views,
        "inputs": inputs,
        "products": lambda: [product() for product in own_products],
        "plain": peer,
    }
    times: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(1 + rounds):
        for name, part in parts.items():
            began = time.process_time()
            part()
            times[name].append(1000 * (time.process_time() - began))
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def main() -> None:
    torch.set_num_threads(1)
    names = {
        "step": "the whole step",
        "views": "two views of each clip",
        "inputs": "inputs of the three branches",
        "products": "the step's matrix products by themselves: the ceiling",
        "plain": "the same loop around depthwise convolutions and batch norm",
    }
    for encoder in ENCODERS:
        found = measure(encoder)
        print(
            f"\nA step of config/encoder_cpu.yaml, `{encoder}`, batch 256, one thread, {PRECISION}; medians"
        )
        print("| what | CPU ms | of the step |")
        print("| :--- | ---: | ---: |")
        for name, text in names.items():
            print(f"| {text} | {found[name]:.0f} | {found[name] / found['step']:.0%} |")


if __name__ == "__main__":
    main()
