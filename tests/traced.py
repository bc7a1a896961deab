"""A small study that the tests of `sslslr.trace` make, and its rendering by the stages' own functions."""

import json
from pathlib import Path

from sslslr import claims, commands, grid
from sslslr.config import StudyConfig
from sslslr.report import collect, differences, few_labels, tables, verdict
from sslslr.trace import crate
from toys import ROOT

STUDY = {
    "name": "traced",
    "datasets": {"toy": {"source": "synthetic", "options": {"signs": 3, "signers": 5, "clips": 60}}},
    "preprocess": {"frames": 12},
    "encoder": {"depth": 1, "width": 16, "heads": 2},
    "augmentations": {"temporal_permutation": [{"name": "temporal_permutation"}]},
    "methods": {"sl_fpn": {}, "random": {}},
    "pretrain": {"epochs": 1, "batch_size": 16, "accelerator": "cpu"},
    "runs": [
        {"methods": ["sl_fpn"], "datasets": ["toy"]},
        {"methods": ["sl_fpn"], "datasets": ["toy"], "tag": "no_original", "method_options": {"w_o": 0}},
        {"methods": ["random"], "seeds": [0, 1]},
    ],
    "evaluate": {
        "targets": {"toy": {}, "mixed": {"dataset": "toy", "split_by": "clips"}},
        "protocols": {
            "linear": {"epochs": 3, "warmup_epochs": 1, "hidden": [16, 8], "seeds": [0, 1]},
            "logistic": {},
            "semi_supervised": {"fractions": [1 / 3], "shots": [2], "draws": 2},
        },
    },
}  # fmt: skip


def silent(text: str) -> None:
    """Say nothing."""


def render(results: Path, study: StudyConfig) -> None:
    """Tables and provenance, as the report's rules make them."""
    specs = grid.runs(study)
    files = [results / "metrics" / run / "metrics.csv" for run in specs]
    metrics = collect.read_metrics(files)
    guesses = collect.read_predictions([f.with_name("predictions.parquet") for f in files])
    folder = results / "tables"
    paper = collect.read_paper_numbers(ROOT / "config/paper_numbers.yaml")
    table = tables.linear_table(metrics, guesses, paper)
    tables.render(table, folder / "linear", tables.LINEAR_CAPTION)
    targets = json.loads(study.model_dump_json())["evaluate"]["targets"]
    gap = differences.signer_gap(metrics, targets)
    differences.write(differences.ablations(metrics, guesses), gap, folder)
    few_labels.write(few_labels.few_labels(metrics), folder / "few_labels")
    stated = claims.load(ROOT / "config/claims.yaml")
    compared = claims.decide(stated, metrics, guesses)
    verdict.write(claims.verdicts(stated, compared, metrics), compared, folder / "verdicts")
    crate.write(
        study,
        [results / "encoders" / run / "run.json" for run in specs],
        [f.with_name("evaluation.json") for f in files],
        [commands.clip_store(results, "toy") / "card.json"],
        sorted(folder.iterdir()),
        results / "provenance.json",
    )
