"""`sslslr why`: what stands behind a cell of a table, in words.

What is printed was written down when it was made (run.json, evaluation.json, card.json), the numbers
are those of the metrics, and the commands are made of the recorded settings. What no longer fits
together is said first: a table older than its metrics, metrics of another encoder, data or code that
have changed since.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sslslr.config.run import EvaluateSpec, RunSpec, clip_store
from sslslr.config.settings import parse
from sslslr.data.store import joined_hash
from sslslr.provenance import sources
from sslslr.provenance.cells import Cell
from sslslr.report.reading import read_cards, read_evaluations, read_runs
from sslslr.report.results import study_of
from sslslr.utils.files import sha256_of
from sslslr.utils.user_files import printable
from sslslr.workflow import commands, stages

MOST_HASHED = 2 << 30  # bytes; some seconds, and thousands of encoders
CHANGED_ENCODER = "not the encoder that was evaluated; evaluate it again"
VAST = (
    "too large to be hashed here, so not known to be the recorded one; compare its sha256 by hand"
)
SHOWN = ["run_id", "dataset", "protocol", "label_fraction", "seed", "probe_seed", "metric", "value",
         "n_test", "n_train"]  # fmt: skip


@dataclass
class Answer:
    """What `why` found: the text, and what does not fit together (empty: all does)."""

    text: str
    stale: list[str]


def why(cell: Cell) -> Answer:
    """What stands behind a cell.

    Raises:
        UserError: the metrics have no row for the cell, or a file is absent or unreadable.
    """
    found = sources.trace(cell)
    results, stale = cell.results, []
    computed = found.computed.get(cell.column)
    if not sources.same(cell.text, computed):
        stale.append(
            f"the table has {cell.text or '(empty)'}, the metrics now give "
            f"{sources.as_text(computed) or '(empty)'}: the table is older than the metrics"
        )
    runs, hashes = [_Run(results, run_id) for run_id in found.runs], _Hashes()
    for run in runs:
        stale += run.stale(hashes)
    parts = [
        f"{cell}: {cell.text or '(empty)'}",
        *(f"STALE: {sentence}" for sentence in stale),
        f"How: {found.how}.",
        *_numbers(found),
        *(f"\n{line}" if n == 0 else line for run in runs for n, line in enumerate(run.lines())),
        *_settings(runs),
        *_data(results, runs),
        *_commands(cell, runs),
    ]
    return Answer("\n".join(map(_plain, parts)), stale)


def _plain(part: str) -> str:
    """A line without what commands a screen: it may be of a stranger's results. Our line ends stand before it."""
    text = part.lstrip("\n")
    return part[: len(part) - len(text)] + printable(text)


class _Hashes:
    """sha256 of files, `MOST_HASHED` bytes in all: a stranger's results may hold any number of vast ones."""

    def __init__(self) -> None:
        self._left = MOST_HASHED

    def of(self, file: Path) -> str | None:
        """Empty where there is no such file; None where it has more bytes than are left."""
        if not file.is_file():
            return ""
        if (size := file.stat().st_size) > self._left:
            return None
        self._left -= size
        return sha256_of(file)


class _Run:
    """What was recorded of one run, and whether it still fits."""

    def __init__(self, results: Path, run_id: str):
        self.results, self.run_id = Path(results), run_id
        self.folder = self.results / "encoders" / run_id
        self.record = read_runs([self.folder / "run.json"])[0]
        self.metrics = self.results / "metrics" / run_id
        path = self.metrics / "evaluation.json"
        # Results of before evaluation.json was written are traced as far as they go.
        self.evaluation: dict[str, Any] = read_evaluations([path])[0] if path.is_file() else {}
        self.spec: RunSpec = parse(RunSpec, self.record["spec"], str(self.folder / "run.json"))

    @property
    def data_hashes(self) -> dict[str, str]:
        """Of the clip stores that the run was made from, by the data set's name."""
        hashes = {}
        targets = self.evaluation_spec().targets if self.evaluation else {}
        for name, value in self.evaluation.get("data_hashes", {}).items():
            hashes[(targets[name].dataset if name in targets else None) or name] = value
        if self.record["data_hash"]:
            hashes[self.spec.dataset] = self.record["data_hash"]
        return hashes

    def stale(self, hashes: "_Hashes") -> list[str]:
        """Sentences on what was changed since it was recorded."""
        changes = []
        weights = self.folder / "encoder.safetensors"
        if not self.evaluation:
            record = self.metrics / "evaluation.json"
            return [f"{record}: absent; how these metrics were made is not known"]
        recorded = {weights: (self.evaluation["encoder_sha256"], CHANGED_ENCODER)}
        recorded |= {
            self.metrics / name: (digest, "changed since the evaluation wrote it")
            for name, digest in self.evaluation["sha256"].items()
        }
        for file, (digest, otherwise) in recorded.items():
            now = hashes.of(file)
            if now != digest:
                changes.append(f"{file}: {otherwise if now is not None else VAST}")
        if self.evaluation["spec"]["run"] != self.record["spec"]:
            changes.append(f"{self.metrics}: evaluated with other settings than {self.folder} has")
        for dataset, digest in self.data_hashes.items():
            card = clip_store(self.results, dataset) / "card.json"
            if not card.is_file():
                changes.append(f"{card}: absent, so the data cannot be compared")
            elif (now := joined_hash(read_cards([card])[0].get("sha256", {}))) != digest:
                changes.append(
                    f"{card.parent}: now holds {now}, {self.run_id} was made of {digest}"
                )
        return changes

    def lines(self) -> list[str]:
        pretrained = stages.code_hash(*stages.pretrain_code(self.spec))
        cost, parameters = self.record["cost"], self.record.get("parameters", "?")
        lines = [
            f"Run {self.run_id}",
            f"  seed           {self.spec.seed}",
            f"  encoder        {self.folder / 'encoder.safetensors'}, {parameters} parameters",
            f"  pretraining    code {self.record['code_hash']}{_now(self.record['code_hash'], pretrained)}, "
            f"{cost.get('device')}, {cost.get('threads')} threads, {cost.get('precision')}, "
            f"{cost.get('wall_seconds')} s",
        ]
        if self.evaluation:
            spec = self.evaluation_spec()
            now = stages.code_hash(*stages.evaluate_code(spec))
            made, done = self.evaluation["cost"], self.evaluation["code_hash"]
            lines += [
                f"  evaluation     code {done}{_now(done, now)}, {made.get('device')}, "
                f"{made.get('threads')} threads, {made.get('wall_seconds')} s, {made.get('finished')}",
                f"  sha256         encoder {self.evaluation['encoder_sha256']}",
                *(f"                 {n} {h}" for n, h in self.evaluation["sha256"].items()),
            ]
        lines += [f"  data           {name} {value}" for name, value in self.data_hashes.items()]
        versions = self.evaluation.get("versions") or self.record["versions"]
        lines.append("  versions       " + ", ".join(f"{n} {v}" for n, v in versions.items()))
        return lines + [f"  warning        {text}" for text in self.record["warnings"]]

    def evaluation_spec(self) -> EvaluateSpec:
        return parse(EvaluateSpec, self.evaluation["spec"], str(self.metrics / "evaluation.json"))


def _now(recorded: str, now: str) -> str:
    return "" if recorded == now else f" (the code is {now} now)"


def _numbers(found: sources.Sources) -> list[str]:
    lines = []
    for name, rows in found.groups.items():
        lines.append(f"\nNumbers, {name}:")
        if rows.empty:
            lines.append("  none")
            continue
        table = rows[SHOWN].rename(columns={"run_id": "run"})
        for column in ("seed", "probe_seed", "n_test", "n_train"):
            table[column] = table[column].astype(int)
        text = table.to_string(index=False, float_format=lambda v: f"{v:.6f}".rstrip("0"))
        lines += [f"  {line}" for line in text.splitlines()]
        by_seed = rows.groupby(["run_id", "dataset", "seed"])["value"].mean()
        if len(by_seed) < len(rows):
            means = ", ".join(f"{run} {value:.6f}" for (run, _, _), value in by_seed.items())
            lines.append(f"  averaged over probe seeds: {means}")
    shown = {k: sources.as_text(v) for k, v in found.computed.items()}
    lines.append("\nThe whole row, computed from these metrics again:")
    lines += [f"  {key} {value}" for key, value in shown.items() if value != ""]
    return lines


def _settings(runs: list[_Run]) -> list[str]:
    """Resolved settings, once for all runs that differ by nothing but the seed."""
    lines: list[str] = []
    known: dict[str, list[str]] = {}
    for run in runs:
        spec = run.evaluation.get("spec") or {"run": run.record["spec"]}
        spec = json.loads(json.dumps(spec))
        for name in ("run_id", "seed"):
            spec["run"].pop(name)
        known.setdefault(yaml.safe_dump(spec, sort_keys=False), []).append(run.run_id)
    for text, names in known.items():
        lines.append(f"\nSettings of {', '.join(names)}:")
        lines += [f"  {line}" for line in text.splitlines()]
    return lines


def _data(results: Path, runs: list[_Run]) -> list[str]:
    lines = ["\nData:"]
    for name in sorted({name for run in runs for name in run.data_hashes}):
        folder = clip_store(results, name)
        if not (folder / "card.json").is_file():
            lines.append(f"  {name}: {folder} is absent")
            continue
        card = read_cards([folder / "card.json"])[0]
        lines.append(f"  {name}: {folder}, {card['n_clips']} clips, licence {card['licence']}")
        for said, key in (("", "sha256"), ("made from ", "inputs")):
            stated = card.get(key) or {}
            lines += [f"    {said}{file} sha256 {digest}" for file, digest in stated.items()]
    return lines


def _commands(cell: Cell, runs: list[_Run]) -> list[str]:
    study = study_of(cell.results)
    lines = ["\nCommands:"]
    names = sorted({name for run in runs for name in run.data_hashes})
    for name in names:
        if name in study.datasets:
            lines += [
                commands.as_text(command) for command in commands.data(study, name, cell.results)
            ]
    for run in runs:
        threads = run.record["cost"].get("threads") or 1
        lines.append(commands.as_text(commands.pretrain(run.spec, cell.results, threads)))
        if run.evaluation:
            spec, threads = run.evaluation_spec(), run.evaluation["cost"].get("threads") or 1
            lines.append(commands.as_text(commands.evaluate(spec, cell.results, threads)))
    lines.append(commands.as_text(commands.table(cell.table, cell.results)))
    return [lines[0], *(f"  {line}" for line in lines[1:])]
