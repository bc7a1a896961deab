"""Seals: what each job wrote, with hashes, so that a file that changes afterwards is noticed.

A job of the workflow runs `sslslr --seal results/seals/STAGE/JOB.json VERB ...`; when the verb has
succeeded, the files that it put in place are sealed with size, time and sha256. Snakemake goes by
times, and a file that was cut behind its back, its time kept, goes unseen. So the workflow examines
all seals when it starts: size and time first, which costs a `stat` a file, and the sha256 of those
that differ. Files that are no longer what was sealed are made again.

`sslslr check-results` reads every byte.
"""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslslr.errors import UserError
from sslslr.files import read_json, sha256_of, write_json

FOLDER = "seals"


@dataclass(frozen=True)
class Damage:
    """A file that is not what its job wrote."""

    file: Path
    found: str

    def __str__(self) -> str:
        return f"{self.file}: {self.found}"


def write(seal: str | Path, paths: Iterable[Path]) -> None:
    """Seal files (a folder: all files in it); paths are kept relative to the results folder.

    Raises:
        UserError: a file outside of the results folder, the disk is full, ...
    """
    seal = Path(seal)
    results = _results_of(seal)
    files: dict[str, Any] = {}
    for path in paths:
        inside = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in inside:
            name = os.path.relpath(file.absolute(), results.absolute())
            if name.startswith(".."):
                raise UserError(f"{file}: not below {results}, so {seal} cannot seal it.")
            files[name] = _state(file) | {"sha256": sha256_of(file)}
    write_json(seal, {"files": files})


def drop(seal: str | Path) -> None:
    """Take a seal away, because its files are about to be made again."""
    Path(seal).unlink(missing_ok=True)


def _results_of(seal: Path) -> Path:
    for parent in seal.parents:
        if parent.name == FOLDER:
            return parent.parent
    raise UserError(f"{seal}: a seal lies below a folder `{FOLDER}`.")


def _state(file: Path) -> dict[str, int]:
    stat = file.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


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
    results = Path(results)
    seals, entries = {}, {}
    for path in sorted(Path(results, FOLDER).rglob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            seals[path] = {str(name): dict(value) for name, value in content["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            drop(path)  # its files are not checked until their job runs again
            continue
        for name in seals[path]:
            entries.setdefault(name, []).append(path)
    damages, stale, count = [], set(), 0
    for name, naming in entries.items():
        if not (file := results / name).is_file():
            continue
        count += 1
        # A file that was adopted and then made anew is named by two seals: one has to fit.
        for seal in naming:
            sealed = seals[seal][name]
            found, state = _difference(file, sealed, thorough)
            if not found:
                if state != {key: sealed.get(key) for key in state}:
                    sealed |= state
                    stale.add(seal)
                break
        else:
            damages.append(Damage(file, found))
    for seal in sorted(stale) if renew else []:
        write_json(seal, {"files": seals[seal]})
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


def unsealed(results: str | Path, files: Iterable[Path]) -> list[Path]:
    """Those of `files` that no seal names."""
    known: set[str] = set()
    for seal in Path(results, FOLDER).rglob("*.json"):
        known |= set(read_json(seal).get("files", {}))
    return [f for f in files if os.path.relpath(f, results) not in known]


def adopt(results: str | Path, say: Callable[[str], None] = print) -> int:
    """Seal everything in the stages' folders as it is now: after a clean `dvc pull`, for example.

    Returns:
        The number of files.
    """
    results = Path(results)
    seals = results / FOLDER / "adopted.json"
    drop(seals)
    places = ("data", "encoders", "features", "metrics", "tables", "figures")
    files = [f for place in places for f in sorted((results / place).rglob("*")) if f.is_file()]
    left = unsealed(results, [f for f in files if not f.name.startswith(".")])
    write(seals, left)
    say(f"{results}: sealed {len(left)} files as they are")
    return len(left)
