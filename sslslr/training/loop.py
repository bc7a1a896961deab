"""One epoch of pretraining, and the figures of collapse after it."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslslr.augment import View
from sslslr.batch import Batch
from sslslr.collapse import figures
from sslslr.errors import UserError
from sslslr.grid import RunSpec
from sslslr.seeds import derive, generator
from sslslr.training.checkpoint import Training
from sslslr.training.dropout import quick_dropout
from sslslr.training.ranks import Progress, Ranks
from sslslr.training.stop import Stopped, StopSwitch


@dataclass
class Around:
    """What an epoch needs beside the state that it changes."""

    spec: RunSpec
    fabric: Any
    ranks: Ranks
    data: Batch  # on the device
    view: View
    checkpoint: Path
    stop: StopSwitch
    progress: Progress | None = None
    compiled: bool = False  # the encoder, which then draws its own dropout

    def stop_if_asked(self, training: Training) -> None:
        """Save and leave, if one of the ranks was asked to."""
        if not self.ranks.any(self.stop.asked):
            return
        if self.ranks.rank == 0:
            training.save(self.checkpoint)
        inside = f" and {len(training.losses)} steps" if training.losses else ""
        raise Stopped(
            f"{self.spec.run_id}: asked to stop; saved {self.checkpoint} after epoch {training.epoch}{inside}. "
            "The same command goes on from there."
        )


class Batches:
    """The clips of each step of an epoch, shuffled by the run's seed, and their views."""

    def __init__(self, spec: RunSpec, data: Batch, epoch: int):
        self._data, self._draws_of = data, (spec.seed, "views", epoch)
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
        clip = self._data[self._rows[number]]
        return (clip, view(clip, self._draws), view(clip, self._draws)), self._draws


def run_epoch(around: Around, training: Training) -> None:
    """One pass over the data, or the rest of one; appends a row to the history."""
    spec, settings = around.spec, around.spec.pretrain
    epoch = training.epoch + 1
    batches = Batches(spec, around.data, epoch)
    total = settings.epochs * len(batches)
    training.method.train()
    for number in range(len(training.losses), len(batches)):
        done = (epoch - 1) * len(batches) + number
        for group in training.optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate_factor(settings.schedule, done, total)
        clips, draws = batches.step(number, around.view)
        # Dropout draws from the global generator: on each rank its own masks.
        torch.manual_seed(derive(spec.seed, "dropout", epoch, number, around.ranks.rank))
        with quick_dropout(around.fabric.device, around.compiled):
            loss, terms = training.method(*clips, draws)
        around.fabric.backward(loss)
        training.optimizer.step()
        training.optimizer.zero_grad(set_to_none=True)
        training.step += 1
        training.module.after_step((done + 1) / total)
        training.losses.append(loss.detach())
        for name, term in terms.items():
            training.sums[name] = training.sums.get(name, 0) + term
        if around.progress is not None:
            around.progress(done + 1, total)
        around.stop_if_asked(training)
    close_epoch(training, spec.run_id)


def close_epoch(training: Training, run_id: str) -> None:
    """The history's row of an epoch whose steps are done.

    Raises:
        UserError: a loss that is not finite, with epoch and step.
    """
    values = torch.stack(training.losses).float().cpu()  # the one wait for the device in an epoch
    _stop_unless_finite(values, run_id, training.epoch + 1, training)
    training.epoch += 1
    row = {"epoch": training.epoch, "step": training.step, "loss": values.mean().item()}
    row |= {f"loss_{name}": (value / len(values)).item() for name, value in training.sums.items()}
    training.history.append(row)
    training.losses, training.sums = [], {}


def rate_factor(schedule: str, step: int, steps: int) -> float:
    """Factor of the learning rate in step 0, 1, ...: 1, or warm-up over 5 % and a cosine to zero."""
    if schedule == "constant":
        return 1.0
    warmup = max(1, steps // 20)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _stop_unless_finite(losses: Tensor, run_id: str, epoch: int, training: Training) -> None:
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad) == 0:
        return
    first = int(bad[0])
    step = training.step - len(losses) + first + 1
    if first:
        last = f"{losses[first - 1].item():.6g} at step {step - 1}"
    elif training.history and "loss" in training.history[-1]:
        last = f"{training.history[-1]['loss']:.6g}, the mean of epoch {epoch - 1}"
    else:
        last = "none, it was the first step"
    raise UserError(
        f"{run_id}: the loss is {losses[first].item()} in epoch {epoch}, step {step}; last finite loss: {last}. "
        "Nothing was written. Lower `pretrain.learning_rate`, use `precision: 32-true`, or look at the "
        "clips with `sslslr data check`."
    )


def watched_clips(data: Batch) -> Batch:
    """Clips whose embedding is watched for collapse, from all over the set.

    At most 512, and of a set of less than 2,048 a quarter (64 at least): a pass over all of a small
    set would be a tenth of each epoch.
    """
    n = len(data)
    kept = min(n, max(64, min(512, n // 4)))
    return data[(torch.arange(kept) * n // kept).to(data.keypoints.device)]


@torch.no_grad()
def watch(method: Any, watched: Batch, spec: RunSpec, history: list) -> dict[str, float]:
    """Collapse figures of the watched clips, in evaluation mode, always in full precision.

    Args:
        method: the method itself, not what Fabric has wrapped it in.
    """
    was_training = method.training
    method.eval()
    dtype = next(method.parameters()).dtype
    noise = generator(spec.seed, "watch", device=watched.keypoints.device)
    embedding = method.encoder(watched.keypoints.to(dtype), watched.lengths, noise)
    projection = method.project(embedding)
    if not (torch.isfinite(embedding).all() and torch.isfinite(projection).all()):
        last = history[-1] if history else {"epoch": 0, "step": 0}
        raise UserError(
            f"{spec.run_id}: the embedding is not finite after epoch {last['epoch']}, step {last['step']}; "
            f"last finite loss: {last.get('loss', float('nan')):.6g}, the mean of that epoch. "
            "Nothing was written. Lower `pretrain.learning_rate` or use `precision: 32-true`."
        )
    found = figures(embedding, projection)
    method.train(was_training)
    return found
