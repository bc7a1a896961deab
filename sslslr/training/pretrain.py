"""Pretraining: any method, one run, on Lightning Fabric.

    clips -> preprocess -> two views a step -> method -> AdamW, and after each epoch the loss and
    the collapse figures (`sslslr.training.collapse`) of a fixed set of clips.

Every step's draws come from (seed, epoch, step), so a run that is killed, or asked to stop between
any two steps, and resumed from its checkpoint ends with the same encoder as an undisturbed one; on
CPU, byte for byte. Losses are accumulated on the device and read once an epoch. Several devices
share the clips of each step (`sslslr.training.distributed`).
"""

import functools
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from sslslr.augment import compose
from sslslr.config.run import RunSpec, fingerprint
from sslslr.config.settings import parse
from sslslr.data.preprocess import Preprocessed, preprocess, view_sources
from sslslr.data.store import ClipStore
from sslslr.encoders import artifact
from sslslr.encoders.build import build_encoder
from sslslr.encoders.inputs._base import measure_inputs
from sslslr.methods import METHODS
from sslslr.methods._members_apart import method_around
from sslslr.training.checkpoint import TrainingState
from sslslr.training.collapse import has_collapsed, watch
from sslslr.training.distributed import Ranks, launch, make_fabric
from sslslr.training.loop import EpochContext, decayed, train_epoch
from sslslr.training.stop import Stopped, StopSwitch
from sslslr.utils.errors import UserError
from sslslr.utils.hardware import (
    check_devices,
    choose_accelerator,
    choose_precision,
    device_name,
    peak_memory_mb,
    reset_peak_memory,
)
from sslslr.utils.progress import Log, ProgressCallback
from sslslr.utils.seeds import derive, generator
from sslslr.utils.versions import versions


@dataclass
class Run:
    """One run: what it is given, and what is to be said of it in run.json."""

    spec: RunSpec
    store: ClipStore | None
    out: Path
    checkpoint: Path
    code: str
    threads: int
    say: Log
    precision: str = "32-true"
    started: float = field(default_factory=time.monotonic)
    earlier: float = 0.0  # seconds of the processes that a resumed run had before
    warnings: list[str] = field(default_factory=list)
    n_clips: int = 0
    joints: list[int] | None = None  # that some clip has
    dropped: list[dict[str, Any]] = field(default_factory=list)
    collapsed: bool = False
    cost: dict[str, Any] = field(
        default_factory=lambda: {"device": "cpu", "devices": 1, "clips_per_second": None}
    )

    def warn(self, text: str) -> None:
        """Say it, and record it in run.json."""
        self.warnings.append(text)
        self.say(f"WARNING: {text}")


def pretrain(
    spec: RunSpec,
    store: ClipStore | None,
    out: Path,
    checkpoint: Path,
    code: str,
    threads: int = 1,
    say: Log = print,
    progress: ProgressCallback | None = None,
    fabric: Any = None,
) -> None:
    """Run `spec` and write the encoder artifact to `out`.

    Args:
        store: the pretraining set; None for a method that does not pretrain.
        checkpoint: where the run's state is kept between epochs; removed at the end.
        code: hash of the sources, for run.json and to refuse another code's checkpoint.
        threads: CPU threads of each process, of which there are `spec.pretrain.devices`.
        say: takes a line; with several devices it must be picklable.
        progress: called with (steps done, steps in all), with one device.
        fabric: of the process, where several share a run; this function starts them itself.

    Raises:
        UserError: a setting, the data, or a loss that is not finite (names epoch and step).
        Stopped: a SIGTERM came; the state is saved, and the same call goes on from there.
    """
    run = Run(spec, store, Path(out), Path(checkpoint), code, threads, say)
    torch.set_num_threads(threads)
    if store is None or not METHODS.get(spec.method_type).pretrains:
        write(run, method_of(spec), [])
        return
    settings = spec.pretrain
    accelerator = choose_accelerator(settings.accelerator)
    check_devices(accelerator, settings.devices)
    run.precision, note = choose_precision(accelerator, settings.precision)
    if settings.devices > 1 and fabric is None:
        _pretrain_in_processes(run, accelerator)
        return
    with StopSwitch(at_once=fabric is None) as stop:
        fabric = fabric or make_fabric(accelerator, 1, run.precision)
        if fabric.global_rank > 0:
            run.say = lambda text: None
        if note:
            run.warn(note)
        context = _context(run, fabric, stop, progress)
        state = _begin(run, context)
        began, epoch, step = time.monotonic(), state.epoch, state.step
        stop.wait_for_a_step()
        while state.epoch < settings.epochs:
            train_epoch(context, state)
            _end_epoch(run, context, state)
        seconds, trained = time.monotonic() - began, state.epochs_since(step) * len(context.data)
        run.cost |= {
            "device": device_name(fabric.device),
            "devices": fabric.world_size,
            "startup_seconds": round(began - run.started, 2),
            "clips_per_second": round(trained / seconds, 1) if trained else None,
            "epochs_in_this_process": state.epoch - epoch,
        }
        if reason := _collapse(spec, state.history):
            run.collapsed = True
            run.warn(f"the embedding of {spec.run_id} collapsed: {reason}")
        if fabric.global_rank == 0:
            write(run, state.module, state.history)


def _pretrain_in_processes(run: Run, accelerator: str) -> None:
    """Call `pretrain` in a process for each device."""
    spec = run.spec
    assert run.store is not None
    paths = (run.store.path, run.out, run.checkpoint)
    work = functools.partial(_pretrain_in_process, spec, *paths, run.code, run.threads, run.say)
    with StopSwitch() as stop:
        try:
            launch(work, spec.pretrain.devices, accelerator, run.precision)
        except (UserError, Stopped):
            raise
        except Exception:
            if stop.asked:  # a process that had not begun to listen yet
                raise Stopped(f"{spec.run_id}: asked to stop before the first step") from None
            raise


def _pretrain_in_process(spec: RunSpec, store: Path, *arguments: Any) -> None:
    *given, fabric = arguments
    pretrain(spec, ClipStore.open(store), *given, fabric=fabric)


def method_of(spec: RunSpec) -> Any:
    """The method around its encoder, weights drawn from the seed."""
    method_class = METHODS.get(spec.method_type)
    options = parse(method_class.Options, spec.method_options, f"methods.{spec.method}")
    encoder = build_encoder(spec.encoder, spec.preprocess.frames, derive(spec.seed, "encoder"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(spec.seed, "method"))
        return method_around(method_class, encoder, options)


def clips(run: Run) -> Preprocessed:
    """The preprocessed clips of the splits, or of a share of them."""
    spec, store, settings = run.spec, run.store, run.spec.pretrain
    assert store is not None
    rows = sorted({int(i) for split in settings.splits for i in store.indices(split)})
    if settings.share < 1:  # the first of one order: a larger share contains a smaller one
        order = torch.randperm(len(rows), generator=generator(spec.seed, "share"))
        rows = [rows[i] for i in sorted(order[: math.ceil(len(rows) * settings.share)].tolist())]
    if len(rows) < 2:
        raise UserError(
            f"{store.path}: {len(rows)} clips in split {', '.join(settings.splits)}; pretraining needs at least 2."
        )
    prepared = preprocess(store, spec.preprocess, rows)
    if len(prepared.batch) < 2:
        raise UserError(
            f"{store.path}: preprocessing `{spec.preprocess.variant}` left 1 clip of {len(rows)} (the first "
            f"was dropped because of: {prepared.dropped[0]['reason']}); pretraining needs at least 2."
        )
    if prepared.dropped:
        run.say(f"{len(prepared.dropped)} clips dropped by preprocessing; listed in run.json")
    run.n_clips, run.dropped = len(prepared.batch), prepared.dropped
    run.joints = prepared.batch.present.any(dim=0).nonzero().ravel().tolist()
    return prepared


def _context(
    run: Run, fabric: Any, stop: StopSwitch, progress: ProgressCallback | None
) -> EpochContext:
    """Clips on the device, and what each epoch does with them."""
    spec, ranks, prepared = run.spec, Ranks(fabric), clips(run)
    data = prepared.batch.to(fabric.device)
    assert run.store is not None
    sources = view_sources(run.store, spec.preprocess, prepared).to(fabric.device)
    view = compose(spec.augmentation_steps, f"augmentations.{spec.augmentation}")
    return EpochContext(spec, fabric, ranks, data, sources, view, run.checkpoint, stop, progress)


def _begin(run: Run, context: EpochContext) -> TrainingState:
    """The state at the first step, or where a checkpoint left off."""
    spec, settings, fabric = run.spec, run.spec.pretrain, context.fabric
    assert run.store is not None
    method = method_of(spec)
    if said := METHODS.get(spec.method_type).concern(method.options, run.n_clips):
        run.warn(f"{spec.method}: {said}")
    measure_inputs(method, context.data)
    method.prepare(context.data)
    context.ranks.share_out(method)
    optimizer = torch.optim.AdamW(decayed(method, settings), settings.learning_rate, fused=True)
    module, optimizer = fabric.setup(method, optimizer)
    identity = fingerprint(
        [spec.model_dump(mode="json"), run.code, run.store.data_hash, run.precision]
    )
    state = TrainingState(module, optimizer, fabric.strategy.precision, identity)
    if said := state.resume(run.checkpoint, fabric.device):
        (run.say if said.startswith("resumed") else run.warn)(said)
    run.earlier = state.earlier
    if not state.history:
        start = {"epoch": 0, "step": 0, "collapsed": 0}
        state.history.append(start | watch(method, context.watched, spec, []))
    reset_peak_memory(fabric.device)
    return state


def _end_epoch(run: Run, context: EpochContext, state: TrainingState) -> None:
    """Collapse figures and a line of the log; the state on disk, where more epochs follow."""
    spec, settings = run.spec, run.spec.pretrain
    state.history[-1] |= watch(state.module, context.watched, spec, state.history)
    reason = _collapse(spec, state.history)
    state.history[-1]["collapsed"] = int(bool(reason))
    run.say(_epoch_line(spec, state, reason))
    if state.epoch < settings.epochs:
        if state.epoch % settings.checkpoint_every == 0 and context.ranks.rank == 0:
            state.save(run.checkpoint)
        context.stop_if_asked(state)


def write(run: Run, method: Any, history: list[dict[str, float]]) -> None:
    """The artifact, and with it the end of the run's checkpoint; says what it cost."""
    spec, store, cost = run.spec, run.store, run.cost
    record = {
        "spec": spec.model_dump(mode="json"),
        # With the method's own defaults, which the code may change and the spec does not name.
        "method_options": method.options.model_dump(mode="json"),
        "code_hash": run.code,
        "data_hash": store.data_hash if store is not None else None,
        "versions": versions(),
        "parameters": sum(p.numel() for p in method.encoder.parameters()),
        "n_clips": run.n_clips,
        "joints": run.joints,
        "dropped": run.dropped,
        "collapsed": run.collapsed,
        "warnings": run.warnings,
        "cost": {
            "wall_seconds": round(run.earlier + time.monotonic() - run.started, 2),
            "peak_memory_mb": peak_memory_mb(cost["device"]),
            "threads": run.threads,
            "precision": run.precision,
            **cost,
        },
    }
    artifact.save(run.out, method.encoder, _history_table(history), record, method.kept())
    run.checkpoint.unlink(missing_ok=True)
    if cost["clips_per_second"]:
        run.say(
            f"{spec.run_id} done: {cost['clips_per_second']:,.0f} clips/s, "
            f"{record['cost']['wall_seconds']:,.1f} s, peak memory {record['cost']['peak_memory_mb']:,.0f} MB, "
            f"on {cost['device']}"
        )


def _collapse(spec: RunSpec, history: list[dict[str, float]]) -> str:
    """Why the run counts as collapsed now; empty if it does not."""
    settings = spec.pretrain
    return has_collapsed(history[-1], history[0], settings.collapse_spread, settings.collapse_rank)


def _epoch_line(spec: RunSpec, state: TrainingState, reason: str) -> str:
    """What is said after an epoch."""
    row = state.history[-1]
    text = (
        f"{spec.run_id} epoch {state.epoch}/{spec.pretrain.epochs} loss {row['loss']:.4g} "
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
