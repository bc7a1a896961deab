"""The five stages of a study and the source files that each of their jobs runs.

    download -> extract -> pretrain -> evaluate -> report

Both the workflow's `params: code=...` and the deps of `dvc.yaml` come from here, so that Snakemake
and DVC cannot disagree about what an edit makes stale. The command line (`sslslr/cli`) is left out
on purpose: its verbs parse arguments and call one function of a module listed here.
"""

import json

from sslslr.codehash import code_hash, sources
from sslslr.config import StudyConfig
from sslslr.datasets import DATASETS
from sslslr.grid import EvaluateSpec, RunSpec, evaluate_spec, fingerprint, runs
from sslslr.groups import stacks
from sslslr.methods import METHODS
from sslslr.pose.backends import BACKENDS
from sslslr.protocols import PROTOCOLS

STAGES = ("download", "extract", "pretrain", "evaluate", "report")
REPORT_MODULES = {
    "linear": ("sslslr.report.tables", "sslslr.report.summary"),
    "verdicts": ("sslslr.claims", "sslslr.report.verdict", "sslslr.report.collect"),
    "differences": ("sslslr.report.differences", "sslslr.report.collect"),
    "ablations": (
        "sslslr.report.ablations",
        "sslslr.report.differences",
        "sslslr.report.collect",
    ),
    "training": ("sslslr.report.figures", "sslslr.report.collect"),
    "results": ("sslslr.report.results", "sslslr.report.few_labels", "sslslr.report.collect"),
    "clip": ("sslslr.report.picture",),
    "augmentations": ("sslslr.report.augmentations",),
    "example": ("sslslr.report.embedding", "sslslr.report.confusions"),
    "html": (
        "sslslr.report.html",
        "sslslr.report.cost",
        "sslslr.report.collect",
        "sslslr.report.markup",
        "sslslr.report.verdict",
        "sslslr.report.differences",
    ),
    "provenance": ("sslslr.trace.crate",),
}
QUALITY_MODULES = ("sslslr.report.quality",)


def data_modules(source: str) -> tuple[str, ...]:
    """Of downloading and building a data set."""
    return ("sslslr.datasets", DATASETS.module(source))


def extracts(source: str) -> bool:
    """Are the data set's keypoints estimated from videos first?"""
    return bool(DATASETS.traits(source).get("extracts"))


def extract_modules(backend: str) -> tuple[str, ...]:
    """Of making a pose model ready and estimating the keypoints of a shard of videos."""
    return ("sslslr.pose.extract", BACKENDS.module(backend))


def pretrain_modules(run: RunSpec) -> tuple[str, ...]:
    """Of one pretraining run."""
    return ("sslslr.pretrain", METHODS.module(run.method_type))


def stack_modules(run: RunSpec) -> tuple[str, ...]:
    """Of several pretraining runs in one process."""
    return ("sslslr.stacking", METHODS.module(run.method_type))


def stacked(study: StudyConfig) -> dict[str, list[RunSpec]]:
    """The study's jobs that pretrain several runs, by name; the other runs have a job each."""
    groups = stacks(runs(study).values(), study.resources.stack)
    together = [group for group in groups if len(group) > 1]
    return {fingerprint([spec.run_id for spec in group]): group for group in together}


def evaluate_modules(spec: EvaluateSpec) -> tuple[str, ...]:
    """Of the evaluation of one encoder."""
    return ("sslslr.evaluate", *map(PROTOCOLS.module, spec.protocols))


def stage_sources(study: StudyConfig) -> dict[str, list[str]]:
    """Source files of each stage of a study, relative to the repository."""
    specs = runs(study).values()
    used = {entry.source for entry in study.datasets.values()}
    modules = {
        "download": [
            m for s in used if DATASETS.traits(s).get("downloads") for m in data_modules(s)
        ],
        "extract": [
            *(module for source in used for module in data_modules(source)),
            *(
                module
                for entry in study.datasets.values()
                if extracts(entry.source)
                for module in (
                    *extract_modules(DATASETS.get(entry.source).backend(entry.options)),
                    *QUALITY_MODULES,
                )
            ),
        ],
        "pretrain": [
            *(module for run in specs for module in pretrain_modules(run)),
            *(module for group in stacked(study).values() for module in stack_modules(group[0])),
        ],
        "evaluate": [m for run in specs for m in evaluate_modules(evaluate_spec(study, run))],
        "report": [module for names in REPORT_MODULES.values() for module in names],
    }
    return {stage: list(sources(*sorted(set(names)))) for stage, names in modules.items()}


def as_json(value: object) -> str:
    """Settings on a command line: one line of JSON with sorted keys."""
    return json.dumps(value, sort_keys=True)


__all__ = ["STAGES", "as_json", "code_hash", "stage_sources"]
