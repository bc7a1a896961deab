"""Pretraining several runs of one method in one process (:mod:`sslslr.training.stacked`).

    groups = stacks(runs)            # sslslr.groups: runs that can be stacked
    pretrain_stack(specs, store, results / "encoders", checkpoint, code)

Every run gets the artifact that it would get alone, under its own id; its run.json names the runs it
was `stacked_with`, and its cost is that of all of them together.
"""

import contextlib
import functools
import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslslr import pretrain as single
from sslslr.augment import compose
from sslslr.batch import Batch
from sslslr.clips import ClipStore
from sslslr.errors import UserError
from sslslr.files import atomic_file
from sslslr.grid import NO_DATASET, RunSpec, fingerprint
from sslslr.groups import shared_settings
from sslslr.hardware import choose_accelerator, choose_precision, device_name, reset_peak_memory
from sslslr.seeds import derive
from sslslr.training.adamw import AdamW
from sslslr.training.checkpoint import Training
from sslslr.training.fast import wanted
from sslslr.training.loop import Batches, close_epoch, rate_factor, watch, watched_clips
from sslslr.training.ranks import Progress, Say
from sslslr.training.stacked import Stack
from sslslr.training.stop import Stopped, StopSwitch


def pretrain_stack(
    specs: Sequence[RunSpec],
    store: ClipStore,
    out: Path,
    checkpoint: Path,
    code: str,
    threads: int = 1,
    say: Say = print,
    progress: Progress | None = None,
) -> None:
    """Run all of `specs` at once and write an artifact of each to `out`/RUN.

    Args:
        checkpoint: of all runs together; a run's own checkpoint is neither read nor written.
        code, threads, say, progress: see :func:`sslslr.pretrain.pretrain`.

    Raises:
        UserError: the runs cannot be stacked, or what a single run raises.
        Stopped: a SIGTERM came; the state is saved, and the same call goes on from there.
    """
    settings = specs[0].pretrain
    if len({fingerprint(shared_settings(spec)) for spec in specs}) > 1:
        raise UserError(
            f"{', '.join(spec.run_id for spec in specs)}: cannot be stacked; they may differ in seed, views, "
            "learning rate, weight decay and real-valued options alone."
        )
    if settings.devices > 1 or specs[0].dataset == NO_DATASET:
        raise UserError(
            f"{specs[0].run_id}: runs without pretraining or on several devices do not stack."
        )
    accelerator = choose_accelerator(settings.accelerator)
    precision, note = choose_precision(accelerator, settings.precision)
    if settings.precision == "auto" and precision == "16-mixed":
        precision, note = "32-true", "a stack has no 16-mixed; running in 32-true"
    if precision not in ("32-true", "bf16-mixed"):
        raise UserError(
            f"pretrain.precision {precision} cannot be stacked; use 32-true or bf16-mixed."
        )
    torch.set_num_threads(threads)
    checkpoint = Path(checkpoint)
    # Runs of equal rates side by side: one optimiser step for them.
    specs = sorted(specs, key=lambda spec: _rates(spec))
    # The one checkpoint stays until every artifact is written; a job's own never exists.
    jobs = [
        single.Job(
            *(spec, store, Path(out) / spec.run_id, checkpoint.with_suffix(f".{spec.run_id}")),
            *(code, threads, precision),
        )
        for spec in specs
    ]
    if note:
        say(note)
        for job in jobs:
            job.warnings.append(note)
    started = time.monotonic()
    with StopSwitch() as stop:
        work = _Stacked(jobs, torch.device(accelerator), stop, say, progress)
        work.train(checkpoint)
        for job, run in zip(jobs, work.runs, strict=True):
            others = [spec.run_id for spec in specs if spec is not job.spec]
            job.outcome["stacked_with"] = others
            single.write(job, run.module, run.history, started, say)
    checkpoint.unlink(missing_ok=True)


def _rates(spec: RunSpec) -> tuple[float, float]:
    return spec.pretrain.learning_rate, spec.pretrain.weight_decay


class _Stacked:
    """The runs of a stack while they train."""

    def __init__(
        self,
        jobs: list[Any],
        device: torch.device,
        stop: StopSwitch,
        say: Say,
        progress: Progress | None,
    ):
        self.jobs, self.device, self.stop, self.say, self.progress = (
            jobs,
            device,
            stop,
            say,
            progress,
        )
        self.specs = [job.spec for job in jobs]
        self.settings = self.specs[0].pretrain
        clips = single.clips(jobs[0], say).batch
        for job in jobs[1:]:
            job.outcome |= jobs[0].outcome
        self.data: Batch = clips.to(device)
        self.views = [
            compose(spec.augmentation_steps, f"augmentations.{spec.augmentation}")
            for spec in self.specs
        ]
        methods = [single.method_of(spec).to(device) for spec in self.specs]
        half = functools.partial(torch.autocast, device.type, dtype=torch.bfloat16)
        self.stack = Stack(
            methods,
            half if jobs[0].precision == "bf16-mixed" else contextlib.nullcontext,
            same_dropout=device.type == "cpu",
        )
        self.runs = [Training(m, None, None, "") for m in methods]
        self.identity = fingerprint(
            [
                [s.model_dump(mode="json") for s in self.specs],
                *(jobs[0].code, jobs[0].store.data_hash, jobs[0].precision),
            ]
        )
        self._slice_optimizer()

    def _slice_optimizer(self) -> None:
        """One AdamW with a group for each learning rate and weight decay."""
        learnt = [p for p in self.stack.parameters.values() if p.requires_grad]
        rates = [_rates(spec) for spec in self.specs]
        self._slices, groups = [], []
        for rate in dict.fromkeys(rates):
            first, n = rates.index(rate), rates.count(rate)
            part = slice(first, first + n)
            own = [p.detach()[part].requires_grad_() for p in learnt]  # share the stack's memory
            self._slices += [(whole, view, part) for whole, view in zip(learnt, own, strict=True)]
            groups.append({"params": own, "lr": rate[0], "weight_decay": rate[1], "rate": rate[0]})
        self.optimizer = AdamW(groups)

    def train(self, checkpoint: Path) -> None:
        """All epochs; fills the jobs' outcome and cost."""
        self._resume(checkpoint)
        watched = watched_clips(self.data)
        for spec, run in zip(self.specs, self.runs, strict=True):
            if not run.history:
                start = {"epoch": 0, "step": 0, "collapsed": 0}
                run.history.append(start | watch(run.module, watched, spec, []))
        self.stop.wait_for_a_step()
        self._compile()
        reset_peak_memory(self.device)
        for job in self.jobs:
            job.earlier = self.runs[0].earlier
        began, before, step_before = time.monotonic(), self.runs[0].epoch, self.runs[0].step
        while self.runs[0].epoch < self.settings.epochs:
            self._epoch(checkpoint)
            for spec, run in zip(self.specs, self.runs, strict=True):
                close_epoch(run, spec.run_id)
                row = run.history[-1]
                row |= watch(run.module, watched, spec, run.history)
                reason = single.collapse(spec, run.history)
                row["collapsed"] = int(bool(reason))
                self.say(single.line(spec, run, reason))
            epoch = self.runs[0].epoch
            if epoch < self.settings.epochs:
                if epoch % self.settings.checkpoint_every == 0:
                    self._save(checkpoint)
                self._stop_if_asked(checkpoint)
        seconds, epochs = time.monotonic() - began, self.runs[0].epoch - before
        self._account(seconds, epochs, self.runs[0].epochs_since(step_before) * len(self.data))

    def _compile(self) -> None:
        """Compile the step where that is wanted; recorded as a single run's is."""
        plans = [Batches(spec, self.data, 1) for spec in self.specs]

        def step(number: int) -> Tensor:
            losses, _ = self._losses(plans, 1, number)
            losses.float().sum().backward()
            return losses

        started = {"startup_seconds": round(time.monotonic() - self.jobs[0].started, 2)}
        for job in self.jobs:
            job.cost |= started | {"compile": "off"}
        if wanted(self.settings.compile, self.device, 1):
            shapes = sorted({0, len(plans[0]) - 1})
            trials = [functools.partial(step, number) for number in shapes]
            made = self.stack.compile(self.device, trials, self.say)
            for job in self.jobs:
                single.note_compilation(job, made)

    def _losses(self, plans: list[Batches], epoch: int, number: int) -> Any:
        """Loss and terms of each run in a step."""
        steps = [plan.step(number, view)[0] for plan, view in zip(plans, self.views, strict=True)]
        seeds = [derive(spec.seed, "dropout", epoch, number, 0) for spec in self.specs]
        return self.stack.losses(steps, seeds)

    def _epoch(self, checkpoint: Path) -> None:
        epoch = self.runs[0].epoch + 1
        plans = [Batches(spec, self.data, epoch) for spec in self.specs]
        total = self.settings.epochs * len(plans[0])
        for number in range(len(self.runs[0].losses), len(plans[0])):
            done = (epoch - 1) * len(plans[0]) + number
            factor = rate_factor(self.settings.schedule, done, total)
            for group in self.optimizer.param_groups:
                group["lr"] = group["rate"] * factor
            losses, terms = self._losses(plans, epoch, number)
            losses.float().sum().backward()
            self._descend()
            for i, run in enumerate(self.runs):
                run.step += 1
                run.module.after_step((done + 1) / total)
                run.losses.append(losses[i].detach())
                for name, term in terms.items():
                    run.sums[name] = run.sums.get(name, 0) + term[i]
            if self.progress is not None:
                self.progress(done + 1, total)
            self._stop_if_asked(checkpoint)

    def _descend(self) -> None:
        for whole, view, part in self._slices:
            view.grad = None if whole.grad is None else whole.grad[part]
        self.optimizer.step()
        for whole, view, _ in self._slices:
            whole.grad = view.grad = None

    def _account(self, seconds: float, epochs: int, clips: float) -> None:
        trained = clips * len(self.runs)
        for job, run in zip(self.jobs, self.runs, strict=True):
            job.cost |= {
                "device": device_name(self.device),
                "devices": 1,
                "clips_per_second": round(trained / seconds, 1) if trained else None,
                "epochs_in_this_process": epochs,
            }
            single.note_collapse(job, run.history, self.say)

    def _stop_if_asked(self, checkpoint: Path) -> None:
        if not self.stop.asked:
            return
        self._save(checkpoint)
        raise Stopped(
            f"{len(self.runs)} stacked runs: asked to stop; saved {checkpoint} after epoch {self.runs[0].epoch}. "
            "The same command goes on from there."
        )

    def _save(self, path: Path) -> None:
        runs = [
            {
                "epoch": run.epoch,
                "step": run.step,
                "history": run.history,
                "losses": run.losses,
                "sums": run.sums,
                "earlier": run.seconds(),
            }
            for run in self.runs
        ]
        state = {"identity": self.identity, "runs": runs, "stack": self.stack.state()}
        buffer = io.BytesIO()
        torch.save(state | {"optimizer": self.optimizer.state_dict()}, buffer)
        with atomic_file(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def _resume(self, path: Path) -> None:
        if not path.is_file():
            return
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
        except Exception as error:  # a cut or foreign file: torch raises several kinds
            said = f"checkpoint {path} cannot be read ({type(error).__name__}); starting from the beginning"
            return self._warn(said)
        if state.get("identity") != self.identity:
            said = f"checkpoint {path} is of other runs, settings, code or data; starting from the beginning"
            return self._warn(said)
        self.stack.load_state(state["stack"])
        self.optimizer.load_state_dict(state["optimizer"])
        for run, values in zip(self.runs, state["runs"], strict=True):
            vars(run).update(values)
        self.say(f"resumed after epoch {self.runs[0].epoch} from {path}")

    def _warn(self, text: str) -> None:
        self.say(text)
        for job in self.jobs:
            job.warnings.append(text)
