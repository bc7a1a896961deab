"""A study's results: where its files lie, and what they hold, read when it is asked for.

Every table and figure gets this one object, and states in `reads` what it takes from it, by the
names below. The workflow asks for the files of those names, so that it builds them first.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from sslslr.config.run import NO_DATASET, EvaluateSpec, RunSpec, clip_store
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig, TargetConfig
from sslslr.data.store import CARD, ClipStore
from sslslr.data.writer import STORE_FILES
from sslslr.encoders import ENCODERS
from sslslr.report import reading
from sslslr.report.figures import FIGURES
from sslslr.report.names import read_out, telling, trait
from sslslr.report.tables import TABLES
from sslslr.statistics.claims import Claims
from sslslr.statistics.claims import load as load_claims
from sslslr.statistics.correctness import with_labels
from sslslr.utils.errors import UserError
from sslslr.utils.files import read_json

PAPER = Path("config/paper_numbers.yaml")
PROVENANCE = "provenance.json"  # its `#configuration` is the study that built the folder
# A file of each run, below the results folder.
OF_A_RUN = {
    "runs": "encoders/{run}/run.json",
    "histories": "encoders/{run}/history.csv",
    "metrics": "metrics/{run}/metrics.csv",
    "predictions": "metrics/{run}/predictions.parquet",
    "evaluations": "metrics/{run}/evaluation.json",
}


def of_the_study(path: Path, results: Path) -> Path:
    """A file of the study that made some results: in a folder above them, else the package's own."""
    package = Path(__file__).parents[1]
    folders = [*results.parents, Path(), package / "study_files", package.parent]
    return next((folder / path for folder in folders if (folder / path).exists()), path)


class Results:
    """What the stages of a study wrote.

    Args:
        evaluations: the study's runs by id, with what each was scored on
            (:func:`sslslr.workflow.grid.evaluations`).
        folder: of the results; None: the study's own.
    """

    def __init__(
        self,
        study: StudyConfig,
        evaluations: Mapping[str, EvaluateSpec],
        folder: str | Path | None = None,
    ):
        self.study, self.folder = study, Path(folder or study.results)
        self.evaluations = dict(evaluations)
        self.tables: dict[str, pd.DataFrame] = {}

    def paths(self, kind: str) -> list[Path]:
        """Files of one kind, a name of `OF_A_RUN` or one of those below.

        cards           card.json of every data set
        claims, paper   the claims to decide, the paper's numbers
        clips           the clip store whose clips are drawn: the first data set's
        example         features, predictions and clips of one encoder (:attr:`example`)
        tables/NAME     the CSV of another table
        """
        if kind in OF_A_RUN:
            ids = self.pretrained if kind == "histories" else self.evaluations
            return [self.folder / OF_A_RUN[kind].format(run=run_id) for run_id in ids]
        if kind.startswith("tables/"):
            return [self.folder / f"{kind}.csv"]
        if kind == "example":
            run_id, target = self.example
            dataset = self.dataset_of(run_id, target)
            predictions = self.folder / OF_A_RUN["predictions"].format(run=run_id)
            return [self.folder / "features" / run_id, predictions, *self._store_files(dataset)]
        fixed = {
            "cards": [clip_store(self.folder, name) / CARD for name in self.study.datasets],
            "clips": self._store_files(next(iter(self.study.datasets))),
            "claims": [of_the_study(Path(self.study.claims), self.folder)],
            "paper": [of_the_study(PAPER, self.folder)],
        }
        return fixed[kind]

    def _store_files(self, dataset: str) -> list[Path]:
        return [clip_store(self.folder, dataset) / name for name in STORE_FILES]

    @property
    def pretrained(self) -> dict[str, RunSpec]:
        """The runs that were pretrained, by id."""
        specs = {run_id: scored.run for run_id, scored in self.evaluations.items()}
        return {run_id: spec for run_id, spec in specs.items() if spec.dataset != NO_DATASET}

    @property
    def example(self) -> tuple[str, str]:
        """Run and target whose features and confusions are drawn.

        The first run that was pretrained, on its own set where that is a target.
        """
        run_id = next(iter(self.pretrained or self.evaluations))
        scored = self.evaluations[run_id]
        own = scored.run.dataset in scored.targets
        return run_id, scored.run.dataset if own else next(iter(scored.targets))

    @property
    def targets(self) -> list[str]:
        """The targets that any run was scored on, sorted."""
        return sorted({name for scored in self.evaluations.values() for name in scored.targets})

    def dataset_of(self, run_id: str, target: str) -> str:
        """The data set that a target's clips are of."""
        return self.evaluations[run_id].targets[target].dataset or target

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """The rows of :attr:`scores` that are of signs."""
        return self.scores[telling(self.scores, "sign")]

    @property
    def top1(self) -> pd.DataFrame:
        """The rows of :attr:`metrics` that are of top-1 with all labels."""
        return with_labels(self.metrics[self.metrics["metric"] == "top1"])

    @cached_property
    def scores(self) -> pd.DataFrame:
        """:func:`sslslr.report.reading.read_metrics` of all runs, with each encoder's `read_out`."""
        metrics = reading.read_metrics(self.paths("metrics"))
        scored = self.evaluations.items()
        return metrics.assign(
            read_out=metrics["run_id"].map(
                {run: read_out(e.run.encoder, e.views) for run, e in scored}
            )
        )

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """:func:`sslslr.report.reading.read_predictions` of all runs."""
        return reading.read_predictions(self.paths("predictions"))

    @cached_property
    def histories(self) -> dict[str, pd.DataFrame]:
        """Histories of the runs that were pretrained, by id."""
        files = self.paths("histories")
        return reading.read_histories(files) if files else {}

    @cached_property
    def runs(self) -> list[dict[str, Any]]:
        """The runs' records, sorted by id."""
        return reading.read_runs(self.paths("runs"))

    @cached_property
    def cards(self) -> list[dict[str, Any]]:
        """The data sets' cards, sorted by name."""
        return reading.read_cards(self.paths("cards"))

    @cached_property
    def claims(self) -> Claims:
        """The claims to decide."""
        stated = load_claims(of_the_study(Path(self.study.claims), self.folder))
        pools = {
            scored.run.dataset: scored.members
            for scored in self.evaluations.values()
            if scored.members
        }
        variants = set(self.metrics["variant"])
        return stated.knowing(
            pools, [name for name in variants if not trait(ENCODERS, name, "trains", True)]
        )

    @cached_property
    def paper(self) -> list[dict[str, Any]]:
        """The paper's numbers that rows of this study can be compared with."""
        found = reading.read_paper_numbers(of_the_study(PAPER, self.folder))
        return [entry for entry in found if self._comparable(entry)]

    def _comparable(self, entry: Mapping[str, Any]) -> bool:
        """Whether a target has the data and the split that a number of the paper is of."""
        name = entry["dataset"]
        target = self.study.evaluate.targets.get(name, TargetConfig())
        dataset = self.study.datasets.get(target.dataset or name)
        as_published = TargetConfig(dataset=target.dataset, unseen_labels=target.unseen_labels)
        return (
            dataset is not None
            and dataset.source == entry["data_source"]
            and target.model_copy(update={"protocols": None}) == as_published
        )

    def table(self, name: str) -> pd.DataFrame:
        """Another table, of its CSV."""
        if name not in self.tables:
            self.tables[name] = TABLES.get(name)().read(self.folder / "tables" / f"{name}.csv")
        return self.tables[name]

    def store(self, dataset: str = "") -> ClipStore:
        """A data set's clips; without a name those of the kind `clips`."""
        return ClipStore.open(clip_store(self.folder, dataset or next(iter(self.study.datasets))))

    def outputs(self) -> list[Path]:
        """All files that the report is made of: tables, figures, the page and its numbers."""
        tables = [f"tables/{n}.{kind}" for n in TABLES.names() for kind in ("csv", "md", "tex")]
        figures = [f"figures/{n}.{kind}" for n in FIGURES.names() for kind in ("pdf", "png")]
        return [
            *(self.folder / name for name in (*tables, *figures, "report.html")),
            *self.numbers(),
        ]

    def numbers(self) -> list[Path]:
        """Headline numbers for `dvc metrics`: of the study, and of each target."""
        names = ("study.json", *(f"top1/{target}.json" for target in self.targets))
        return [self.folder / name for name in names]

    def only(self, run_ids: Iterable[str], **known: Any) -> "Results":
        """The part of some runs, in which `known` attributes are taken as given and not read."""
        kept = set(run_ids)
        specs = {run_id: spec for run_id, spec in self.evaluations.items() if run_id in kept}
        part = Results(self.study, specs, self.folder)
        part.__dict__.update(known)
        return part

    @property
    def note(self) -> str:
        """What ends every caption, for a table leaves its report: the study, and its reserves."""
        study = self.study
        said = f" Study {study.name}" + (f": {' '.join(study.note.split())}" if study.note else ".")
        return said + self.split_note

    @property
    def split_note(self) -> str:
        """A sentence on targets that were scored on another split than "test"; empty without one."""
        others: dict[str, list[str]] = {}
        for name, target in self.study.evaluate.targets.items():
            if target.test != "test":
                others.setdefault(target.test, []).append(name)
        parts = [f"the split “{split}” of {', '.join(names)}" for split, names in others.items()]
        return f" “Test” clips are those of {'; '.join(parts)}." if parts else ""


def study_of(folder: str | Path) -> StudyConfig:
    """The study that built a results folder, of its provenance.json.

    Raises:
        UserError: the folder has none.
    """
    path = Path(folder) / PROVENANCE
    if not path.is_file():
        raise UserError(
            f"{path}: there is no such file, so the study that built {folder} is not known. "
            "Build the report first, or name the study with --config."
        )
    for entity in entities(path):
        if entity["@id"] == "#configuration":
            try:
                stated = json.loads(entity["text"])
            except (KeyError, TypeError, ValueError, RecursionError):
                break
            return parse(StudyConfig, stated, f"{path}, #configuration")
    raise UserError(f"{path}: holds no configuration. Build the report again.")


def entities(path: Path) -> list[dict[str, Any]]:
    """What a provenance.json lists, each with its `@id`.

    Raises:
        UserError: a file of another shape.
    """
    crate = read_json(path)
    graph = crate.get("@graph") if isinstance(crate, dict) else None
    if isinstance(graph, list) and all(
        isinstance(entity, dict) and isinstance(entity.get("@id"), str) for entity in graph
    ):
        return graph
    raise UserError(f"{path}: not what `sslslr report provenance` writes. Build the report again.")
