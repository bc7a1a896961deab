"""Kill the workflow with SIGKILL at random moments; a plain re-run must end with the same bytes.

    python tests/chaos.py --kills 50 --seed 0                    a tiny study of all stages
    python tests/chaos.py --kills 50 --seed 0 --from 20          go on where that was interrupted
    python tests/chaos.py --config config/demo.yaml --kills 50   the demo itself
    python tests/chaos.py --target evaluate --kills 3            up to the metrics

A run is killed `--each` times, one kill after the other: a re-run of what was killed is killed again, and
what the last one leaves is compared. Then the next run begins from a fresh clone's state.

In turn (`KINDS`) the whole process group is killed; Snakemake alone, whose jobs the re-run finds at
work; Snakemake alone, whose jobs end before the re-run; and one job alone, as by a lack of memory.

Moments are spread over the work, not over the clock: a share of the undisturbed run's time becomes
"so many jobs had ended, and so long after", so that a machine that is slower or faster now is killed
at the same work. What kill N is depends on the seed and on N alone, what came before it on `--each`.
Exit status 1 at a difference.
"""

import argparse
import bisect
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
from project import Project, copy_repository  # noqa: E402
from sslslr.utils.files import LEFT_OVER  # noqa: E402
from sslslr.workflow import seals  # noqa: E402

# What differs by nature: logs, and the seals, which hold the times of files.
NOT_COMPARED = {"logs", "seals", ".gitignore", ".workflow.json"}
RECORDS = ("run.json", "evaluation.json")  # with the key `cost`, which was measured with a clock
KINDS = ("the group", "Snakemake alone", "Snakemake alone, its jobs ended", "one job alone")
CELL = r'<(?:td|th scope="row")>[^<]*</t[dh]>'  # of a row of a table
LOOK = 0.02  # seconds between looks at a workflow
MEASURED = ("clips_per_second", "seconds", "gpu_hours", "peak_memory_mb")  # columns of cost.csv
TIMED = ("cost.md", "cost.tex")  # what cost.csv holds, for people
COSTS = ("Clips/s", "Seconds", "GPU-hours", "Peak MB")  # of the page's table of budgets


def comparable(file: Path) -> bytes:
    """A file's bytes without what was measured with a clock: the costs in run.json and the page."""
    if file.name in RECORDS:
        return json.dumps({**json.loads(file.read_text()), "cost": None}).encode()
    if file.name == "provenance.json":
        return json.dumps([_untimed(e) for e in json.loads(file.read_text())["@graph"]]).encode()
    if file.name == "cost.csv":
        return pd.read_csv(file).drop(columns=list(MEASURED)).to_csv().encode()
    if file.name in TIMED:
        return b""
    if file.name == "report.html":
        return _uncosted(file.read_text()).encode()
    return file.read_bytes()


def _uncosted(page: str) -> str:
    """The page without the columns of the table of budgets that a clock filled in."""
    start = page.index('id="table-cost"')
    end = page.index("</table>", start)
    table = page[start:end]
    names = re.findall(r'<th scope="col"[^>]*>(?:<button[^>]*>)?([^<]*)', table)
    costs = [names.index(name) for name in COSTS]
    for row in re.findall(r'<tr>((?:<td|<th scope="row").*?)</tr>', table):
        cells = re.findall(CELL, row)
        kept = [cell for number, cell in enumerate(cells) if number not in costs]
        table = table.replace(row, "".join(kept), 1)
    return page[:start] + table + page[end:]


def _untimed(entity: dict) -> dict:
    """An entity of the crate without times, and without hashes of files that hold times."""
    left_out = {"datePublished", "endTime"}
    if entity["@type"] == "PropertyValue":
        left_out |= {"value"}
    if Path(entity["@id"]).name in {*RECORDS, "report.html", "cost.csv", *TIMED}:
        left_out |= {"sha256", "contentSize"}
    return {key: value for key, value in entity.items() if key not in left_out}


def contents(results: Path) -> dict[str, bytes]:
    """What two builds of one study must have in common, by path."""
    return {
        str(file.relative_to(results)): comparable(file)
        for file in sorted(results.rglob("*"))
        if file.is_file()
        and file.relative_to(results).parts[0] not in NOT_COMPARED
        and file.name != ".snakemake_timestamp"
    }


def differences(results: Path, expected: dict[str, bytes]) -> list[str]:
    """Sentences on what differs from an undisturbed build; empty if nothing does."""
    found = contents(results)
    said = [f"{name} is missing" for name in sorted(set(expected) - set(found))]
    said += [f"{name} is too much" for name in sorted(set(found) - set(expected))]
    both = sorted(set(found) & set(expected))
    said += [f"{name} differs" for name in both if found[name] != expected[name]]
    said += [f"{p} is left over" for p in results.rglob(".*") if LEFT_OVER.fullmatch(p.name)]
    return said + [str(damage) for damage in seals.examine(results, thorough=True)[0]]


@dataclass(frozen=True)
class Timeline:
    """Of an undisturbed run: when its jobs ended, and when it did, seconds after its start."""

    ends: tuple[float, ...]
    lasts: float

    def moment(self, share: float) -> tuple[int, float]:
        """At a share of the time: how many jobs had ended, and the seconds since the last of them."""
        at = share * self.lasts
        done = bisect.bisect_right(self.ends, at)
        return done, at - (self.ends[done - 1] if done else 0)


@dataclass
class Workflow:
    """A Snakemake at work, in a process group of its own, its text in a file outside the project."""

    process: subprocess.Popen
    log: Path

    @classmethod
    def start(cls, project: Project, command: list[str]) -> "Workflow":
        log = project.path.parent / "killed.log"
        with open(log, "w") as stream:
            process = subprocess.Popen(
                command,
                cwd=project.path,
                env=project.environment(quick=False),
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        return cls(process, log)

    def jobs_done(self) -> int:
        return self.log.read_text(errors="replace").count("\nFinished jobid:")

    def jobs(self) -> dict[str, psutil.Process]:
        """The processes of `sslslr` at work, by their seal: `pretrain/RUN`."""
        found = {}
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    words = child.cmdline()
                    if "--seal" in words and not child.name().endswith("sh"):
                        seal = Path(words[words.index("--seal") + 1])
                        found[f"{seal.parent.name}/{seal.stem}"] = child
        return found

    def all_processes(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []


def undisturbed(project: Project, command: list[str]) -> Timeline:
    """Run to the end; raises AssertionError where that fails."""
    started, ends = time.monotonic(), []
    workflow = Workflow.start(project, command)
    while workflow.process.poll() is None:
        time.sleep(LOOK)
        ends += [time.monotonic() - started] * (workflow.jobs_done() - len(ends))
    assert workflow.process.returncode == 0, workflow.log.read_text()[-4000:]
    return Timeline(tuple(ends), time.monotonic() - started)


def run_and_kill(
    project: Project, command: list[str], done: int, further: float, kind: str, pick: random.Random
) -> tuple[str, int]:
    """Start a command and kill at the moment when `done` jobs have ended, `further` seconds later.

    Returns:
        What was at work then, in words, empty if all had ended before it could be killed; and how many
        jobs this process had ended.
    """
    workflow = Workflow.start(project, command)
    process, due = workflow.process, None
    while process.poll() is None:
        if due is None and workflow.jobs_done() >= done:
            due = time.monotonic() + further
        if due is not None and time.monotonic() >= due:
            jobs = workflow.jobs()
            if kind != "one job alone" or (victim := _killed_one(jobs, pick)):
                break
        time.sleep(LOOK)
    else:
        return "", workflow.jobs_done()
    at_work = ", ".join(sorted(jobs)) or "no job"
    if kind == "one job alone":
        process.wait(3600)
        return f"{at_work} at work, {victim} killed", workflow.jobs_done()
    processes = workflow.all_processes()
    if kind == "the group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if kind.endswith("ended"):
        psutil.wait_procs(processes, timeout=600)
    return f"{at_work} at work", workflow.jobs_done()


def _killed_one(jobs: dict[str, psutil.Process], pick: random.Random) -> str:
    """Kill one of the jobs; its name, or nothing if there was none or it had just ended."""
    if jobs:
        name = pick.choice(sorted(jobs))
        with contextlib.suppress(psutil.Error):
            jobs[name].kill()
            return name
    return ""


def share_of(seed: int, number: int) -> tuple[float, random.Random]:
    """Kill N's share of the undisturbed time, and what else it draws from: of the seed and N alone."""
    draws = random.Random(f"{seed}:{number}")
    return draws.uniform(0.01, 0.99), draws


def clean(project: Project) -> None:
    """As a fresh clone."""
    for path in (project.path / "results").iterdir():
        if path.name != ".gitignore":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(project.path / ".snakemake", ignore_errors=True)


def disturbed(
    project: Project,
    command: list[str],
    numbers: Iterable[int],
    seed: int,
    timeline: Timeline,
    expected: dict,
) -> Iterator[str]:
    """One round: from clean, the kills of these numbers in the order of their moments, a plain re-run.

    Yields:
        Where each kill hit, then what the re-run said of it.

    Raises:
        AssertionError: with what differs at the end.
    """
    clean(project)
    ended = 0
    for number in sorted(numbers, key=lambda number: share_of(seed, number)[0]):
        (share, draws), kind = share_of(seed, number), KINDS[number % len(KINDS)]
        done, further = timeline.moment(share)
        while True:
            hit, more = run_and_kill(project, command, done - ended, further, kind, draws)
            ended += more
            if hit:
                break
            # All had ended before: once more from the start, and earlier.
            done, further = (done, further / 2) if further > 0.2 else (max(done - 1, 0), 1.0)
            clean(project)
            ended = 0
        yield f"kill {number}: {kind}, at {share:.0%}, {ended} jobs done, {hit}"
    again = project.run(*command, check=False, timeout=3600, quick=False)
    assert not again.returncode, f"the re-run ended with {again.returncode}: {again.stderr[-3000:]}"
    yield from (line for line in again.stderr.splitlines() if "killed" in line or "cleared" in line)
    assert not (found := differences(project.path / "results", expected)), "; ".join(found)


def arguments_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from", type=int, default=0, dest="first", help="go on with this kill")
    parser.add_argument("--each", type=int, default=5, help="kills of one run before it may end")
    parser.add_argument("--config", help="a study of the repository [the tiny one of the tests]")
    parser.add_argument("--target", nargs="*", default=[], help="of Snakemake [everything]")
    return parser.parse_args()


def main() -> int:
    arguments = arguments_of()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    project = copy_repository(folder / "project")
    if arguments.config:
        shutil.copy(Path(__file__).parent.parent / arguments.config, project.path / "config/demo.yaml")  # fmt: skip
    command = ["snakemake", "--cores", "2", *arguments.target]
    command[0] = shutil.which(command[0], path=project.environment(quick=False)["PATH"])
    timeline = undisturbed(project, command)
    expected = contents(project.path / "results")
    size = f"{len(timeline.ends)} jobs, {len(expected)} files are compared"
    print(f"undisturbed: {timeline.lasts:.1f} s, {size}", flush=True)
    failed, numbers = 0, range(arguments.first, arguments.kills)
    for first in numbers[:: arguments.each]:
        kills = range(first, min(first + arguments.each, arguments.kills))
        started, outcome = time.monotonic(), "the same bytes"
        try:
            for line in disturbed(project, command, kills, arguments.seed, timeline, expected):
                print(line, flush=True)
        except AssertionError as error:
            failed, outcome = failed + 1, str(error)
            with contextlib.suppress(OSError):
                shutil.copytree(project.path, folder / f"failed-{first}", symlinks=True)
        names = ", ".join(map(str, kills))
        print(f"kills {names}: {outcome} ({time.monotonic() - started:.0f} s)", flush=True)
    print(
        f"{len(numbers)} kills; {failed} of the runs ended with other results",
        flush=True,
    )
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
