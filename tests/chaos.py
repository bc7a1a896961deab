"""Kill the workflow with SIGKILL at random moments; one plain re-run must end with the same bytes.

    python tests/chaos.py --kills 50 --seed 0                    a tiny study of all stages
    python tests/chaos.py --config config/demo.yaml --kills 5    the demo itself
    python tests/chaos.py --target evaluate --kills 3            up to the metrics

In turn the whole process group is killed, and Snakemake alone, whose jobs then run on as orphans.
A kill that comes too late (the workflow had ended) is drawn again. Exit status 1 at a difference.
"""

import argparse
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
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
from project import Project, copy_repository  # noqa: E402
from sslslr import seals  # noqa: E402
from sslslr.files import LEFT_OVER  # noqa: E402

# What differs by nature: logs, and the seals, which hold the times of files.
NOT_COMPARED = {"logs", "seals", ".gitignore", ".workflow.json"}
RECORDS = ("run.json", "evaluation.json")  # with the key `cost`, which was measured with a clock
COSTS = ("Clips/s", "Seconds", "GPU-hours", "Peak MB")  # of the page\'s table of budgets


def comparable(file: Path) -> bytes:
    """A file's bytes without what was measured with a clock: the costs in run.json and the page."""
    if file.name in RECORDS:
        return json.dumps({**json.loads(file.read_text()), "cost": None}).encode()
    if file.name == "provenance.json":
        return json.dumps([_untimed(e) for e in json.loads(file.read_text())["@graph"]]).encode()
    if file.name == "report.html":
        return _uncosted(file.read_text()).encode()
    return file.read_bytes()


def _uncosted(page: str) -> str:
    """The page without the columns of the table of budgets that a clock filled in."""
    start = page.index('<section id="budget">')
    end = page.index("</section>", start)
    table = page[start:end]
    names = re.findall(r"<th[^>]*>(?:<button[^>]*>)?([^<]*)", table)
    costs = [names.index(name) for name in COSTS]
    for row in re.findall(r"<tr>(<td>.*?)</tr>", table):
        cells = re.findall(r"<td>.*?</td>", row)
        kept = [cell for number, cell in enumerate(cells) if number not in costs]
        table = table.replace(row, "".join(kept), 1)
    return page[:start] + table + page[end:]


def _untimed(entity: dict) -> dict:
    """An entity of the crate without times, and without hashes of files that hold times."""
    left_out = {"datePublished", "endTime"}
    if entity["@type"] == "PropertyValue":
        left_out |= {"value"}
    if Path(entity["@id"]).name in {*RECORDS, "report.html"}:
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


def run_and_kill(project: Project, command: list[str], moment: float, group: bool) -> float:
    """Start a command, kill it `moment` seconds later; 0, or its seconds if it had ended by then."""
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=project.path,
        env=project.environment(quick=False),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(moment)
        return time.monotonic() - started
    except subprocess.TimeoutExpired:
        if group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return 0


def clean(project: Project) -> None:
    """As a fresh clone."""
    for path in (project.path / "results").iterdir():
        if path.name != ".gitignore":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(project.path / ".snakemake", ignore_errors=True)


def disturbed(
    project: Project,
    command: list[str],
    share: float,
    lasts: float,
    group: bool,
    expected: dict[str, bytes],
) -> tuple[list[str], str, float]:
    """One round: from clean, kill, one plain re-run, compare.

    Args:
        share: of the time that the workflow lasts, after which it is killed.

    Returns:
        Differences, what the re-run said, and how long the workflow lasts (shorter than it was
        thought to if it ended before it could be killed).
    """
    clean(project)
    while ended := run_and_kill(project, command, share * lasts, group):
        lasts = ended
        clean(project)
    done = project.run(*command, check=False, timeout=3600, quick=False)
    said = [line for line in done.stderr.splitlines() if "killed" in line or "cleared" in line]
    if done.returncode:
        return [f"the re-run ended with status {done.returncode}: {done.stderr[-3000:]}"], "", lasts
    return differences(project.path / "results", expected), "; ".join(said), lasts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="go on with this round")
    parser.add_argument("--config", help="a study of the repository [the tiny one of the tests]")
    parser.add_argument("--target", nargs="*", default=[], help="of Snakemake [everything]")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    project = copy_repository(folder / "project")
    if arguments.config:
        shutil.copy(Path(__file__).parent.parent / arguments.config, project.path / "config/demo.yaml")  # fmt: skip
    command = ["snakemake", "--cores", "2", *arguments.target]
    started = time.monotonic()
    project.run(*command, timeout=3600, quick=False)
    lasted = time.monotonic() - started
    expected = contents(project.path / "results")
    print(f"undisturbed: {lasted:.1f} s, {len(expected)} files are compared", flush=True)
    draws, failed = random.Random(arguments.seed), 0
    shares = [draws.uniform(0.01, 0.97) for _ in range(arguments.kills)]
    for number, share in enumerate(shares):
        if number < arguments.first:
            continue
        group = number % 2 == 0
        found, said, lasted = disturbed(project, command, share, lasted, group, expected)
        whom = "the group" if group else "Snakemake alone"
        outcome = "; ".join(found) if found else "the same bytes"
        print(f"{number}: {whom}, at {share:.0%} of {lasted:.0f} s: {outcome} ({said})", flush=True)
        failed += bool(found)
        if found:
            with contextlib.suppress(OSError):
                shutil.copytree(project.path, folder / f"failed-{number}", symlinks=True)
    print(f"{failed} of {len(shares)} kills ended with other results", flush=True)
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
