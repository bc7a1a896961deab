"""CPU seconds of one core until a frozen encoder reaches a score: `make bench-accuracy` (half an hour).

Four runs of two configurations, each as it is configured, seed 0, one thread: SimCLR and
`sl_fpn_rate`, with the encoder of `config/beyond_cpu.yaml` and with that of `config/encoder_cpu.yaml`.
Every few epochs the encoder as it then is gets a logistic probe on the labelled clips of WLASL-300 and
is scored on its val split. A run's own schedule goes on: a score half way is not that of a shorter run.
Counted is the processor time of this process, reading and preparing the clips included; the probes are not.
"""

import argparse
import contextlib
import io
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sslslr.config.load import load
from sslslr.config.run import EvaluateSpec, RunSpec
from sslslr.config.settings import parse
from sslslr.data import datasets
from sslslr.data.splits import splits_of
from sslslr.data.store import ClipStore
from sslslr.evaluation.features import embed
from sslslr.evaluation.protocols import Task
from sslslr.evaluation.protocols.logistic import Logistic, LogisticConfig
from sslslr.evaluation.task import TargetClips
from sslslr.pose.skeleton import N_JOINTS
from sslslr.training import pretrain as training
from sslslr.training.distributed import make_fabric
from sslslr.training.loop import train_epoch
from sslslr.training.stop import StopSwitch
from sslslr.utils.hardware import choose_precision
from sslslr.workflow import grid

LEVELS = (40, 45, 50, 55, 58)  # percent
PROBES = 6  # of a run, the untrained encoder's beside them
C = [0.03, 0.1, 0.3, 1, 3]  # the probe's, chosen on held-out training clips
TARGET = "wlasl_300"
RUNS = [  # the encoder in words, its configuration, method, tag
    ("the paper's, 2 blocks of 96", "beyond_cpu", "sl_fpn_rate", None),
    ("the paper's, 2 blocks of 96", "beyond_cpu", "simclr", None),
    ("the same with hand geometry", "encoder_cpu", "sl_fpn_rate", None),
    ("the same with hand geometry", "encoder_cpu", "simclr", "equal_time"),
]


@dataclass(frozen=True)
class Point:
    """The probe's score after so many epochs and CPU seconds."""

    epoch: int
    seconds: float
    percent: float


class Probe:
    """The logistic probe of one target, whose clips are prepared once."""

    def __init__(self, spec: EvaluateSpec, name: str, store: ClipStore):
        seen = TargetClips(spec, store, np.ones(N_JOINTS, dtype=bool))
        self.prepared, self.averaged = seen.prepared, seen.averaged
        clips = store.clips.iloc[self.prepared.indices]
        target = spec.targets[name]
        split = splits_of(store.clips, target, target.dataset or name)[self.prepared.indices]
        self.train, test = np.flatnonzero(split == "train"), np.flatnonzero(split == target.test)
        glosses = clips["gloss"].to_numpy(dtype=object)
        self.classes = sorted(set(glosses[self.train]))
        index = {gloss: number for number, gloss in enumerate(self.classes)}
        self.labels = np.array([index.get(gloss, -1) for gloss in glosses], dtype=np.int64)
        self.test, self.name = test[self.labels[test] >= 0], name

    def percent(self, encoder: torch.nn.Module) -> float:
        """Top-1 on the scored clips."""
        features = embed(encoder, self.prepared.batch, 0, "cpu", self.averaged)
        rows = (self.train, self.test)
        task = Task(self.name, features, None, self.labels, self.classes, *rows, None, 0, "cpu")
        (found,) = Logistic().run(task, parse(LogisticConfig, {"C": C}, "bench"), lambda text: None)
        guesses = np.concatenate([block.argmax(axis=1) for block in found.scores])
        return 100 * float((guesses == self.labels[self.test]).mean())


def history(spec: RunSpec, store: ClipStore, probe: Probe, say=print) -> list[Point]:
    """Pretrain as `sslslr pretrain` does, and score the encoder on the way."""
    precision, _ = choose_precision("cpu", spec.pretrain.precision)
    with tempfile.TemporaryDirectory() as folder, StopSwitch() as stop:
        paths = Path(folder) / "encoder", Path(folder) / "checkpoint"  # neither is written
        run = training.Run(spec, store, *paths, "bench", 1, lambda text: None)
        began = time.process_time()
        context = training._context(run, make_fabric("cpu", 1, precision), stop, None)
        state = training._begin(run, context)
        seconds = time.process_time() - began
        every, points = max(1, spec.pretrain.epochs // PROBES), []
        while True:
            if state.epoch % every == 0 or state.epoch == spec.pretrain.epochs:
                mode = state.method.training
                points.append(Point(state.epoch, seconds, probe.percent(state.module.encoder)))
                state.method.train(mode)
                say(f"{spec.run_id}: {points[-1]}")
            if state.epoch == spec.pretrain.epochs:
                return points
            began = time.process_time()
            train_epoch(context, state)
            seconds += time.process_time() - began


def reached(points: list[Point], level: float) -> str:
    """The CPU seconds of the first point that has the level, in words."""
    first = next((point for point in points if point.percent >= level), None)
    if first is None:
        return "not reached"
    return f"{first.seconds:,.0f}" if first.epoch else "untrained"


def row(encoder: str, method: str, points: list[Point]) -> str:
    """A line of the table."""
    best, last = max(points, key=lambda point: point.percent), points[-1]
    cells = [encoder, method, *(reached(points, level) for level in LEVELS)]
    cells += [f"{best.percent:.1f}", f"{last.percent:.1f} ({last.seconds:,.0f} s)"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("results/bench_accuracy/data"))
    parser.add_argument("--config", nargs="*", default=["encoder_cpu", "beyond_cpu"])
    data, configs = (getattr(parser.parse_args(), name) for name in ("data", "config"))
    torch.set_num_threads(1)
    lines = []
    for encoder, config, method, tag in RUNS:
        if config not in configs:
            continue
        study = load(Path("config") / f"{config}.yaml")
        spec = next(
            spec
            for spec in grid.runs(study).values()
            if (spec.method, spec.tag, spec.seed, spec.encoder.variant)
            == (method, tag, 0, study.encoder.variant)
        )
        stores = {}
        for name in (spec.dataset, TARGET):
            if not (data / name / "clips").exists():
                source = study.datasets[name]
                with contextlib.redirect_stdout(io.StringIO()):
                    datasets.build(
                        name, source.source, source.options, data / name / "clips", None, print
                    )
            stores[name] = ClipStore.open(data / name / "clips")
        probe = Probe(grid.evaluate_spec(study, spec), TARGET, stores[TARGET])
        points = history(spec, stores[spec.dataset], probe, lambda text: print(text, flush=True))
        lines.append(row(encoder, method, points))
    levels = " | ".join(f"{level} %" for level in LEVELS)
    print(f"\n| encoder | method | {levels} | best | at the end |")
    print("| :--- | :--- |" + " ---: |" * (len(LEVELS) + 2))
    print("\n".join(lines))
    print(
        f"\nSeconds of one core, preparing the clips included, probes not; n {len(probe.test)}, one seed; "
        f"torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
