"""The commands that make each file of a study by hand: what the workflow's rules run.

A number is traced by them (`sslslr why`), an archive lists them (`results/provenance.json`), and a
cell is computed again with them (`sslslr verify`). They differ from the rules' own in nothing that
decides a byte: where the log goes and where the seal lies are left out.
"""

import shlex
from pathlib import Path

from sslslr.config import StudyConfig
from sslslr.datasets import DATASETS
from sslslr.grid import NO_DATASET, EvaluateSpec, RunSpec
from sslslr.stages import as_json, extracts

Command = list[str]


def as_text(command: Command) -> str:
    """A command for a shell, every argument quoted where that is needed."""
    return shlex.join(command)


def clip_store(results: Path, dataset: str) -> Path:
    """Folder of a data set's clips."""
    return Path(results) / "data" / dataset / "clips"


def data(study: StudyConfig, dataset: str) -> list[Command]:
    """Download (where there is one) and clip store of a data set; of videos, one that does it all."""
    entry, results = study.datasets[dataset], Path(study.results)
    if extracts(entry.source):
        made = ["sslslr", "pose", "extract", str(entry.options.get("folder", ""))]
        made += ["--name", dataset, "--options", as_json(entry.options)]
        return [[*made, "--out", str(clip_store(results, dataset))]]
    raw = str(results / "data" / dataset / "raw")
    common = ["--source", entry.source, "--options", as_json(entry.options)]
    fetched = DATASETS.traits(entry.source).get("downloads", False)
    made = ["sslslr", "data", "build", "--name", dataset, *common]
    made += ["--raw", raw] if fetched else []
    made += ["--out", str(clip_store(results, dataset))]
    download = ["sslslr", "data", "download", *common, "--raw", raw]
    return [download, made] if fetched else [made]


def pretrain(spec: RunSpec, results: Path, threads: int, data_from: Path | None = None) -> Command:
    """The encoder of a run.

    Args:
        data_from: results folder that holds the clip stores, if it is another one.
    """
    results = Path(results)
    stored = str(clip_store(data_from or results, spec.dataset))
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


def table(stem: Path, metrics: list[Path], study: StudyConfig | None = None) -> Command:
    """One of the tables, by its stem, from the metrics of all runs of a study."""
    files, stem = [str(path) for path in metrics], Path(stem)
    name = stem.name
    if name == "linear":
        paper = "config/paper_numbers.yaml"
        return ["sslslr", "report", "table", *files, "--paper", paper, "--stem", str(stem)]
    if name == "few_labels":
        figures = str(stem.parent.with_name("figures"))
        return ["sslslr", "report", "results", *files, "--folder", figures, "--table", str(stem)]
    if name in ("ablations", "signer_gap"):
        stated = study.evaluate.targets if study else {}
        targets = as_json({name: target.model_dump() for name, target in stated.items()})
        folder = str(stem.parent)
        return ["sslslr", "report", "differences", *files, "--targets", targets, "--folder", folder]
    stem = stem.with_name(name.removesuffix("_comparisons"))
    claims = "config/claims.yaml"
    return ["sslslr", "report", "verdict", *files, "--claims", claims, "--stem", str(stem)]
