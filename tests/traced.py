"""A small study that the tests of `sslslr.provenance` make, and its rendering by the stages' own functions."""

from pathlib import Path

from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.provenance import crate
from sslslr.report.results import Results
from sslslr.report.tables import TABLES
from sslslr.workflow import grid

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
            "few_labels": {"fractions": [1 / 3], "shots": [2], "draws": 2},
        },
    },
}  # fmt: skip


def silent(text: str) -> None:
    """Say nothing."""


def results_in(folder: Path, **settings) -> Results:
    """The results of STUDY, some of whose settings are changed, in a folder."""
    changed = {key: {**STUDY[key], **values} for key, values in settings.items()}
    study = parse(StudyConfig, {**STUDY, **changed}, "test")
    return Results(study, grid.evaluations(study), folder)


def render(results: Path, study: StudyConfig) -> None:
    """Tables and provenance, as the report's rules make them."""
    made = Results(study, grid.evaluations(study), results)
    # A table that reads another one comes after it.
    tables = [TABLES.get(name)() for name in TABLES.names()]
    for table in sorted(tables, key=lambda table: "tables/" in "".join(table.reads)):
        table.render(made)
    crate.write(made)
