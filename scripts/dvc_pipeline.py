"""dvc.yaml from a study: five stages, and what `dvc metrics`, `plots` and `artifacts` show of it.

A stage is one target of the workflow. It lists the sources that its jobs run and the keys of the
configuration that they read, so that DVC runs a stage again if and only if Snakemake would run one
of its jobs again (tests/workflow/test_agreement.py). Snakemake goes by times and DVC by content:
where an edit changes no byte of a stage's outputs, Snakemake still makes what comes after it again.
So that DVC does too, a stage lists the sources and keys of the stages before it as well.
"""

from sslslr.config.published import AT_HOME
from sslslr.config.run import NO_DATASET, RunSpec
from sslslr.config.study import StudyConfig
from sslslr.data.datasets import DATASETS
from sslslr.encoders.build import encoder_options
from sslslr.report.results import Results
from sslslr.use.best import candidates
from sslslr.workflow.grid import evaluations, runs
from sslslr.workflow.stages import stage_sources

CONFIG = "config/demo.yaml"
RULE_FILES = {"download": ["data"], "extract": ["data", "videos", "pose"]}
ENTRY = ["Snakefile", "workflow/Snakefile", "workflow/rules/common.smk"]
# Figures that the workflow drew itself: they need no script from a network to be looked at.
IMAGES = ("claims", "training", "few_labels", "confusions", "neighbours")
CURVES = ("loss", "embedding_spread", "embedding_rank")


def pipeline(study: StudyConfig, written: dict) -> dict:
    """The content of dvc.yaml.

    Args:
        written: the study's YAML file as it stands. DVC watches keys, so each must be written out:
            one that is added later would go unseen.

    Raises:
        ValueError: keys of the configuration that are not written out.
    """
    made = stages(study)
    params = [entry for stage in made.values() for entry in stage.get("params", [])]
    watched = {key: None for entry in params for key in entry[CONFIG]}
    if absent := [key for key in watched if not is_written(key, written)]:
        raise ValueError(f"{CONFIG}: write out the keys {', '.join(absent)}, defaults too.")
    return {
        "stages": made,
        "metrics": [str(path) for path in Results(study, evaluations(study)).numbers()],
        "plots": plots(study),
        "artifacts": artifacts(study),
    }


def is_written(key: str, written: dict) -> bool:
    """Does the file have this dotted key?"""
    for part in key.split("."):
        if not isinstance(written, dict) or part not in written:
            return False
        written = written[part]
    return True


def stages(study: StudyConfig) -> dict:
    """The five stages with their deps, params and outs."""
    results, sources = study.results, stage_sources(study)
    raw = [f"{results}/data/{name}/raw" for name in downloaded(study)]
    clips = [f"{results}/data/{name}/clips" for name in study.datasets]
    encoders, features, metrics = (f"{results}/{n}" for n in ("encoders", "features", "metrics"))
    names = ("tables", "figures", "top1", "study.json", "report.html", "provenance.json")
    names += ("model",) if candidates(evaluations(study).values()) else ()
    shown = [f"{results}/{name}" for name in names]
    inputs_and_outputs = {
        "download": ([], raw),
        "extract": (raw, clips),
        "pretrain": (clips, [encoders]),
        "evaluate": ([*clips, encoders], [features, metrics]),
        "report": ([*clips, encoders, features, metrics], shown),
    }
    value, code, keys = {}, list(ENTRY), []
    for stage, (inputs, outs) in inputs_and_outputs.items():
        rules = [f"workflow/rules/{name}.smk" for name in RULE_FILES.get(stage, [stage])]
        code += [*rules, *sources[stage]]
        keys = without_parts([*keys, *keys_read(study, stage)])
        decided = ["config/paper_numbers.yaml", study.claims] if stage == "report" else []
        value[stage] = {
            "cmd": f"snakemake --cores all {stage}",
            "deps": [*inputs, *decided, *dict.fromkeys(code)],
            # DVC takes no keys for all of them.
            **({"params": [{CONFIG: keys}]} if keys else {}),
            # Without persist DVC deletes an output before its stage runs, and everything runs again.
            "outs": [{path: {"persist": True}} for path in outs],
        }
    return value


def downloaded(study: StudyConfig) -> list[str]:
    """Names of the data sets that have something to download."""
    entries = study.datasets.items()
    return [name for name, entry in entries if DATASETS.get(entry.source).downloads]


def keys_read(study: StudyConfig, stage: str) -> list[str]:
    """The keys of the configuration that a stage reads and none before it does."""
    found = runs(study).values()
    steps = {f"augmentations.{run.augmentation}" for run in found if run.dataset != NO_DATASET}
    named = [options.get("augmentation") for options in study.evaluate.protocols.values()]
    views = [f"augmentations.{name}" for name in named if isinstance(name, str)]
    return {
        "download": [f"datasets.{name}" for name in downloaded(study)],
        "extract": ["datasets"],
        "pretrain": [
            *("preprocess", "encoder", "pretrain", "runs"),
            "resources.threads",
            *sorted(steps),
            *sorted({f"methods.{run.method}" for run in found}),
        ],
        "evaluate": ["evaluate", *sorted(set(views))],
        # The page shows what is published of the configuration, and the sheet all augmentations.
        "report": [key for key in type(study).model_fields if key not in AT_HOME],
    }[stage]


def without_parts(keys: list[str]) -> list[str]:
    """Keys without those that another one holds: `datasets`, not `datasets.synthetic` beside it."""
    return [
        key
        for key in dict.fromkeys(keys)
        if not any(key.startswith(f"{other}.") for other in keys if other != key)
    ]


def plots(study: StudyConfig) -> list[dict]:
    """Curves over epochs of each pretrained encoder, the table's scores, the figures."""
    histories = [
        f"{study.results}/encoders/{name}/history.csv"
        for name, run in runs(study).items()
        if run.dataset != NO_DATASET
    ]
    curves = [
        {
            column: {
                "title": f"{column.replace('_', ' ').capitalize()} over pretraining",
                "x": "epoch",
                "y": dict.fromkeys(histories, column),
            }
        }
        for column in CURVES
        if histories
    ]
    scores = {
        "linear_table": {
            "title": "Top-1 by protocol",
            "template": "scatter",
            "x": {f"{study.results}/tables/linear.csv": "protocol"},
            "y": {f"{study.results}/tables/linear.csv": "top1_mean"},
        }
    }
    return [*curves, scores, *(f"{study.results}/figures/{name}.png" for name in IMAGES)]


def artifacts(study: StudyConfig) -> dict:
    """The data sets and encoders by name, for `dvc artifacts get` and a model registry."""
    found = {
        artifact_name("data", name): {
            "path": f"{study.results}/data/{name}/clips",
            "type": "dataset",
            "labels": ["clip-store", "keypoints", entry.source],
            "desc": f"Clip store {name} ({entry.source}); its licence is in card.json.",
        }
        for name, entry in study.datasets.items()
    }
    for run_id, run in runs(study).items():
        found[artifact_name("encoder", run_id)] = {
            "path": f"{study.results}/encoders/{run_id}",
            "type": "model",
            "labels": ["encoder", run.method, run.encoder.variant, f"seed-{run.seed}"],
            "desc": describe(run),
        }
    if candidates(evaluations(study).values()):
        found["best-encoder"] = {
            "path": f"{study.results}/model",
            "type": "model",
            "labels": ["encoder", "exported"],
            "desc": "The encoder furthest above a random one, for use by others; README.md is its model card.",
        }
    return found


def describe(run: RunSpec) -> str:
    """An encoder in one sentence."""
    no_encoder = {
        "raw": "no encoder, the keypoints themselves",
        "hand_features": "no encoder, hand-made features",
    }
    size = no_encoder.get(run.encoder.variant)
    if size is None:
        options = encoder_options(run.encoder)
        size = f"{options.depth} blocks of width {options.width}"
    if run.dataset == NO_DATASET:
        how = "not pretrained"
    else:
        how = f"{run.pretrain.epochs} epochs on {run.dataset}, views {run.augmentation}"
    tag = f", ablation {run.tag}" if run.tag else ""
    return f"{run.method}: {size}, {how}, seed {run.seed}{tag}."


def artifact_name(kind: str, name: str) -> str:
    """DVC allows small letters, digits, `-` and `/`."""
    return f"{kind}-{name}".lower().replace(".", "-").replace("_", "-")
