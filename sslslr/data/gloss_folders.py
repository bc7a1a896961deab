"""Folders that say the gloss, the split and the signer of their clips, where no table does."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from sslslr.config.settings import SPLITS
from sslslr.data.label_tables import TABLES
from sslslr.data.readers import Unit, parts_of
from sslslr.utils.errors import UserError
from sslslr.utils.tables import split_name
from sslslr.utils.user_files import shown
from sslslr.utils.words import some

PARTICIPANT = re.compile(r"\d{4,}/\d{5,}\.parquet")  # and the number of a sequence
SIGNER = re.compile(r"(signer|person|participant|subject|user)[ _-]?[0-9]+", re.IGNORECASE)


def in_folders(units: list[Unit]) -> list[Unit]:
    """The clips that state a gloss or lie in a folder, without few others that lie around or beside them.

    Beside X.npy and y.npy, or around folders of glosses, may lie the names of the signs, or somebody's model.
    """
    sets = {parts_of(unit.files[0])[0] for unit in units if unit.columns.get("gloss")}
    own = [
        unit
        for unit in units
        if unit.columns.get("gloss")
        or ("/" in unit.name and parts_of(unit.files[0])[0] not in sets)
    ]
    folders = {parts_of(unit.name)[0] for unit in own}
    return own if sets or len(units) - len(own) < len(folders) else units


def of_folders(units: list[Unit], folder: Path) -> list[dict[str, Any]]:
    """The columns of each clip of a set without a table: a clip's folder is its gloss, and around or within it may be
    those of a split or a signer, or of the clip itself (GLOSS/NUMBER/pose.npy).

    Raises:
        UserError: a clip lies in no folder that could be its gloss.
    """
    paths = [PurePosixPath(unit.name) for unit in units]
    own = [path for path, unit in zip(paths, units, strict=True) if "gloss" not in unit.columns]
    # GLOSS/NUMBER/pose.npy, and GLOSS/train/clip.npy.
    within = len({path.parts[-3:-2] for path in own}) > 1 and all(
        len(path.parts) > 2 and split_among(path.parts[-2:-1]) for path in own
    )
    depth = 2 if within or _folder_a_clip(own) else 1
    found: list[dict[str, Any]] = []
    for unit, path in zip(units, paths, strict=True):
        columns = dict(unit.columns)
        if "gloss" not in columns:
            folders = path.parts[:-depth]
            columns.setdefault("split", split_among(path.parts[-2:-1] if within else folders[:-1]))
            if signers := [part for part in folders if SIGNER.fullmatch(part)]:
                columns["signer"] = signers[-1]
            columns["gloss"] = next((p for p in reversed(folders) if p not in signers), None)
            if PARTICIPANT.fullmatch(f"{path.parent.name}/{path.name}"):
                raise UserError(
                    f"{folder}: {shown(unit.name)} lies in a folder that is a participant's number, as Google ISLR "
                    "has them. Its glosses stand in train.csv: put that beside the folders, or name it: --csv (table)."
                )
        found.append(columns)
    glosses = [columns["gloss"] for columns in found]
    if None in glosses or (own and all(split_among([gloss]) for gloss in glosses)):
        _refuse_unlabelled(folder, units[glosses.index(None) if None in glosses else 0])
    return found


def _folder_a_clip(paths: Sequence[PurePosixPath]) -> bool:
    """Whether each clip has a folder of its own, a number in that of its gloss: GLOSS/NUMBER/pose.npy."""
    folders, outer = {path.parent for path in paths}, {path.parent.parent.name for path in paths}
    return (
        len(folders) == len(paths) > 1
        and len({path.stem for path in paths}) == 1
        and all(len(path.parts) > 2 and path.parent.name.isdecimal() for path in paths)
        and not paths[0].stem.isdecimal()
        # CATEGORY/GLOSS and SPLIT/GLOSS may be numbers as well.
        and len(outer) > 1
        and not any(split_among([name]) or SIGNER.fullmatch(name) for name in outer)
    )


def outer_folders(units: Sequence[Unit], glosses: Sequence[str]) -> str:
    """What is said of folders of one name within several others, which may be signers or glosses; "" of none."""
    outer: dict[str, set[str]] = defaultdict(set)
    for unit, gloss in zip(units, glosses, strict=True):
        folders = parts_of(unit.name)[0].split("/")
        if "gloss" not in unit.columns and gloss in folders:
            around = [name for name in folders[: folders.index(gloss)] if not _says(name)]
            outer[gloss] |= set(around[-1:])
            if split_among(folders[-1:]):
                return f"the folders around those of the splits ({shown(gloss)} and so on) were taken for glosses"
    several = [(gloss, names) for gloss, names in outer.items() if len(names) > 1]
    if not several:
        return ""
    gloss, names = several[0]
    return (
        f"folders of one name lie in several others ({shown(gloss)} in {some(sorted(names))}): the inner ones were "
        "taken for glosses, the outer ones not used. Where those are the glosses, or signers, write a table"
    )


def _says(folder: str) -> bool:
    """Whether a folder is called as a signer or a split."""
    return SIGNER.fullmatch(folder) is not None or split_among([folder]) is not None


def split_among(folders: Sequence[str]) -> str | None:
    return next((name for name in map(split_name, folders) if name in SPLITS), None)


def _refuse_unlabelled(folder: Path, unit: Unit) -> NoReturn:
    tables = [f for f in sorted(folder.glob("*")) if f.suffix in (".csv", ".tsv") and f.is_file()]
    is_it = f" Is it {shown(tables[0].name)}? Name it: --csv (table)." if tables else ""
    raise UserError(
        f"{folder}: no table of labels, and {unit.name} lies in no folder that could be its gloss. Add {TABLES[0]} "
        f"with the columns file and gloss, name a table, or sort the clips into a folder a gloss.{is_it}"
    )
