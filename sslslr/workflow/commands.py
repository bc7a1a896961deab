"""The commands that make each file of a study by hand: what the workflow's rules run.

A number is traced by them (`sslslr why`), an archive lists them (`results/provenance.json`), and a
cell is computed again with them (`sslslr verify`). They differ from the rules' own in nothing that
decides a byte: where the log goes and where the seal lies are left out.
"""

import shlex
from pathlib import Path

from sslslr.config.run import NO_DATASET, EvaluateSpec, RunSpec, clip_store
from sslslr.config.study import StudyConfig
from sslslr.data.datasets import DATASETS
from sslslr.workflow.grid import members
from sslslr.workflow.stages import as_json, extracts

Command = list[str]


def as_text(command: Command) -> str:
    """A command for a shell, every argument quoted where that is needed."""
    return shlex.join(command)


def data(study: StudyConfig, dataset: str, results: Path) -> list[Command]:
    """Download (where there is one) and clip store of a data set; of videos, one that does it all."""
    entry = study.datasets[dataset]
    if extracts(entry.source):
        made = ["sslslr", "pose", "extract", str(entry.options.get("folder", ""))]
        made += ["--name", dataset, "--options", as_json(entry.options)]
        return [[*made, "--out", str(clip_store(results, dataset))]]
    pooled = members(study, dataset)
    raw = str(results / "data" / dataset / "raw")
    common = ["--source", entry.source, "--options", as_json(entry.options)]
    fetched = DATASETS.get(entry.source).downloads
    made = ["sslslr", "data", "build", "--name", dataset, *common]
    made += ["--raw", raw] if fetched else []
    made += ["--raw", str(results / "data")] if pooled else []
    made += ["--out", str(clip_store(results, dataset))]
    download = ["sslslr", "data", "download", *common, "--raw", raw]
    before = [command for member in pooled for command in data(study, member, results)]
    return [*before, download, made] if fetched else [*before, made]


def pretrain(spec: RunSpec, results: Path, threads: int) -> Command:
    """The encoder of a run."""
    stored = str(clip_store(results, spec.dataset))
    store = [] if spec.dataset == NO_DATASET else ["--store", stored]
    return [
        *("sslslr", "pretrain", "--spec", spec.model_dump_json(), *store),
        *("--out", str(results / "encoders" / spec.run_id)),
        *("--checkpoint", str(results / "checkpoints" / f"{spec.run_id}.ckpt")),
        *("--threads", str(threads)),
    ]


def evaluate(spec: EvaluateSpec, results: Path, threads: int) -> Command:
    """The metrics and predictions of a run."""
    return [
        *("sslslr", "evaluate", "--spec", spec.model_dump_json()),
        *("--results", str(results), "--threads", str(threads)),
    ]


def table(name: str, results: Path) -> Command:
    """A table of the study that built the results folder."""
    return ["sslslr", "report", "table", name, "--results", str(results)]
