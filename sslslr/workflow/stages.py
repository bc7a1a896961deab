"""The five stages of a study and the sources that their jobs run.

    download -> extract -> pretrain -> evaluate -> report

Code that a rule runs through `shell:` is invisible to Snakemake: without help an edit would run
nothing again. So each rule has `params: code=code_hash(...)`, and each stage of `dvc.yaml` lists the
same folders and files.

The unit is a room, `sslslr/data` for one, because what decides a result is then seen at a glance. Of
a registry's folder only the entries in use count: a run of `sl_fpn` does not depend on `simclr.py`,
and a new method makes nothing stale. `config`, `workflow`, `provenance` and `cli` are in no hash:
what they decide reaches a job as its parameters.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from sslslr.augment import TRANSFORMS
from sslslr.config.run import EvaluateSpec, RunSpec
from sslslr.config.settings import parse
from sslslr.config.study import EncoderConfig, StudyConfig
from sslslr.data.datasets import DATASETS, Dataset
from sslslr.data.readers import READERS
from sslslr.encoders import ENCODERS
from sslslr.encoders.inputs import INPUTS
from sslslr.evaluation.protocols import PROTOCOLS
from sslslr.methods import METHODS
from sslslr.pose.backends import BACKENDS
from sslslr.report.figures import FIGURES
from sslslr.report.tables import TABLES
from sslslr.use.best import candidates
from sslslr.utils.registry import Registry
from sslslr.workflow.grid import evaluate_spec, evaluations, runs

PACKAGE = Path(__file__).parents[1]
REGISTRIES = (BACKENDS, DATASETS, ENCODERS, INPUTS, METHODS, PROTOCOLS, READERS, TRANSFORMS)
POSE = ("utils", "pose")
DATA = (*POSE, "data")
PRETRAIN = (*DATA, "augment", "encoders", "methods", "training")
EVALUATE = (*PRETRAIN, "statistics", "evaluation")
REPORT = (*EVALUATE, "report")
COMPILED = "__pycache__"
IMPORT = re.compile(r"^\s*(?:from|import) (sslslr[.\w]*)", re.MULTILINE)
Code = tuple[str | Path, ...]  # rooms, and files of entries in use


def data_code(source: str) -> Code:
    """Sources that download and build a data set."""
    reads = DATASETS.get(source).inputs is not Dataset.inputs  # files of whatever format
    readers = map(READERS.file, READERS.names()) if reads else ()
    return (*DATA, DATASETS.file(source), *readers)


def extract_code(backend: str) -> Code:
    """Sources that prepare a pose model and estimate the keypoints of a shard of videos."""
    return (*POSE, BACKENDS.file(backend))


def pretrain_code(run: RunSpec) -> Code:
    """Sources of one pretraining run."""
    method = METHODS.file(run.method_type)
    return (*PRETRAIN, method, *_encoder(run.encoder), *_transforms(run.augmentation_steps))


def evaluate_code(spec: EvaluateSpec) -> Code:
    """Sources of the evaluation of one encoder."""
    steps = [options.get("augmentation") for options in spec.protocols.values()]
    protocols = map(PROTOCOLS.file, spec.protocols)
    return (*EVALUATE, *protocols, *_encoder(spec.run.encoder), *_transforms(steps))


def report_code(study: StudyConfig) -> Code:
    """Sources of tables, figures and the page: methods and protocols say how they are shown."""
    methods = sorted({METHODS.file(run.method_type) for run in runs(study).values()})
    protocols = sorted(map(PROTOCOLS.file, study.evaluate.protocols))
    transforms = _transforms(list(study.augmentations.values()))
    return (*REPORT, *methods, *protocols, *transforms, *elsewhere(TABLES), *elsewhere(FIGURES))


def model_code(study: StudyConfig) -> Code:
    """Sources that choose and export the best encoder."""
    grid = runs(study).values()
    methods = (METHODS.file(run.method_type) for run in grid)
    encoders = (file for run in grid for file in _encoder(run.encoder))
    protocols = map(PROTOCOLS.file, study.evaluate.protocols)
    return (*EVALUATE, "use", *sorted({*methods, *encoders, *protocols}))


def elsewhere(registry: Registry) -> list[Path]:
    """Files of a registry's entries that are in no room: of another package, or a single file."""
    files = map(registry.file, registry.names())
    return [file for file in files if not file.is_relative_to(PACKAGE)]


def _encoder(config: EncoderConfig) -> list[Path]:
    options = parse(ENCODERS.get(config.variant).Options, config.options, "encoder", most=1)
    inputs = map(INPUTS.file, getattr(options, "inputs", []))
    members = _encoder(options.member) if hasattr(options, "member") else []
    return [ENCODERS.file(config.variant), *inputs, *members]


def _transforms(steps: Any) -> list[Path]:
    """Files of the transforms that are named anywhere in `steps`."""

    def named(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from [value["name"]] if value.get("name") in TRANSFORMS else []
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, dict | list):
                yield from named(inner)

    return sorted({TRANSFORMS.file(name) for name in named(steps)})


def extracts(source: str) -> bool:
    """Are the data set's keypoints estimated from videos first?"""
    return DATASETS.get(source).extracts


def stage_sources(study: StudyConfig) -> dict[str, list[str]]:
    """Folders and files of each stage's sources, relative to the folder that holds the package."""
    specs, entries = runs(study).values(), study.datasets.values()
    downloaded = {e.source for e in entries if DATASETS.get(e.source).downloads}
    backends = {DATASETS.get(e.source).backend(e.options) for e in entries if extracts(e.source)}
    report = report_code(study)
    jobs = {
        "download": [data_code(source) for source in downloaded],
        "extract": [
            *(data_code(entry.source) for entry in entries),
            *(code for backend in backends for code in (extract_code(backend), report)),
        ],
        "pretrain": [pretrain_code(run) for run in specs],
        "evaluate": [evaluate_code(evaluate_spec(study, run)) for run in specs],
        "report": [report, model_code(study)]
        if candidates(evaluations(study).values())
        else [report],
    }
    return {
        stage: sorted({path for code in of_stage for path in sources(*code)})
        for stage, of_stage in jobs.items()
    }


def sources(*code: str | Path) -> list[str]:
    """Folders and files of rooms (`data`) and of entries, as DVC lists them."""
    return sorted(map(_shown, _sources(*code)))


@cache
def code_hash(*code: str | Path) -> str:
    """A short sha256 of the sources of rooms and entries."""
    digest = hashlib.sha256()
    for path in _files(_sources(*code)):
        name = _shown(path) if path.is_relative_to(PACKAGE) else path.name
        digest.update(f"{name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def as_json(value: object) -> str:
    """Settings on a command line: one line of JSON with sorted keys."""
    return json.dumps(value, sort_keys=True)


@cache
def _sources(*code: str | Path) -> frozenset[Path]:
    """Folders and files; a registry within a room counts where a source imports it, as does an entry."""
    paths: set[Path] = set()
    todo: list[str | Path] = list(code)
    while todo:
        part = todo.pop()
        added = ({part} if isinstance(part, Path) else _parts(PACKAGE / part)) - paths
        paths |= added
        imported = {name for path in _files(added) for name in _imports(path)}
        todo += [path for name in imported for path in _of_registry(name)]
    return frozenset(paths)


@cache
def _parts(folder: Path) -> frozenset[Path]:
    """A room's folder as a whole, or, where it holds a registry, what stands beside its entries."""
    if not folder.is_dir():
        raise ValueError(f"{folder.name}: there is no such room in {PACKAGE}")
    if not _entries() & set(_files([folder])):
        return frozenset({folder})
    parts: set[Path] = set()
    for path in folder.iterdir():
        if path.is_file():
            parts |= {path} - _entries()
        elif path.name != COMPILED and path not in _registries():
            parts |= _parts(path)
    return frozenset(parts)


def _of_registry(name: str) -> frozenset[Path]:
    """What a dotted name stands for if it is an entry, or a registry's folder; else nothing."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    if path in _registries():
        return _parts(path)
    return frozenset({path.with_suffix(".py")}) & _entries()


@cache
def _registries() -> frozenset[Path]:
    packages = (registry.package for registry in REGISTRIES)
    return frozenset(PACKAGE.parent.joinpath(*package.split(".")) for package in packages)


@cache
def _entries() -> frozenset[Path]:
    """Files of the registries' folders that may hold an entry (`sslslr.utils.registry`)."""
    return frozenset(
        path
        for folder in _registries()
        for path in folder.rglob("*.py")
        if not any(part.startswith("_") for part in path.relative_to(folder).parts)
    )


@cache
def _imports(path: Path) -> frozenset[str]:
    return frozenset(IMPORT.findall(path.read_text(encoding="utf-8", errors="replace")))


def _files(paths: Iterable[Path]) -> list[Path]:
    """All files below `paths`, sorted, without what Python compiled."""
    below = (file for path in paths for file in ([path] if path.is_file() else path.rglob("*")))
    return sorted({file for file in below if file.is_file() and COMPILED not in file.parts})


def _shown(path: Path) -> str:
    root = PACKAGE.parent if path.is_relative_to(PACKAGE) else Path.cwd()
    return Path(os.path.relpath(path, root)).as_posix()
