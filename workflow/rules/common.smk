# The study: its configuration, its grid, and what every rule needs of them. Logic lives in sslslr.
import json
import os
import re
import shutil
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import report as in_report

import sslslr
from sslslr.config.load import read_yaml
from sslslr.config.published import published
from sslslr.config.run import NO_DATASET
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.report.figures import FIGURES
from sslslr.report.results import Results
from sslslr.report.tables import TABLES
from sslslr.use.best import candidates
from sslslr.utils.errors import UserError
from sslslr.workflow import grid, stages, start

try:
    STUDY = parse(StudyConfig, config, "configuration")  # names the nearest known key
    start.refuse_places_in_dvc_lock(STUDY)
    RUNS = grid.runs(STUDY)
    EVALUATIONS = grid.evaluations(STUDY)
    if workflow.is_main_process:  # jobs of a cluster need not check everything again
        from sslslr.utils.files import check_temporary_folder
        from sslslr.workflow.check import check

        check_temporary_folder()
        start.refuse_missing_profile(sys.argv[1:], Path(workflow.main_snakefile))
        # Snakemake, which has read them, takes a key that stands twice.
        for path in filter(os.path.exists, workflow.config_settings.configfiles):
            read_yaml(path)
        check(STUDY)
except UserError as error:
    raise WorkflowError(str(error))

RESULTS = STUDY.results
GPU_HERE = shutil.which("nvidia-smi") is not None


def gpus(stage, pretrain):
    """GPUs of a job: as configured, or one a device where this machine has any and they are wanted."""
    stated = getattr(STUDY.resources, stage).gpu
    if stated is not None:
        return stated
    wanted = GPU_HERE and pretrain.accelerator != "cpu"
    return wanted * (pretrain.devices if stage == "pretrain" else 1)


def asks(stage):
    """The resources of a stage's jobs, from the configuration; each retry asks for as much again."""
    asked = getattr(STUDY.resources, stage)
    partition = {"slurm_partition": asked.partition} if asked.partition else {}
    return {
        "mem_mb": lambda wildcards, attempt: asked.memory * attempt,
        "runtime": lambda wildcards, attempt: asked.runtime * attempt,
        **partition,
    }


START = start.Start(workflow, STUDY, RUNS, WorkflowError)
seal = START.seal


wildcard_constraints:
    dataset="|".join(STUDY.datasets),
    run=r"[a-z0-9_.]+",


def store_files(dataset):
    return start.store_files(STUDY, dataset)


def downloads(dataset):
    return start.downloads(STUDY, dataset)


def extracts(dataset):
    return stages.extracts(STUDY.datasets[dataset].source)


def data_code(wildcards):
    return stages.code_hash(*stages.data_code(STUDY.datasets[wildcards.dataset].source))


def report_code():
    return stages.code_hash(*stages.report_code(STUDY))


def dataset_options(wildcards):
    return stages.as_json(STUDY.datasets[wildcards.dataset].options)


# Told to `sslslr data download` through its environment, not as `params`: to accept a licence, or to
# fetch more files at once, makes nothing stale.
DOWNLOADS = {
    "SSLSLR_DOWNLOADS": STUDY.downloads.folder or f"{RESULTS}/downloads",
    "SSLSLR_PARALLEL": str(STUDY.downloads.parallel),
    "SSLSLR_ALLOW_HTTP": "1" if STUDY.downloads.allow_http else "",
    "SSLSLR_ACCEPT_LICENCES": " ".join(STUDY.accept_licences),
}
os.environ.update({name: value for name, value in DOWNLOADS.items() if value})


# For a rule's environment where Snakemake makes one (envs/study.post-deploy.sh).
os.environ.update(SSLSLR_PACKAGE=str(Path(sslslr.__file__).parent))


def reads(entries):
    """Files that tables or figures are made of, but for tables, which their own job makes."""
    kinds = {kind for entry in entries for kind in entry.reads}
    kinds = {kind for kind in kinds if not kind.startswith("tables/")}
    return [str(path) for kind in sorted(kinds) for path in REPORT.paths(kind)]


def drawn(figures):
    """The files of figures, by name, with their places in Snakemake's own report."""
    return [
        in_report(
            f"{RESULTS}/figures/{name}.{kind}",
            caption="../report/caption.rst",
            category="Figures",
            labels={"figure": figure.title, "format": kind},
        )
        for name, figure in figures.items()
        for kind in ("pdf", "png")
    ]


def captions(entries):
    """For Snakemake's own report, which has one caption a job."""
    return "\n\n".join(f"**{entry.title}.** {entry.caption}" for entry in entries)


def each_run(pattern):
    """A pattern filled in for every run of the grid."""
    return [pattern.format(run=run_id) for run_id in RUNS]


def listed_downloads(wildcards):
    """A table of the user's that says what a data set downloads."""
    return start.local_files(STUDY, wildcards.dataset)


def raw_inputs(wildcards):
    """What a clip store is made from: a download, local files of the user's, or a pool's members."""
    name = wildcards.dataset
    if downloads(name):
        return [f"{RESULTS}/data/{name}/raw"]
    try:
        return [
            *start.local_files(STUDY, name),
            *start.member_files(STUDY, name),
            *(shard_folders(name) if extracts(name) else []),
        ]
    except UserError as error:
        raise WorkflowError(str(error))


def raw_folder(wildcards):
    """`--raw FOLDER` of building a clip store: what was downloaded, or the shards of keypoints."""
    name = wildcards.dataset
    if start.member_files(STUDY, name):
        return f"--raw {RESULTS}/data"
    folder = "raw" if downloads(name) else "shards" if extracts(name) else ""
    return f"--raw {RESULTS}/data/{name}/{folder}" if folder else ""


def target_clips(wildcards):
    """The clip stores that an encoder is evaluated on, and the pool that none of their test clips is in."""
    evaluation = EVALUATIONS[wildcards.run]
    used = {target.dataset for target in evaluation.targets.values()}
    used |= {evaluation.run.dataset} if evaluation.members else set()
    return sorted({file for dataset in used for file in store_files(dataset)})


def pretraining_clips(wildcards):
    dataset = RUNS[wildcards.run].dataset
    return [] if dataset == NO_DATASET else store_files(dataset)


def pretraining_store(wildcards):
    dataset = RUNS[wildcards.run].dataset
    return "" if dataset == NO_DATASET else f"--store {RESULTS}/data/{dataset}/clips"


ALL_TABLES = TABLES.classes()
CHARTS = {name: f for name, f in FIGURES.classes().items() if f.of_tables()}
DRAWINGS = {name: f for name, f in FIGURES.classes().items() if not f.of_tables()}
REPORT = Results(STUDY, EVALUATIONS)  # the paths alone: nothing is read here
RENDERED = [str(path) for path in REPORT.outputs()]
# What the report is told of the study: a change of the rest makes none of it stale.
SHOWN_STUDY = stages.as_json(published(STUDY.model_dump(mode="json")))
# The best encoder for others, where the study has one to choose.
MODEL = [f"{RESULTS}/model"] if candidates(EVALUATIONS.values()) else []
REPORT_FILES = [*RENDERED, f"{RESULTS}/provenance.json", *MODEL]
