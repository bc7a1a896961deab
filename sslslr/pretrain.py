"""The pretraining loop: any method, one run, on Lightning Fabric.

    clips -> preprocess -> two views a step -> method -> AdamW, and after each epoch the loss and
    the collapse figures (`sslslr.collapse`) of a fixed set of clips.

Every epoch's draws come from (seed, epoch), so a run that is killed and resumed from its checkpoint
ends with the same encoder as an undisturbed one; on CPU, byte for byte. Losses are accumulated on
the device and read once an epoch.
"""

import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from sslslr import artifacts
from sslslr.augment import View, compose
from sslslr.batch import Batch
from sslslr.clips import ClipStore
from sslslr.collapse import figures, has_collapsed
from sslslr.encoder import build_encoder
from sslslr.errors import UserError
from sslslr.files import atomic_file
from sslslr.grid import RunSpec, fingerprint
from sslslr.hardware import (
    choose_accelerator,
    choose_precision,
    device_name,
    peak_memory_mb,
    reset_peak_memory,
)
from sslslr.methods import METHODS
from sslslr.preprocess import preprocess
from sslslr.seeds import derive, generator
from sslslr.strict import parse

WATCHED_CLIPS = 512  # clips whose embedding is watched for collapse
Say = Callable[[str], None]


@dataclass
class Training:
    """The state of a run between epochs: what a checkpoint holds."""

    method: Any
    optimizer: torch.optim.Optimizer
    identity: str  # of settings, code and data; a checkpoint of another identity is not resumed
    epoch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        state = {
            "identity": self.identity,
            "epoch": self.epoch,
            "step": self.step,
            "history": self.history,
            "method": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
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
        except Exception as error:  # a cut or foreign file: torch raises several kinds
            return f"checkpoint {path} cannot be read ({type(error).__name__}); starting from the beginning"
        if state.get("identity") != self.identity:
            return (
                f"checkpoint {path} is of other settings, code or data; starting from the beginning"
            )
        self.method.load_state_dict(state["method"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step, self.history = state["epoch"], state["step"], state["history"]
        return f"resumed after epoch {self.epoch} from {path}"


def pretrain(
    spec: RunSpec,
    store: ClipStore | None,
    out: Path,
    checkpoint: Path,
    code: str,
    threads: int = 1,
    say: Say = print,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Run `spec` and write the encoder artifact to `out`.

    Args:
        store: the pretraining set; None for a method that does not pretrain.
        checkpoint: where the run's state is kept between epochs; removed at the end.
        code: hash of the sources, for run.json and to refuse another code's checkpoint.
        progress: called with (steps done, steps in all).

    Raises:
        UserError: a setting, the data, or a loss that is not finite (names epoch and step).
    """
    torch.set_num_threads(threads)
    started = time.monotonic()
    method_class = METHODS.get(spec.method_type)
    options = parse(method_class.Options, spec.method_options, f"methods.{spec.method}")
    encoder = build_encoder(spec.encoder, spec.preprocess.frames, derive(spec.seed, "encoder"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(spec.seed, "method"))
        method = method_class(encoder, options)
    outcome: dict[str, Any] = {
        "n_clips": 0,
        "joints": None,
        "dropped": [],
        "warnings": [],
        "collapsed": False,
    }
    cost: dict[str, Any] = {"device": "cpu", "precision": "32-true", "clips_per_second": None}
    history: list[dict[str, float]] = []
    if store is not None and METHODS.traits(spec.method_type).get("pretrains", True):
        history = _train(spec, store, method, Path(checkpoint), code, outcome, cost, say, progress)
    run = {
        "spec": spec.model_dump(mode="json"),
        "code_hash": code,
        "data_hash": store.data_hash if store is not None else None,
        "versions": artifacts.versions(),
        "parameters": sum(p.numel() for p in encoder.parameters()),
        **outcome,
        "cost": {
            "wall_seconds": round(time.monotonic() - started, 2),
            "peak_memory_mb": peak_memory_mb(cost["device"]),
            "threads": threads,
            **cost,
        },
    }
    artifacts.save(out, encoder, _history_table(history), run)
    Path(checkpoint).unlink(missing_ok=True)


def _train(
    spec, store, method, checkpoint, code, outcome, cost, say, progress
) -> list[dict[str, float]]:
    """Train in place; fills `outcome` and `cost` and returns the history."""
    from lightning_fabric import Fabric  # 1.5 s, and not needed for an untrained encoder

    settings = spec.pretrain
    accelerator = choose_accelerator(settings.accelerator)
    precision, note = choose_precision(accelerator, settings.precision)
    fabric = Fabric(accelerator=accelerator, devices=1, precision=precision)
    if note:
        outcome["warnings"].append(note)
        say(note)
    splits = sorted({int(i) for split in settings.splits for i in store.indices(split)})
    if settings.share < 1:  # the first of one order: a larger share contains a smaller one
        order = torch.randperm(len(splits), generator=generator(spec.seed, "share"))
        kept = order[: math.ceil(len(splits) * settings.share)].sort().values
        splits = [splits[i] for i in kept.tolist()]
    if len(splits) < 2:
        raise UserError(
            f"{store.path}: {len(splits)} clips in split {', '.join(settings.splits)}; pretraining needs at least 2."
        )
    prepared = preprocess(store, spec.preprocess, splits)
    outcome["dropped"] = prepared.dropped
    outcome["n_clips"] = len(prepared.batch)
    outcome["joints"] = prepared.batch.present.any(dim=0).nonzero().ravel().tolist()
    if len(prepared.batch) < 2:
        raise UserError(
            f"{store.path}: preprocessing `{spec.preprocess.variant}` left 1 clip of {len(splits)} (the first "
            f"was dropped because of: {prepared.dropped[0]['reason']}); pretraining needs at least 2."
        )
    if prepared.dropped:
        say(f"{len(prepared.dropped)} clips dropped by preprocessing; listed in run.json")
    data = prepared.batch.to(fabric.device)
    view = compose(spec.augmentation_steps, f"augmentations.{spec.augmentation}")
    optimizer = torch.optim.AdamW(
        (p for p in method.parameters() if p.requires_grad),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=fabric.device.type == "cuda",
    )
    module, optimizer = fabric.setup(method, optimizer)
    identity = fingerprint([spec.model_dump(mode="json"), code, store.data_hash, precision])
    training = Training(module, optimizer, identity)
    if said := training.resume(checkpoint, fabric.device):
        say(said)
        if not said.startswith("resumed"):
            outcome["warnings"].append(said)
    watched = data[: min(WATCHED_CLIPS, len(data))]
    if not training.history:
        training.history.append(
            {"epoch": 0, "step": 0, "collapsed": 0}
            | _watch(method, watched, spec, training.history)
        )
    reset_peak_memory(fabric.device)
    began, done_before = time.monotonic(), training.epoch
    while training.epoch < settings.epochs:
        _epoch(fabric, training, data, view, spec, progress)
        training.history[-1] |= _watch(method, watched, spec, training.history)
        reason = has_collapsed(
            training.history[-1],
            training.history[0],
            settings.collapse_spread,
            settings.collapse_rank,
        )
        training.history[-1]["collapsed"] = int(bool(reason))
        say(_line(spec, training, reason))
        if training.epoch % settings.checkpoint_every == 0 and training.epoch < settings.epochs:
            training.save(checkpoint)
    seconds = time.monotonic() - began
    trained = (training.epoch - done_before) * len(data)
    cost |= {
        "device": device_name(fabric.device),
        "precision": precision,
        "clips_per_second": round(trained / seconds, 1) if trained else None,
        "epochs_in_this_process": training.epoch - done_before,
    }
    last = training.history[-1]
    if reason := has_collapsed(
        last, training.history[0], settings.collapse_spread, settings.collapse_rank
    ):
        outcome["collapsed"] = True
        outcome["warnings"].append(f"the embedding collapsed: {reason}")
        say(f"WARNING: the embedding of {spec.run_id} collapsed: {reason}")
    return training.history


def _epoch(fabric, training: Training, data: Batch, view: View, spec: RunSpec, progress) -> None:
    """One pass over the data; appends a row to the history."""
    settings, epoch = spec.pretrain, training.epoch + 1
    size = min(settings.batch_size, len(data))
    # Dropout draws from the global generator: it is set from (seed, epoch) so that a resume repeats it.
    torch.manual_seed(derive(spec.seed, "dropout", epoch))
    draws = generator(spec.seed, "views", epoch, device=data.keypoints.device)
    order = torch.randperm(len(data), generator=generator(spec.seed, "order", epoch)).to(
        data.keypoints.device
    )
    batches = [batch for batch in order.split(size) if len(batch) > 1]
    losses: list[Tensor] = []
    sums: dict[str, Tensor] = {}
    training.method.train()
    for number, rows in enumerate(batches):
        done = (epoch - 1) * len(batches) + number
        for group in training.optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate_factor(
                settings.schedule, done, settings.epochs * len(batches)
            )
        clip = data[rows]
        loss, terms = training.method(clip, view(clip, draws), view(clip, draws), draws)
        fabric.backward(loss)
        training.optimizer.step()
        training.optimizer.zero_grad(set_to_none=True)
        training.step += 1
        done += 1
        training.method.module.after_step(done / (settings.epochs * len(batches)))
        losses.append(loss.detach())
        for name, term in terms.items():
            sums[name] = sums.get(name, 0) + term
        if progress is not None:
            progress(done, settings.epochs * len(batches))
    values = torch.stack(losses).float().cpu()  # the one wait for the device in an epoch
    _stop_unless_finite(values, spec.run_id, epoch, training)
    row = {"epoch": epoch, "step": training.step, "loss": values.mean().item()}
    row |= {f"loss_{name}": (value / len(batches)).item() for name, value in sums.items()}
    training.history.append(row)
    training.epoch = epoch


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


@torch.no_grad()
def _watch(method, watched: Batch, spec: RunSpec, history: list) -> dict[str, float]:
    """Collapse figures of the watched clips, in evaluation mode, always in full precision."""
    was_training = method.training
    method.eval()
    noise = generator(spec.seed, "watch", device=watched.keypoints.device)
    embedding = method.encoder(watched.keypoints, watched.lengths, noise)
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


def _line(spec: RunSpec, training: Training, reason: str) -> str:
    row = training.history[-1]
    text = (
        f"{spec.run_id} epoch {training.epoch}/{spec.pretrain.epochs} loss {row['loss']:.4g} "
        f"spread {row['projection_spread']:.3g} rank {row['projection_rank']:.1f}"
    )
    return text + (f" COLLAPSING: {reason}" if reason else "")


def _history_table(history: list[dict[str, float]]) -> pd.DataFrame:
    first = ["epoch", "step", "loss"]
    last = [
        "projection_spread",
        "projection_rank",
        "embedding_spread",
        "embedding_rank",
        "collapsed",
    ]
    terms = sorted({key for row in history for key in row} - set(first) - set(last))
    return pd.DataFrame(history, columns=[*first, *terms, *last])
