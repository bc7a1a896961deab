"""Seals: what each job wrote, with hashes, so that a file that changes afterwards is noticed.

A job of the workflow runs `sslslr --seal results/seals/STAGE/JOB.json VERB ...`; when the verb has
succeeded, the files that it put in place are sealed with size, time and sha256. Snakemake goes by
times, and a file that was cut behind its back, its time kept, goes unseen. So the workflow examines
all seals when it starts: size and time first, which costs a `stat` a file, and the sha256 of those
that differ. `sslslr check-results` reads every byte.

A seal that does not hold is broken: the job's next one has another name (`JOB~1.json`), and because
that name is a parameter of the job, Snakemake runs it again, in its own terms and only once.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslslr.errors import UserError
from sslslr.files import sha256_of, write_json

FOLDER = "seals"
# Not outputs of a job: what lies elsewhere, the seal itself, caches.
NOT_SEALED = ("..", FOLDER, "downloads", "checkpoints")
# A seal's name: the job's, and how many of its seals were broken before.
NAME = re.compile(r"(?P<job>.+?)(?:~(?P<number>\d+))?\.json")
# Which job makes a file, for files that came without seals: pattern of the path, stage, job.
MAKERS = (
    (r"data/([^/]+)/raw/.*", "download", r"\1"),
    (r"data/([^/]+)/clips/.*", "extract", r"\1"),
    (r"data/([^/]+)/pose_model/.*", "extract", r"\1-model"),
    (r"data/([^/]+)/shards/(\d+)/.*", "extract", r"\1-shard\2"),
    (r"data/([^/]+)/quality/.*", "extract", r"\1-quality"),
    (r"encoders/([^/]+)/.*", "pretrain", r"\1"),
    (r"(?:metrics|features)/([^/]+)/.*", "evaluate", r"\1"),
    (r"tables/linear\..*", "report", "table"),
    (r"tables/verdicts(?:_comparisons)?\..*", "report", "verdict"),
    (r"tables/(?:ablations|signer_gap)\..*", "report", "differences"),
    (r"figures/(?:semi_supervised|transfer)\..*", "report", "results"),
    (r"figures/(?:embedding|confusions)\..*", "report", "example"),
    (r"figures/(?:ablations|views)\..*", "report", "ablation-figures"),
    (r"figures/([a-z_]+)\..*", "report", r"\1"),
    (r"report\.html", "report", "html"),
    (r"provenance\.json", "report", "provenance"),
)


@dataclass(frozen=True)
class Damage:
    """A file that is not what its job wrote."""

    file: Path
    seal: Path
    found: str

    def __str__(self) -> str:
        return f"{self.file}: {self.found}"


def current(results: str | Path, stage: str, job: str, broken: Iterable[Path] = ()) -> Path:
    """Where a job's seal is or will be.

    Args:
        broken: seals that are held to be broken already (of a plan, which changes nothing).
    """
    folder, number = Path(results, FOLDER, stage), 0
    if folder.is_dir():
        for path in folder.glob(f"{job}*.json"):
            match = NAME.fullmatch(path.name)
            if match and match["job"] == job:
                number = max(number, int(match["number"] or 0))
    path = folder / _name(job, number)
    return folder / _name(job, number + 1) if path in set(broken) else path


def _name(job: str, number: int) -> str:
    return f"{job}~{number}.json" if number else f"{job}.json"


def break_seal(seal: Path) -> Path:
    """Give the job that made `seal` another, still empty one; its name makes the job run again."""
    match = NAME.fullmatch(seal.name)
    number = int(match["number"] or 0) + 1 if match else 1
    job = match["job"] if match else seal.stem
    write_json(following := seal.with_name(_name(job, number)), {"files": {}})
    seal.unlink(missing_ok=True)
    return following


def write(seal: str | Path, paths: Iterable[Path]) -> None:
    """Seal files (a folder: all files in it); paths are kept relative to the results folder.

    Files outside of the results folder (a shared folder of downloads) are left out.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    seal = Path(seal)
    results = _results_of(seal)
    files: dict[str, Any] = {}
    for path in paths:
        inside = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in inside:
            name = os.path.relpath(file.absolute(), results.absolute())
            if Path(name).parts[0] in NOT_SEALED:
                continue
            files[name] = _state(file) | {"sha256": sha256_of(file)}
    write_json(seal, {"files": files})


def share_out(seals: list[Path], paths: Iterable[Path]) -> dict[Path, list[Path]]:
    """Which files belong in which seal: one takes all, of several each the folder of its job's name."""
    if len(seals) == 1:
        return {seals[0]: list(paths)}
    jobs = {NAME.fullmatch(seal.name)["job"]: seal for seal in seals}
    shared: dict[Path, list[Path]] = {}
    for path in paths:
        if seal := jobs.get(path.parent.name):
            shared.setdefault(seal, []).append(path)
    return shared


def clear(seal: str | Path) -> None:
    """Empty a seal, because its files are about to be made again."""
    write_json(seal, {"files": {}})


def _results_of(seal: Path) -> Path:
    for parent in seal.parents:
        if parent.name == FOLDER:
            return parent.parent
    raise UserError(f"{seal}: a seal lies below a folder `{FOLDER}`.")


def _state(file: Path) -> dict[str, int]:
    stat = file.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def read(seal: Path) -> dict[str, dict[str, Any]]:
    """Files of a seal by their path in the results folder; none for a seal that cannot be read."""
    try:
        content = json.loads(seal.read_text(encoding="utf-8"))
        return {str(name): dict(value) for name, value in content["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def examine(
    results: str | Path, thorough: bool = False, renew: bool = True
) -> tuple[list[Damage], int]:
    """Compare all sealed files with their seals.

    Args:
        thorough: read every byte; else only of files whose time or size differ.
        renew: note the new time of files whose bytes are the same (a copy, a checkout).

    Returns:
        The files that differ, and the number of files that are sealed. A file that is gone is no
        damage: Snakemake knows what it needs.
    """
    results, damages, count = Path(results), [], 0
    for seal in sorted(Path(results, FOLDER).rglob("*.json")):
        files, changed = read(seal), False
        for name, sealed in files.items():
            if not (file := results / name).is_file():
                continue
            count += 1
            found, state = _difference(file, sealed, thorough)
            if found:
                damages.append(Damage(file, seal, found))
            elif state != {key: sealed.get(key) for key in state}:
                sealed |= state
                changed = True
        if changed and renew:
            write_json(seal, {"files": files})
    return damages, count


def _difference(file: Path, sealed: dict[str, Any], thorough: bool) -> tuple[str, dict[str, int]]:
    state = _state(file)
    if state["size"] != sealed.get("size"):
        return f"holds {state['size']} bytes, {sealed.get('size')} were written", state
    if thorough or state["mtime_ns"] != sealed.get("mtime_ns"):
        digest = sha256_of(file)
        if digest != sealed.get("sha256"):
            before = str(sealed.get("sha256"))[:12]
            return f"its sha256 is {digest[:12]}..., {before}... was written", state
    return "", state


def unsealed(results: str | Path) -> dict[Path, list[Path]]:
    """Files of the stages that no seal names, by the seal that their job would have."""
    results, known = Path(results), set()
    for seal in Path(results, FOLDER).rglob("*.json"):
        known |= set(read(seal))
    found: dict[Path, list[Path]] = {}
    for file in sorted(results.rglob("*")):
        name = file.relative_to(results).as_posix()
        if name in known or file.name.startswith(".") or not file.is_file():
            continue
        for pattern, stage, job in MAKERS:
            if match := re.fullmatch(pattern, name):
                seal = current(results, stage, match.expand(job))
                found.setdefault(seal, []).append(file)
                break
    return found


def forget(results: str | Path) -> None:
    """Remove all seals; the files stay."""
    shutil.rmtree(Path(results, FOLDER), ignore_errors=True)


def adopt(results: str | Path) -> int:
    """Seal what no seal names as it is now, for example after a pull that was checked.

    Returns:
        The number of files.
    """
    results, count = Path(results), 0
    for seal, files in unsealed(results).items():
        sealed = read(seal)
        write(seal, [*(results / name for name in sealed if (results / name).is_file()), *files])
        count += len(files)
    return count
