# The study: its configuration, its grid, and what every rule needs of them. Logic lives in sslslr.
import json
import os
import re
import shutil
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

from sslslr import grid, guard, seals, stages, yaml_file
from sslslr.config import StudyConfig, parse
from sslslr.datasets import DATASETS
from sslslr.errors import UserError
from sslslr.estimate import estimate
from sslslr.files import has_key
from sslslr.grid import NO_DATASET
from sslslr.methods import METHODS
from sslslr.report import wording
from sslslr.study import left_checkpoints, outdated

try:
    STUDY = parse(StudyConfig, config, "configuration")  # names the nearest known key
    validate(config, "../schemas/config.schema.yaml", set_default=False)
    RUNS = grid.runs(STUDY)
    EVALUATIONS = {
        run_id: grid.evaluate_spec(STUDY, run) for run_id, run in RUNS.items()
    }
    if workflow.is_main_process:  # jobs of a cluster need not check everything again
        from sslslr.study import check

        # Snakemake, which has read them, takes a key that stands twice.
        files = workflow.config_settings.configfiles or ["config/demo.yaml"]
        for path in filter(os.path.exists, files):
            yaml_file.read(path)
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


def extraction_gpus(wildcards):
    stated = STUDY.resources.extract.gpu
    return GPU_HERE if stated is None else stated


def asks(stage):
    """The resources of a stage's jobs, from the configuration; each retry asks for as much again."""
    asked = getattr(STUDY.resources, stage)
    partition = {"slurm_partition": asked.partition} if asked.partition else {}
    return {
        "mem_mb": lambda wildcards, attempt: asked.memory * attempt,
        "runtime": lambda wildcards, attempt: asked.runtime * attempt,
        **partition,
    }


def asked(short, *long):
    """Whether a flag without a value is on the command line, also among others as in `-np`."""
    together = re.compile(rf"-[FRknpqrt]*{short}[FRknpqrt]*")
    return any(arg in long or together.fullmatch(arg) for arg in sys.argv)


PLANNING = asked("n", "--dry-run", "--dryrun")


def published_clips():
    """Number of clips of the data sets whose publishers state it."""
    found = {}
    for name, entry in STUDY.datasets.items():
        source = DATASETS.get(entry.source)
        if hasattr(source, "published"):
            options = parse(source.Options, entry.options, f"datasets.{name}.options")
            found[name] = source.published(options)
    return {name: clips for name, clips in found.items() if clips is not None}


if workflow.is_main_process and PLANNING:
    built = Path(RESULTS, "data").glob("*/clips/card.json")
    cards = {
        card.parts[-3]: json.loads(card.read_text())
        for card in built
        if has_key(card, "n_clips")
    }
    numbers = {name: card["n_clips"] for name, card in cards.items()}
    print(estimate(STUDY, numbers, published_clips()), file=sys.stderr)

READING = {
    *(
        "--unlock",
        "--lint",
        "--list-rules",
        "--list",
        "-l",
        "--list-target-rules",
        "--lt",
    ),
    *(
        "--summary",
        "-S",
        "--detailed-summary",
        "-D",
        "--report",
        "--dag",
        "--rulegraph",
    ),
    *("--filegraph", "--d3dag", "--print-compilation", "--cleanup-metadata", "--cm"),
    *("--help", "-h", "--version", "-v", "--archive"),
}


BROKEN = []  # seals of files that were changed behind the workflow's back


def begin():
    """Take the results folder for this workflow, and find files that were changed behind its back."""
    if not PLANNING:
        # `--jobs` without `--cores` is how a cluster is told how many jobs to hold.
        cluster = workflow.resource_settings.nodes is not None
        for sentence in guard.enter(RESULTS, cluster, ".snakemake/locks"):
            print(sentence, file=sys.stderr)
    for record in outdated(RESULTS, RUNS):
        print(
            f"{record.parent}: made by hand, of other settings or code; to be made again",
            file=sys.stderr,
        )
        if not PLANNING and not asked("t", "--touch"):
            record.unlink()
    if left := left_checkpoints(STUDY):
        size = sum(path.stat().st_size for path in left) / 1e6
        print(
            f"{RESULTS}/checkpoints: {len(left)} checkpoints ({size:.1f} MB) that no job of this "
            "configuration goes on from; remove them unless you go back to the one that made them: "
            + ", ".join(path.name for path in left[:3])
            + (", ..." if len(left) > 3 else ""),
            file=sys.stderr,
        )
    for name in STUDY.datasets:
        # Snakemake keeps silent about inputs that are missing where the output is there.
        if not downloads(name) and all(map(os.path.isfile, store_files(name))):
            try:
                local_files(name)
            except UserError as error:
                print(
                    f"data set {name!r} stays as it was built, whatever its settings are now: {error}",
                    file=sys.stderr,
                )
    damages, _ = seals.examine(RESULTS, renew=not PLANNING)
    for damage in damages:
        print(
            f"changed since it was written, to be made again: {damage}", file=sys.stderr
        )
        BROKEN.append(damage.seal)
    if not PLANNING and not asked("t", "--touch"):
        while BROKEN:
            seals.break_seal(BROKEN.pop())


def seal(stage, job):
    """The parameter `seal` of a job: where hashes of what it writes are kept (sslslr/seals.py)."""
    return str(seals.current(RESULTS, stage, job, BROKEN))


wildcard_constraints:
    dataset="|".join(STUDY.datasets),
    run=r"[a-z0-9_.]+",


def store_files(dataset):
    """The three files of a clip store."""
    names = ("keypoints.npy", "clips.parquet", "card.json")
    return [f"{RESULTS}/data/{dataset}/clips/{name}" for name in names]


def downloads(dataset):
    return DATASETS.traits(STUDY.datasets[dataset].source).get("downloads", False)


def extracts(dataset):
    return stages.extracts(STUDY.datasets[dataset].source)


def data_code(wildcards):
    return stages.code_hash(
        *stages.data_modules(STUDY.datasets[wildcards.dataset].source)
    )


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


def report_code(part):
    return stages.code_hash(*stages.REPORT_MODULES[part])


def each_run(pattern):
    """A pattern filled in for every run of the grid."""
    return [pattern.format(run=run_id) for run_id in RUNS]


def local_files(name):
    """Files of the user's that a data set is made of; raises UserError where they cannot be."""
    entry = STUDY.datasets[name]
    source = DATASETS.get(entry.source)
    options = parse(source.Options, entry.options, f"datasets.{name}.options")
    files = [str(path) for path in source.inputs(options)]
    for path in filter(re.compile(r"\{\s*\w").search, files):
        raise UserError(
            f"{path}: Snakemake takes what stands in braces for a wildcard; rename it (data set {name!r})."
        )
    return files


def raw_inputs(wildcards):
    """What a clip store is made from: the downloaded folder, or local files of the user's."""
    name = wildcards.dataset
    if downloads(name):
        return [f"{RESULTS}/data/{name}/raw"]
    try:
        return [*local_files(name), *(shard_folders(name) if extracts(name) else [])]
    except UserError as error:
        raise WorkflowError(str(error))


def raw_folder(wildcards):
    """`--raw FOLDER` of building a clip store: what was downloaded, or the shards of keypoints."""
    name = wildcards.dataset
    folder = "raw" if downloads(name) else "shards" if extracts(name) else ""
    return f"--raw {RESULTS}/data/{name}/{folder}" if folder else ""


def target_clips(wildcards):
    """The clip stores that an encoder is evaluated on."""
    targets = EVALUATIONS[wildcards.run].targets.values()
    return sorted({file for target in targets for file in store_files(target.dataset)})


def pretraining_clips(wildcards):
    dataset = RUNS[wildcards.run].dataset
    return [] if dataset == NO_DATASET else store_files(dataset)


def pretraining_store(wildcards):
    dataset = RUNS[wildcards.run].dataset
    return "" if dataset == NO_DATASET else f"--store {RESULTS}/data/{dataset}/clips"


REPORT_FIGURES = [
    "training",
    "clip",
    "augmentations",
    "semi_supervised",
    "transfer",
    "ablations",
    "views",
    "embedding",
    "confusions",
]
REPORT_TABLES = [
    "verdicts",
    "verdicts_comparisons",
    "linear",
    "ablations",
    "signer_gap",
    "few_labels",
    "cost",
]
RENDERED = [
    f"{RESULTS}/report.html",
    f"{RESULTS}/tables/summary.json",  # for `dvc metrics`
    *(
        f"{RESULTS}/tables/{name}.{ending}"
        for name in REPORT_TABLES
        for ending in ("csv", "md", "tex")
    ),
    *(
        f"{RESULTS}/figures/{name}.{ending}"
        for name in REPORT_FIGURES
        for ending in ("pdf", "png")
    ),
]
REPORT_FILES = [*RENDERED, f"{RESULTS}/provenance.json"]

if workflow.is_main_process and not READING & set(sys.argv):
    try:
        begin()
    except UserError as error:
        raise WorkflowError(str(error))
