"""`results/provenance.json`: a study's runs as an RO-Crate, for archives.

The metadata follow RO-Crate 1.1 and the profile Process Run Crate 0.5 (Soiland-Reyes et al.,
doi:10.3233/DS-210053; Leo et al., doi:10.1371/journal.pone.0309210): each pretraining, evaluation
and rendering is an action with its instrument, what it read and what it made. Paths are relative to
the results folder; `sslslr archive` packs it with this file as `ro-crate-metadata.json`.

Nothing is measured here and no clock is read: times are those that the evaluations wrote down, so
the same results give the same bytes. Clip stores are described and not listed as files: their
licences differ, and some may not be passed on.
"""

import json
from pathlib import Path
from typing import Any

from sslslr.config.published import published
from sslslr.config.run import EvaluateSpec, RunSpec, clip_store
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.data.store import joined_hash
from sslslr.report.reading import read_evaluations
from sslslr.report.results import PROVENANCE, Results
from sslslr.report.tables import TABLES
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of, write_json
from sslslr.workflow import commands

METADATA = "ro-crate-metadata.json"
CRATE = "https://w3id.org/ro/crate/1.1"
# One term is not RO-Crate's own; it is stated here, so that a reader needs one context alone.
CONTEXT = [f"{CRATE}/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
PAPER = "https://arxiv.org/abs/2509.05188"
KINDS = {
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".tex": "application/x-tex",
    ".json": "application/json",
    ".html": "text/html",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".parquet": "application/vnd.apache.parquet",
    ".safetensors": "application/octet-stream",
}
Entity = dict[str, Any]


def write(results: Results) -> Path:
    """Write provenance.json of a study's results.

    Raises:
        UserError: a file is absent, unreadable, or not what the evaluation recorded.
    """
    out = results.folder / PROVENANCE
    write_json(out, {"@context": CONTEXT, "@graph": graph(results)})
    return out


def graph(results: Results) -> list[Entity]:
    """All entities, the metadata file's first, the root's second; see :func:`write`."""
    crate = _Crate(results.folder, results.study)
    for card in results.cards:
        crate.add_data(card)
    evaluations = read_evaluations(results.paths("evaluations"))
    recorded = {entry["spec"]["run"]["run_id"]: entry for entry in evaluations}
    for run in results.runs:
        if (name := run["spec"]["run_id"]) not in recorded:
            raise UserError(
                f"{results.folder}: a run.json is of the run {name!r}, which no evaluation.json is of. "
                "Pretrain and evaluate it again."
            )
        crate.add_run(run, recorded[name])
    crate.add_report(sorted(path for path in results.outputs() if path.is_file()))
    return crate.entities(max(entry["cost"].get("finished") or "" for entry in evaluations))


def _plain(values: list[Entity]) -> list[Entity] | Entity:
    """A single value stands by itself in JSON-LD."""
    return values[0] if len(values) == 1 else values


class _Crate:
    """Entities as they are found, in a fixed order."""

    def __init__(self, results: Path, study: StudyConfig):
        self.results, self.study = results, study
        # As commands name it: where it lies on this machine is nobody's business.
        self.named = Path(published({"results": study.results})["results"])
        self.files: dict[str, Entity] = {}
        self.actions: list[Entity] = []
        self.others: dict[str, Entity] = {}
        self.metrics: list[Path] = []
        self.code: dict[str, Entity] = {}

    def _ref(self, entity: Entity) -> Entity:
        return {"@id": entity["@id"]}

    def _other(self, entity: Entity) -> Entity:
        self.others.setdefault(entity["@id"], entity)
        return self._ref(entity)

    def _file(self, path: Path, about: str, sha256: str = "") -> Entity:
        """A file below the results folder; its hash is computed where it was not recorded."""
        name = path.relative_to(self.results).as_posix()
        self.files[name] = {
            "@id": name,
            "@type": "File",
            "name": name,
            "description": about,
            "encodingFormat": KINDS.get(path.suffix, "application/octet-stream"),
            "contentSize": str(path.stat().st_size),
            "sha256": sha256 or sha256_of(path),
        }
        return {"@id": name}

    def _code(self, verb: str, digest: str, versions: dict[str, str]) -> Entity:
        """The software of an action: this package at one state of its sources."""
        libraries = [
            self._other(
                {
                    "@id": f"#{name}-{version}",
                    "@type": "SoftwareApplication",
                    "name": name,
                    "softwareVersion": version,
                    "identifier": f"pkg:pypi/{name}@{version}",
                }
            )
            for name, version in versions.items()
            if name != "sslslr"
        ]
        return self._other(
            {
                "@id": f"#sslslr-{verb}-{digest or 'unknown'}",
                "@type": "SoftwareApplication",
                "name": f"sslslr {verb}",
                "softwareVersion": f"{versions.get('sslslr', '')} (sources {digest})",
                "description": f"The verb `{verb}` of the package sslslr, at the state of its "
                f"sources whose hash is {digest}.",
                "url": PAPER,
                "softwareRequirements": libraries,
            }
        )

    def _measured(self, owner: str, cost: dict[str, Any]) -> list[Entity]:
        return [
            self._other(
                {
                    "@id": f"#{owner}-{name}",
                    "@type": "PropertyValue",
                    "name": name,
                    "value": value if isinstance(value, int | float) else str(value),
                }
            )
            for name, value in cost.items()
            if value is not None and name != "finished"
        ]

    def add_data(self, card: Entity) -> None:
        """A clip store: who may use it, its hashes, and the card that lists every dropped clip."""
        name = card["dataset"]
        path = clip_store(self.results, name) / "card.json"
        licence = {
            "@id": f"#licence-{name}",
            "@type": "CreativeWork",
            "name": str(card["licence"] or "none stated"),
            "description": f"The licence of the data set {name}, in its publishers' words.",
        }
        entity = {
            "@id": f"#data-{name}",
            "@type": "Dataset",
            "name": name,
            "description": card.get("origin") or "Keypoints of signs.",
            "license": self._other(licence),
            "identifier": joined_hash(card.get("sha256", {})),
            "size": f"{card['n_clips']} clips",
            "subjectOf": self._file(path, f"Licence, origin and hashes of the data set {name}"),
        }
        if card.get("citation"):
            entity["creditText"] = card["citation"]
        self._other(entity)

    def add_run(self, run: Entity, evaluation: Entity) -> None:
        """The pretraining and the evaluation of one encoder."""
        spec: RunSpec = parse(RunSpec, run["spec"], "run.json")
        name, folder = spec.run_id, self.results / "encoders" / spec.run_id
        encoder = self._file(
            folder / "encoder.safetensors", f"Weights of {name}", evaluation["encoder_sha256"]
        )
        made = [
            encoder,
            self._file(folder / "run.json", f"Settings, hashes, versions and cost of {name}"),
            self._file(folder / "history.csv", f"Loss and collapse figures of {name} over epochs"),
        ]
        data = [{"@id": f"#data-{spec.dataset}"}] if run["data_hash"] else []
        command = commands.pretrain(spec, self.named, run["cost"].get("threads") or 1)
        title = f"Pretraining of {name}, seed {spec.seed}"
        self._action(f"pretrain-{name}", "pretrain", title, run, command, data, made, None)
        settings: EvaluateSpec = parse(EvaluateSpec, evaluation["spec"], "evaluation.json")
        metrics = self.results / "metrics" / name
        self.metrics.append(metrics / "metrics.csv")
        hashes = evaluation["sha256"]
        scored = [
            self._file(metrics / file, f"{what} of {name}", hashes.get(file, ""))
            for file, what in (
                ("metrics.csv", "Scores"),
                ("predictions.parquet", "The ten best labels of every test clip"),
                ("evaluation.json", "Settings, hashes, versions and cost of the evaluation"),
            )
        ]
        sets = sorted({target.dataset or key for key, target in settings.targets.items()})
        self._action(
            f"evaluate-{name}", "evaluate", f"Evaluation of {name}", evaluation,
            commands.evaluate(settings, self.named, evaluation["cost"].get("threads") or 1),
            [encoder, *({"@id": f"#data-{key}"} for key in sets)], scored,
            evaluation["cost"].get("finished"),
        )  # fmt: skip

    def _action(
        self,
        name: str,
        verb: str,
        title: str,
        record: Entity,
        command: commands.Command,
        read: list[Entity],
        made: list[Entity],
        finished: str | None,
    ) -> None:
        code = self._code(verb, record["code_hash"], record["versions"])
        cost = self._measured(name, record["cost"])
        self.actions.append(
            {
                "@id": f"#{name}",
                "@type": "CreateAction",
                "name": title,
                "description": commands.as_text(command),
                "instrument": code,
                "object": _plain([*read, {"@id": "#configuration"}]),
                "result": _plain(made),
                "actionStatus": "http://schema.org/CompletedActionStatus",
                "additionalProperty": _plain(cost),
                **({"endTime": finished} if finished else {}),
            }
        )

    def add_report(self, files: list[Path]) -> None:
        """Tables, figures and the page: one action, for they all read the same metrics."""
        made = [self._file(path, f"{path.parent.name or 'report'}: {path.stem}") for path in files]
        read = [{"@id": path.relative_to(self.results).as_posix()} for path in sorted(self.metrics)]
        told = [commands.as_text(commands.table(name, self.named)) for name in TABLES.names()]
        tool = {
            "@id": "#sslslr-report",
            "@type": "SoftwareApplication",
            "name": "sslslr report",
            "description": "Renders tables, figures and the page from the metrics.",
            "softwareVersion": "see the evaluations",
            "url": PAPER,
        }
        self.actions.append(
            {
                "@id": "#report",
                "@type": "CreateAction",
                "name": "Tables, figures and the page",
                "description": "\n".join(told),
                "instrument": self._other(tool),
                "object": _plain(read),
                "result": _plain(made),
            }
        )

    def entities(self, finished: str) -> list[Entity]:
        """The whole graph."""
        study = self.study
        configuration = {
            "@id": "#configuration",
            "@type": "CreativeWork",
            "name": f"Configuration of the study {study.name!r}, resolved",
            "encodingFormat": "application/json",
            "text": json.dumps(published(study.model_dump(mode="json")), sort_keys=True),
        }
        licence = {
            "@id": "#licences",
            "@type": "CreativeWork",
            "name": "Several licences",
            "description": "What was made from a data set is under that data set's licence; see "
            + ", ".join(name for name in self.others if name.startswith("#licence-")),
        }
        paper = {"@id": PAPER, "@type": "ScholarlyArticle", "name": "SSL-SLR: Self-Supervised "
                 "Representation Learning for Sign Language Recognition"}  # fmt: skip
        root = {
            "@id": "./",
            "@type": "Dataset",
            "name": f"sslslr: results of the study {study.name!r}",
            "description": study.note or f"Encoders, scores, tables and figures of {study.name!r}.",
            "datePublished": finished,
            "license": self._ref(licence),
            "conformsTo": {"@id": PROFILE},
            "citation": self._ref(paper),
            "about": {"@id": "#configuration"},
            "hasPart": [{"@id": name} for name in sorted(self.files)],
            "mentions": [self._ref(action) for action in self.actions],
        }
        metadata = {
            "@id": METADATA,
            "@type": "CreativeWork",
            "conformsTo": {"@id": CRATE},
            "about": {"@id": "./"},
        }
        profile = {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate",
                   "version": "0.5"}  # fmt: skip
        files = [self.files[name] for name in sorted(self.files)]
        others = [self.others[name] for name in sorted(self.others)]
        return [
            metadata, root, profile, paper, licence, configuration, *files, *self.actions, *others
        ]  # fmt: skip
