"""Where results may be built: a folder that is new, is empty, or is one that this package made.

What is in a results folder is replaced by later runs, and Snakemake deletes what a failed job left. So
what a folder holds decides whether it may be one, and no list of names. It is one of ours if

- a workflow left its record there (`.workflow.json`, the first file that is written), or
- it holds nothing but the parts of a results folder, and one of them says what it is: `make restore` and
  `sslslr pretrain --out results/encoders/NAME` leave no record, or
- it holds nothing but results folders, as `results/` of the repository does, or
- it has folders of a results folder and no file in them: what an import that was refused leaves.
"""

import os
import stat
from itertools import islice
from pathlib import Path

from sslslr.config.study import NOT_RESULTS
from sslslr.utils.errors import UserError
from sslslr.utils.files import OF_SYSTEMS
from sslslr.utils.user_files import shown
from sslslr.workflow.results_lock import PLACES, RECORD

PARTS = {*PLACES, "checkpoints", "downloads", "logs", "seals"}
# A folder of somebody's may have `data` and `figures`, too: these tell ours from it.
SIGNS = (
    *("data/*/clips/card.json", "data/*/raw", "data/*/shards", "data/*/.clips.*.*.*.tmp"),
    *("encoders/*/run.json", "encoders/*/encoder.safetensors"),  # killed between the two
    *("metrics/*/evaluation.json", "checkpoints/*.ckpt", "seals/*/*.json"),
)
# May lie beside several results folders; `make encoder` puts its downloads where the demo has them.
BESIDE = (".gitignore", "README.md", "downloads")
OF_DISKS = "lost+found"  # in the root of each, and for nobody else to read
MOST = 10_000  # entries that are looked at; no folder of results has so many
ADVICE = "Name a folder of the results' own, for example results/mine."


def check_results(results: str) -> None:
    """Raise UserError where nothing may be built; the name itself was checked where it was read."""
    here, place = Path.cwd().resolve(), Path(os.path.realpath(results))
    inside = place.relative_to(here).parts[:1] if place.is_relative_to(here) else ()
    if here.is_relative_to(place) or set(map(str.lower, inside)) & set(NOT_RESULTS):
        raise UserError(
            f"results: {results} leads to the study's own folder {place}, and what is in it is replaced. {ADVICE}"
        )
    if Path(os.path.realpath(os.path.expanduser("~"))).is_relative_to(place):
        raise UserError(
            f"results: {results} is or holds the home folder, and what is in it is replaced. {ADVICE}"
        )
    try:
        if not stat.S_ISDIR(place.stat().st_mode):
            raise UserError(f"results: {results} is a file, and a folder is needed. Name another.")
        foreign = None if _is_ours(place) else _foreign(place)
    except FileNotFoundError:
        return  # it will be one
    except OSError as error:  # a long name, a file as a folder, one that may not be read
        raise UserError(f"results: no folder can be there ({error.strerror}).") from None
    if foreign is not None:
        raise UserError(
            f"results: {results} holds {shown(foreign)!r}, and nothing that says that this package made it; "
            f"what is in it would be replaced. {ADVICE}"
        )


def _names(folder: Path) -> list[str]:
    """What lies in a folder, but for what systems leave in any."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in islice(entries, MOST)]
    return sorted(name for name in names if not OF_SYSTEMS.fullmatch(name) and name != OF_DISKS)


def _is_ours(folder: Path) -> bool:
    """Does it say itself that it holds results, or does it hold nothing?"""
    if (folder / RECORD).is_file():
        return True
    names = _names(folder)
    known = set(names) <= PARTS | set(BESIDE)
    if not names or (known and any(next(folder.glob(sign), None) for sign in SIGNS)):
        return True
    parts = [folder / name for name in names if name not in BESIDE]
    return known and bool(parts) and all(map(_is_hollow, parts))


def _is_hollow(folder: Path) -> bool:
    """A folder with folders in it, at most, and no file or link."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    walk = islice(os.walk(folder), MOST + 1)
    return all(
        count < MOST and not files and not any(os.path.islink(Path(base, name)) for name in folders)
        for count, (base, folders, files) in enumerate(walk)
    )


def _foreign(folder: Path) -> str | None:
    """The first entry that is neither of a results folder nor one of several; None where all are."""
    for name in _names(folder):
        within = folder / name
        if name not in BESIDE and not (
            within.is_dir() and not within.is_symlink() and _is_ours(within) and _names(within)
        ):
            return name
    return None
