"""Pretraining: any method, one run, on Lightning Fabric where there is more than one CPU to it.

    clips -> preprocess -> two views a step -> method -> AdamW, and after each epoch the loss and
    the collapse figures (`sslslr.collapse`) of a fixed set of clips.

Every step's draws come from (seed, epoch, step), so a run that is killed, or asked to stop between
any two steps, and resumed from its checkpoint ends with the same encoder as an undisturbed one; on
CPU, byte for byte. Losses are accumulated on the device and read once an epoch. Several devices
share the clips of each step (`sslslr.training.ranks`).
"""

import functools
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from sslslr import artifacts
from sslslr.augment import compose
from sslslr.clips import ClipStore
from sslslr.collapse import has_collapsed
from sslslr.encoder import build_encoder
from sslslr.errors import UserError
from sslslr.grid import RunSpec, fingerprint
from sslslr.hardware import (
    check_devices,
    choose_accelerator,
    choose_precision,
    device_name,
    peak_memory_mb,
    reset_peak_memory,
)
from sslslr.methods import METHODS
from sslslr.preprocess import Preprocessed, preprocess
from sslslr.seeds import derive, generator
from sslslr.strict import parse
from sslslr.training.adamw import AdamW
from sslslr.training.checkpoint import Training
from sslslr.training.fast import Compilation, compile_encoders, wanted
from sslslr.training.loop import Around, Batches, run_epoch, watch, watched_clips
from sslslr.training.on_cpu import OnCpu
from sslslr.training.ranks import Progress, Ranks, Say, launch
from sslslr.training.stop import Stopped, StopSwitch


@dataclass
class Job:
    """One run: what it is given, and what is to be said of it in run.json."""

    spec: RunSpec
    store: ClipStore | Path | None  # a path on its way to another process
    out: Path
    checkpoint: Path
    code: str
    threads: int
    precision: str = "32-true"
    started: float = field(default_factory=time.monotonic)
    earlier: float = 0.0  # seconds of the processes that a resumed run had before
    warnings: list[str] = field(default_factory=list)
    outcome: dict[str, Any] = field(
        default_factory=lambda: {
            "n_clips": 0,
            "joints": None,
            "dropped": [],
            "collapsed": False,
        }
    )
    cost: dict[str, Any] = field(
        default_factory=lambda: {"device": "cpu", "devices": 1, "clips_per_second": None}
    )


def pretrain(
    spec: RunSpec,
    store: ClipStore | None,
    out: Path,
    checkpoint: Path,
    code: str,
    threads: int = 1,
    say: Say = print,
    progress: Progress | None = None,
) -> None:
    """Run `spec` and write the encoder artifact to `out`.

    Args:
        store: the pretraining set; None for a method that does not pretrain.
        checkpoint: where the run's state is kept between epochs; removed at the end.
        code: hash of the sources, for run.json and to refuse another code's checkpoint.
        threads: CPU threads of each process, of which there are `spec.pretrain.devices`.
        progress: called with (steps done, steps in all).

    Raises:
        UserError: a setting, the data, or a loss that is not finite (names epoch and step).
        Stopped: a SIGTERM came; the state is saved, and the same call goes on from there.
    """
    job = Job(spec, store, Path(out), Path(checkpoint), code, threads)
    if store is None or not METHODS.traits(spec.method_type).get("pretrains", True):
        torch.set_num_threads(threads)
        started = time.monotonic()
        write(job, method_of(spec), [], started, say)
        return
    settings = spec.pretrain
    accelerator = choose_accelerator(settings.accelerator)
    check_devices(accelerator, settings.devices)
    job.precision, note = choose_precision(accelerator, settings.precision)
    if note:
        job.warnings.append(note)
        say(note)
    if settings.devices > 1:
        job.store = store.path
    work = functools.partial(_work, job)
    with StopSwitch() as stop:
        try:
            launch(work, settings.devices, accelerator, job.precision, say, progress)
        except (UserError, Stopped):
            raise
        except Exception:
            if stop.asked:  # a process that had not begun to listen yet
                raise Stopped(f"{spec.run_id}: asked to stop before the first step") from None
            raise


def method_of(spec: RunSpec) -> Any:
    """The method around its encoder, weights drawn from the seed."""
    method_class = METHODS.get(spec.method_type)
    options = parse(method_class.Options, spec.method_options, f"methods.{spec.method}")
    encoder = build_encoder(spec.encoder, spec.preprocess.frames, derive(spec.seed, "encoder"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(spec.seed, "method"))
        return method_class(encoder, options)


def _work(job: Job, fabric: Any, ranks: Ranks, say: Say, progress: Progress | None) -> None:
    """What each of the run's processes does; the first one writes."""
    torch.set_num_threads(job.threads)
    started = time.monotonic()
    if isinstance(job.store, Path):
        job.store = ClipStore.open(job.store)
    with StopSwitch(at_once=ranks.world == 1) as stop:
        method = method_of(job.spec)
        history = _train(job, method, fabric, ranks, stop, say, progress)
        if ranks.rank == 0:
            write(job, method, history, started, say)


def write(job: Job, method: Any, history: list[dict[str, float]], started: float, say: Say) -> None:
    """The artifact, and with it the end of the run's checkpoint; says what it cost."""
    spec, store, cost = job.spec, job.store, job.cost
    run = {
        "spec": spec.model_dump(mode="json"),
        # With the method's own defaults, which the code may change and the spec does not name.
        "method_options": method.options.model_dump(mode="json"),
        "code_hash": job.code,
        "data_hash": store.data_hash if store is not None else None,
        "versions": artifacts.versions(),
        "parameters": sum(p.numel() for p in method.encoder.parameters()),
        **job.outcome,
        "warnings": job.warnings,
        "cost": {
            "wall_seconds": round(job.earlier + time.monotonic() - started, 2),
            "peak_memory_mb": peak_memory_mb(cost["device"]),
            "threads": job.threads,
            "precision": job.precision,
            **cost,
        },
    }
    artifacts.save(job.out, method.encoder, _history_table(history), run)
    job.checkpoint.unlink(missing_ok=True)
    if cost["clips_per_second"]:
        say(
            f"{spec.run_id} done: {cost['clips_per_second']:,.0f} clips/s, "
            f"{run['cost']['wall_seconds']:,.1f} s, peak memory {run['cost']['peak_memory_mb']:,.0f} MB, "
            f"on {cost['device']}"
        )


def clips(job: Job, say: Say) -> Preprocessed:
    """The preprocessed clips of the splits, or of a share of them."""
    spec, store, settings = job.spec, job.store, job.spec.pretrain
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
    if len(prepared.batch) < 2:
        raise UserError(
            f"{store.path}: preprocessing `{spec.preprocess.variant}` left 1 clip of {len(splits)} (the first "
            f"was dropped because of: {prepared.dropped[0]['reason']}); pretraining needs at least 2."
        )
    if prepared.dropped:
        say(f"{len(prepared.dropped)} clips dropped by preprocessing; listed in run.json")
    seen = prepared.batch.present.any(dim=0).nonzero().ravel().tolist()
    job.outcome |= {"n_clips": len(prepared.batch), "joints": seen, "dropped": prepared.dropped}
    return prepared


def _begin(job: Job, method: Any, fabric: Any, ranks: Ranks, say: Say) -> Training:
    """The state at the first step, or where a checkpoint left off."""
    spec, settings = job.spec, job.spec.pretrain
    ranks.share_out(method)
    learnt = [p for p in method.parameters() if p.requires_grad]
    rates = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if isinstance(fabric, OnCpu):
        optimizer: Any = AdamW(learnt, **rates)
    else:  # Fabric takes none but torch's own
        optimizer = torch.optim.AdamW(learnt, **rates, fused=True)
    module, optimizer = fabric.setup(method, optimizer)
    identity = fingerprint(
        [spec.model_dump(mode="json"), job.code, job.store.data_hash, job.precision]
    )
    training = Training(module, optimizer, fabric.strategy.precision, identity)
    if said := training.resume(job.checkpoint, fabric.device):
        say(said)
        if not said.startswith("resumed"):
            job.warnings.append(said)
    return training


def _train(
    job: Job,
    method: Any,
    fabric: Any,
    ranks: Ranks,
    stop: StopSwitch,
    say: Say,
    progress: Progress | None,
) -> list[dict[str, float]]:
    """Train in place; fills the job's outcome and cost and returns the history."""
    spec, settings = job.spec, job.spec.pretrain
    data = clips(job, say).batch.to(fabric.device)
    view = compose(spec.augmentation_steps, f"augmentations.{spec.augmentation}")
    training = _begin(job, method, fabric, ranks, say)
    around = Around(spec, fabric, ranks, data, view, job.checkpoint, stop, progress)
    watched = watched_clips(data)
    if not training.history:
        start = {"epoch": 0, "step": 0, "collapsed": 0}
        training.history.append(start | watch(method, watched, spec, []))
    stop.wait_for_a_step()
    _compile(job, around, training, say)
    reset_peak_memory(fabric.device)
    job.earlier = training.earlier
    began, done_before, step_before = time.monotonic(), training.epoch, training.step
    while training.epoch < settings.epochs:
        run_epoch(around, training)
        row = training.history[-1]
        row |= watch(method, watched, spec, training.history)
        reason = collapse(spec, training.history)
        row["collapsed"] = int(bool(reason))
        say(line(spec, training, reason))
        if training.epoch < settings.epochs:
            if training.epoch % settings.checkpoint_every == 0 and ranks.rank == 0:
                training.save(job.checkpoint)
            around.stop_if_asked(training)
    seconds = time.monotonic() - began
    trained = training.epochs_since(step_before) * len(data)
    job.cost |= {
        "device": device_name(fabric.device),
        "devices": ranks.world,
        "clips_per_second": round(trained / seconds, 1) if trained else None,
        "epochs_in_this_process": training.epoch - done_before,
    }
    note_collapse(job, training.history, say)
    return training.history


def _compile(job: Job, around: Around, training: Training, say: Say) -> None:
    """Compile the encoder where that is wanted; what it cost and what came before is recorded."""
    spec, fabric = job.spec, around.fabric
    job.cost["startup_seconds"] = round(time.monotonic() - job.started, 2)
    job.cost["compile"] = "off"
    if not wanted(spec.pretrain.compile, fabric.device, around.ranks.world):
        return
    batches = Batches(spec, around.data, 1)

    def step(number: int) -> Tensor:
        clips, draws = batches.step(number, around.view)
        loss = training.method(*clips, draws)[0]
        fabric.backward(loss)
        return loss

    training.method.train()
    shapes = sorted({0, len(batches) - 1})  # the last batch of an epoch may be a short one
    trials = [functools.partial(step, number) for number in shapes]
    made = compile_encoders(training.module, fabric.device, trials, say)
    around.compiled = made.outcome == "on"
    note_compilation(job, made)


def note_compilation(job: Job, made: Compilation) -> None:
    """Record what became of it."""
    job.cost |= {"compile": made.outcome, "compile_seconds": round(made.seconds, 2)}
    if made.reason:
        job.warnings.append(made.reason)


def note_collapse(job: Job, history: list[dict[str, float]], say: Say) -> None:
    """Say and record it where the run ended collapsed."""
    if reason := collapse(job.spec, history):
        job.outcome["collapsed"] = True
        job.warnings.append(f"the embedding collapsed: {reason}")
        say(f"WARNING: the embedding of {job.spec.run_id} collapsed: {reason}")


def collapse(spec: RunSpec, history: list[dict[str, float]]) -> str:
    """Why the run counts as collapsed now; empty if it does not."""
    settings = spec.pretrain
    return has_collapsed(history[-1], history[0], settings.collapse_spread, settings.collapse_rank)


def line(spec: RunSpec, training: Training, reason: str) -> str:
    """What is said after an epoch."""
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
