"""`sslslr verify`: cells of the linear table computed from scratch, encoder and all, and compared.

A cell's runs are pretrained and evaluated anew with the commands that `sslslr why` prints, in a
temporary folder, from the clip stores at hand; the cell is then computed from the new metrics. On
one device, one number of threads and the same versions the bytes must be the same. Elsewhere sums
are added up in another order, and training magnifies their last bits: there a cell agrees if it
lies within its own 95 % interval over test clips, which says how far it may move by chance alone.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslslr.config.run import NO_DATASET, EvaluateSpec, RunSpec, clip_store
from sslslr.config.settings import parse
from sslslr.provenance import sources
from sslslr.provenance.cells import Cell, describe, find, read
from sslslr.report.reading import read_evaluations, read_runs
from sslslr.report.tables.linear import METRICS, Linear
from sslslr.utils import hardware
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of
from sslslr.utils.versions import versions
from sslslr.workflow import commands

Say = Callable[[str], None]
COMPARED = ("encoder.safetensors", "metrics.csv", "predictions.parquet")


@dataclass
class Outcome:
    """What came of one cell.

    Attributes:
        stored, computed: the cell, as the table's CSV has it.
        comparable: made alone on this device, with this number of threads and these versions.
        agrees: the verdict.
        seconds: what it took.
        differing: encoders, metrics and predictions that are not the same files.
    """

    cell: Cell
    stored: str
    computed: str
    comparable: bool
    agrees: bool
    seconds: float
    differing: list[str]


def choose(results: Path, seed: int, number: int) -> list[Cell]:
    """Random cells of the linear table: a row each, and a column that is a score.

    Raises:
        UserError: no table, or fewer rows than cells asked for.
    """
    csv = Path(results) / "tables" / "linear.csv"
    frame, draws = read(csv), random.Random(seed)
    if not 1 <= number <= len(frame):
        raise UserError(f"{csv}: {number} cells asked for, the table has {len(frame)} rows.")
    return [
        find(f"{csv}:{row + 1}:{draws.choice(METRICS)}_mean")
        for row in draws.sample(range(len(frame)), number)
    ]


def estimate(cells: list[Cell]) -> str:
    """What the cells' runs took when they were made, in words."""
    total = 0.0
    for cell in cells:
        for run_id in sources.trace(cell).runs:
            run, evaluation = _records(cell.results, run_id)
            total += sum(made["cost"].get("wall_seconds") or 0 for made in (run, evaluation))
    return f"{len(cells)} cells; their runs took {total:.0f} s when they were made"


def in_a_process(command: commands.Command) -> None:
    """Run a command of `sslslr` by itself, as a job of the workflow does.

    Raises:
        UserError: it failed; with the end of what it printed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "sslslr", *command[1:]], text=True, capture_output=True
    )
    if done.returncode:
        raise UserError(
            f"`sslslr {command[1]}` ended with status {done.returncode}: "
            f"{done.stderr.strip()[-2000:]}"
        )


def verify(
    cell: Cell,
    say: Say = print,
    tolerance: float | None = None,
    execute: Callable[[commands.Command], None] = in_a_process,
) -> Outcome:
    """Compute a cell of the linear table from scratch and compare it.

    Args:
        tolerance: largest difference of the score (0..1) that agrees. None: none where the runs
            can be repeated to the byte, else half the width of the cell's 95 % interval.
        execute: runs a command; the commands write to a temporary folder.

    Raises:
        UserError: the cell cannot be traced, or a command failed.
    """
    if cell.table != "linear":
        raise UserError(f"{cell}: only cells of linear.csv are computed from scratch.")
    if not cell.column.startswith(METRICS):
        raise UserError(f"{cell}: not a score; name one such as top1_mean.")
    started, found = time.monotonic(), sources.trace(cell)
    folder = Path(tempfile.mkdtemp(prefix="sslslr-verify-"))
    try:
        differing, comparable = [], True
        for run_id in found.runs:
            run, evaluation = _records(cell.results, run_id)
            comparable &= _repeatable(run, evaluation)
            _run_again(cell.results, folder, run, evaluation, say, execute)
            differing += _differing(cell.results, folder, run_id)
        made = sources.results_of(cell.results).only(found.runs)
        made.folder = folder
        groups = Linear().behind(cell.key, made)
        again = Linear().rows(Linear().part(cell.key, groups, made)).iloc[0].to_dict()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    computed = sources.as_text(again[cell.column])
    if tolerance is not None:
        agrees = _within(cell.text, again[cell.column], tolerance)
    elif comparable:
        agrees = not differing and sources.same(cell.text, again[cell.column])
    else:
        half = (found.computed["top1_high"] - found.computed["top1_low"]) / 2
        agrees = _within(cell.text, again[cell.column], half)
    seconds = time.monotonic() - started
    return Outcome(cell, cell.text, computed, comparable, agrees, seconds, differing)


def report(outcome: Outcome) -> list[str]:
    """An outcome in words."""
    cell = outcome.cell
    lines = [
        f"{cell.csv} row {cell.row + 1} ({describe(read(cell.csv), cell.table, cell.row)}), {cell.column}",
        f"  stored      {outcome.stored or '(empty)'}",
        f"  computed    {outcome.computed or '(empty)'}, in {outcome.seconds:.1f} s",
    ]
    lines += [f"  differs     {name}" for name in outcome.differing]
    if not outcome.differing:
        lines.append("  bytes       encoder, metrics and predictions are the same")
    if not outcome.comparable:
        lines.append(
            "  note        made on another device, in another precision, with other threads or "
            "versions: bytes need not be the same, and the score may differ by half of its 95 % interval "
            "over test clips"
        )
    elif not outcome.agrees:
        lines.append(
            "  note        device, threads and versions are those of the record. If the processor is "
            "of another kind, or the code was changed on purpose, give --tolerance, for example 0.02"
        )
    return [*lines, f"  {'AGREES' if outcome.agrees else 'DIFFERS'}"]


def _records(results: Path, run_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    run = read_runs([results / "encoders" / run_id / "run.json"])[0]
    path = results / "metrics" / run_id / "evaluation.json"
    return run, read_evaluations([path])[0]


def _repeatable(run: dict[str, Any], evaluation: dict[str, Any]) -> bool:
    """May the bytes be expected to be the same here? On CPU, in the recorded precision and versions."""
    spec: RunSpec = parse(RunSpec, run["spec"], "run.json")
    made_in = run["cost"].get("precision")
    accelerator = hardware.choose_accelerator(spec.pretrain.accelerator)
    # Not every CPU's.
    precision, _ = hardware.choose_precision(accelerator, spec.pretrain.precision)
    here = versions()
    return (
        accelerator == "cpu" == run["cost"].get("device") == evaluation["cost"].get("device")
        and (run["data_hash"] is None or made_in in (None, precision))
        and run["versions"] == here == evaluation["versions"]
    )


def _run_again(
    results: Path,
    folder: Path,
    run: dict[str, Any],
    evaluation: dict[str, Any],
    say: Say,
    execute: Callable[[commands.Command], None],
) -> None:
    spec: RunSpec = parse(RunSpec, run["spec"], "run.json")
    scored: EvaluateSpec = parse(EvaluateSpec, evaluation["spec"], "evaluation.json")
    (folder / "data").mkdir(exist_ok=True)
    used = {target.dataset or name for name, target in scored.targets.items()}
    for dataset in sorted(used | ({spec.dataset} - {NO_DATASET})):
        link = folder / "data" / dataset
        if not link.exists():
            os.symlink(clip_store(results, dataset).parent.absolute(), link)
    for command in (
        commands.pretrain(spec, folder, run["cost"].get("threads") or 1),
        commands.evaluate(scored, folder, evaluation["cost"].get("threads") or 1),
    ):
        say(f"{spec.run_id}: {command[1]}")
        execute(command)


def _differing(results: Path, folder: Path, run_id: str) -> list[str]:
    found = []
    for name in COMPARED:
        place = "encoders" if name.startswith("encoder") else "metrics"
        stored, made = (root / place / run_id / name for root in (results, folder))
        same = stored.is_file() and stored.stat().st_size == made.stat().st_size  # or it is vast
        if not same or sha256_of(stored) != sha256_of(made):
            found.append(f"{place}/{run_id}/{name}")
    return found


def _within(text: str, value: Any, tolerance: float) -> bool:
    try:
        return abs(float(text) - float(value)) <= tolerance + 0.5e-4
    except ValueError:
        return sources.same(text, value)
