"""One epoch of pretraining: two views of each clip, the method's loss, a step of the optimiser."""

import functools
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslslr.augment import View, at_frames
from sslslr.config.run import RunSpec
from sslslr.config.study import PretrainConfig
from sslslr.data.batch import Batch
from sslslr.training.checkpoint import TrainingState
from sslslr.training.collapse import watched_clips
from sslslr.training.distributed import Ranks
from sslslr.training.stop import Stopped, StopSwitch
from sslslr.utils.errors import UserError
from sslslr.utils.progress import ProgressCallback
from sslslr.utils.seeds import derive, generator


@dataclass
class EpochContext:
    """What an epoch needs beside the state that it changes."""

    spec: RunSpec
    fabric: Any
    ranks: Ranks
    data: Batch  # on the device
    sources: Batch  # the same clips as views are cut from them, with as many frames or more
    view: View
    checkpoint: Path
    stop: StopSwitch
    progress: ProgressCallback | None = None

    @functools.cached_property
    def watched(self) -> Batch:
        """Clips whose embedding is watched for collapse."""
        return watched_clips(self.data)

    def stop_if_asked(self, state: TrainingState) -> None:
        """Save and leave, if one of the ranks was asked to.

        Raises:
            Stopped: it was.
        """
        if not self.ranks.any(self.stop.asked):
            return
        if self.ranks.rank == 0:
            state.save(self.checkpoint)
        inside = f" and {len(state.losses)} steps" if state.losses else ""
        raise Stopped(
            f"{self.spec.run_id}: asked to stop; saved {self.checkpoint} after epoch {state.epoch}{inside}. "
            "The same command goes on from there."
        )


class Batches:
    """The clips of each step of an epoch, shuffled by the run's seed, and their views."""

    def __init__(self, spec: RunSpec, data: Batch, sources: Batch, epoch: int):
        self._data, self._sources = data, sources
        self._draws_of = (spec.seed, "views", epoch)
        self._draws = torch.Generator(device=data.keypoints.device)
        order = torch.randperm(len(data), generator=generator(spec.seed, "order", epoch))
        size = min(spec.pretrain.batch_size, len(data))
        on_device = order.to(data.keypoints.device)
        self._rows = [rows for rows in on_device.split(size) if len(rows) > 1]

    def __len__(self) -> int:
        return len(self._rows)

    def step(self, number: int, view: View) -> tuple[tuple[Batch, Batch, Batch], torch.Generator]:
        """Clips, two views of them, and what the method may go on drawing from."""
        # Draws come from (seed, epoch, step), so that a resume repeats them and a checkpoint after
        # any step need not hold the state of a generator.
        seed, *purpose = self._draws_of
        self._draws.manual_seed(derive(seed, *purpose, number))
        clip, source = self._data[self._rows[number]], self._sources[self._rows[number]]
        frames = clip.keypoints.shape[1]
        first, second = (at_frames(view(source, self._draws), frames) for _ in range(2))
        return (clip, first, second), self._draws


def train_epoch(context: EpochContext, state: TrainingState) -> None:
    """Pass over the data once, or over the rest of it; appends a row to the history.

    Raises:
        UserError: a loss that is not finite, with epoch and step.
        Stopped: asked to; the state is saved.
    """
    spec, settings = context.spec, context.spec.pretrain
    epoch = state.epoch + 1
    batches = Batches(spec, context.data, context.sources, epoch)
    total = settings.epochs * len(batches)
    state.method.train()
    for number in range(len(state.losses), len(batches)):
        done = (epoch - 1) * len(batches) + number
        for group in state.optimizer.param_groups:
            factor = rate_factor(settings.schedule, done, total, settings.warmup)
            group["lr"] = settings.learning_rate * factor
        clips, draws = batches.step(number, context.view)
        # Dropout draws from the global generator: on each rank its own masks.
        torch.manual_seed(derive(spec.seed, "dropout", epoch, number, context.ranks.rank))
        loss, terms = state.method(*clips, draws)
        context.fabric.backward(loss)
        if settings.clip_norm is not None:
            clip_gradients(context.fabric, state, settings.clip_norm)
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)
        state.step += 1
        state.module.after_step((done + 1) / total)
        state.losses.append(loss.detach())
        for name, term in terms.items():
            state.sums[name] = state.sums.get(name, 0) + term
        if context.progress is not None:
            context.progress(done + 1, total)
        context.stop_if_asked(state)
    close_epoch(state, spec.run_id)


def clip_gradients(fabric: Any, state: TrainingState, norm: float) -> None:
    """Bring the gradients down to a norm; of a committee each member's, as if it were alone.

    Raises:
        RuntimeError: a gradient that is not finite.
    """
    members = getattr(state.module, "apart", [])
    fabric.clip_gradients(state.method, state.optimizer, max_norm=math.inf if members else norm)
    for member in members:
        torch.nn.utils.clip_grad_norm_(member.parameters(), norm)


def close_epoch(state: TrainingState, run_id: str) -> None:
    """Append the history's row of an epoch whose steps are done.

    Raises:
        UserError: a loss that is not finite, with epoch and step.
    """
    values = torch.stack(state.losses).float().cpu()  # the one wait for the device in an epoch
    _stop_unless_finite(values, run_id, state.epoch + 1, state)
    state.epoch += 1
    row = {"epoch": state.epoch, "step": state.step, "loss": values.mean().item()}
    row |= {f"loss_{name}": (value / len(values)).item() for name, value in state.sums.items()}
    state.history.append(row)
    state.losses, state.sums = [], {}


def decayed(method: torch.nn.Module, settings: PretrainConfig) -> list[dict[str, Any]]:
    """The parameters that learn, in groups of one weight decay."""
    learnt = [p for p in method.parameters() if p.requires_grad]
    if settings.decayed == "all":
        return [{"params": learnt, "weight_decay": settings.weight_decay}]
    matrices, others = ([p for p in learnt if (p.ndim > 1) == wide] for wide in (True, False))
    groups = [(matrices, settings.weight_decay), (others, 0.0)]
    return [{"params": group, "weight_decay": decay} for group, decay in groups if group]


def rate_factor(schedule: str, step: int, steps: int, warmup: Fraction = Fraction(1, 20)) -> float:
    """Factor of the learning rate in step 0, 1, ...: 1, or a warm-up and then a cosine to zero."""
    if schedule == "constant":
        return 1.0
    first = max(1, int(steps * warmup))
    if step < first:
        return (step + 1) / first
    return 0.5 * (1 + math.cos(math.pi * (step - first) / max(1, steps - first)))


def _stop_unless_finite(losses: Tensor, run_id: str, epoch: int, state: TrainingState) -> None:
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad) == 0:
        return
    first = int(bad[0])
    step = state.step - len(losses) + first + 1
    if first:
        last = f"{losses[first - 1].item():.6g} at step {step - 1}"
    elif state.history and "loss" in state.history[-1]:
        last = f"{state.history[-1]['loss']:.6g}, the mean of epoch {epoch - 1}"
    else:
        last = "none, it was the first step"
    raise UserError(
        f"{run_id}: the loss is {losses[first].item()} in epoch {epoch}, step {step}; last finite loss: {last}. "
        "Nothing was written. Lower `pretrain.learning_rate`, use `precision: 32-true`, or look at the "
        "clips with `sslslr data check`."
    )
