"""Seals: what each job wrote, with hashes, so that a file that changes afterwards is noticed.

A job of the workflow runs `sslslr --seal results/seals/STAGE/JOB.json --outputs 'A B' VERB ...`;
when the verb has succeeded, the outputs that the rule names are sealed with size, time and sha256.
Snakemake goes by times, and a file that was cut behind its back, its time kept, goes unseen. So the
workflow examines all seals when it starts: size and time first, which costs a `stat` a file, and the
sha256 of those that differ. `sslslr check-results` reads every byte.

A seal that does not hold is broken: the job's next one has another name (`JOB~1.json`), and because
that name is a parameter of the job, Snakemake runs it again, in its own terms and only once.
`snakemake --touch`, which declares files to be what their jobs would write, seals them.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslslr.utils.errors import UserError
from sslslr.utils.files import read_json, sha256_of, write_json
from sslslr.utils.user_files import name_fault, printable, shown, shown_value

FOLDER = "seals"
# Folders that hold no output of a job: the seals, what jobs keep for the next one, and the encoder that
# `make demo` exports.
NOT_SEALED = (FOLDER, "downloads", "checkpoints", "logs", "model")
# A seal's name: the job's, and how many of its seals were broken before.
NAME = re.compile(r"(?P<job>.+?)(?:~(?P<number>\d+))?\.json")


@dataclass(frozen=True)
class Damage:
    """A file that is not what its job wrote."""

    file: Path
    seal: Path
    difference: str

    def __str__(self) -> str:
        return f"{shown(self.file)}: {self.difference}"


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


def write(seal: str | Path, outputs: Iterable[str | Path]) -> None:
    """Seal a job's outputs, of a folder all files in it; paths are kept relative to the results.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    seal = Path(seal)
    results = _results_of(seal)
    files: dict[str, Any] = {}
    for path in map(Path, outputs):
        for file in _outputs_in([path] if path.is_file() else path.rglob("*")):
            name = os.path.relpath(file.absolute(), results.absolute())
            files[name] = _state(file) | {"sha256": sha256_of(file)}
    write_json(seal, {"files": files})


def _outputs_in(paths: Iterable[Path]) -> list[Path]:
    """The files among `paths`, without what is hidden: locks, half-written files, Snakemake's marks."""
    return sorted(p for p in paths if not p.name.startswith(".") and p.is_file())


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
        files = read_json(seal)["files"].items()
        return {name: dict(value) for name, value in files if not name_fault(name)}
    except (UserError, ValueError, KeyError, TypeError, AttributeError):
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
            difference, state = _difference(file, sealed, thorough)
            if difference:
                damages.append(Damage(file, seal, difference))
            elif state != {key: sealed.get(key) for key in state}:
                sealed |= state
                changed = True
        if changed and renew:
            write_json(seal, {"files": files})
    return damages, count


def _difference(file: Path, sealed: dict[str, Any], thorough: bool) -> tuple[str, dict[str, int]]:
    state = _state(file)
    if state["size"] != sealed.get("size"):
        return f"holds {state['size']} bytes, {shown_value(sealed.get('size'))} were written", state
    if thorough or state["mtime_ns"] != sealed.get("mtime_ns"):
        digest = sha256_of(file)
        if digest != sealed.get("sha256"):
            before = printable(str(sealed.get("sha256"))[:12])
            return f"its sha256 is {digest[:12]}..., {before}... was written", state
    return "", state


def unsealed(results: str | Path) -> list[Path]:
    """Files in the folders of the stages that no seal names."""
    results = Path(results)
    sealed = {name for seal in Path(results, FOLDER).rglob("*.json") for name in read(seal)}
    return [
        file
        for place in sorted(results.iterdir())
        if place.name not in NOT_SEALED and not place.name.startswith(".")
        for file in _outputs_in([place] if place.is_file() else place.rglob("*"))
        if file.relative_to(results).as_posix() not in sealed
    ]
