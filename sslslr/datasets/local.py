"""Your own folder (or zip, or tar): one file a clip, and a table of labels.

Files are `.npy` (frames, 75 or 42, 2 or 3, the store's order: left hand, right hand, body), `.pose`
(pose-format with MediaPipe Holistic's components) or `.pkl` in OpenHands' layout; they may be mixed.
The table is a csv with `gloss` and `file` (a path within the folder) or `clip_id`, and where known
`split`, `signer`, `language`, `fps`. A row without its file, a file that cannot be used and a file that
no row names are listed in the card with the reason; the rest goes on.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from sslslr.archives import ENDINGS, MemberError, Members, open_members
from sslslr.clips import SPLITS, ClipWriter
from sslslr.datasets import register
from sslslr.datasets._clip_files import KINDS, read_file
from sslslr.datasets._openhands import ClipError
from sslslr.errors import UserError
from sslslr.importing import plain_path, read_table, without_suffix
from sslslr.strict import Strict
from sslslr.unpickle import UnsafePickle

VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v")


class Options(Strict):
    folder: str = Field(description="Folder (or zip, or tar) with one file a clip.")
    table: str | None = Field(
        None, description="Table of the clips; default labels.csv in the folder."
    )
    language: str | None = Field(
        None, description="Sign language (ISO 639-3) of rows that name none."
    )
    licence: str = Field("not stated", description="Shown in the report.")
    citation: str = Field("", description="Shown in the report.")
    min_confidence: float = Field(
        0.0, ge=0, le=1, description="Of .pkl: joints found with less confidence are missing."
    )


@register
class Local:
    Options = Options
    size = ""
    card = {  # noqa: RUF012
        "languages": [],
        "licence": "not stated",
        "citation": "",
        "origin": "A folder of the user's.",
        "split_rule": "as given in the table",
    }

    @staticmethod
    def inputs(options: Options) -> list[Path]:
        folder, table = Path(options.folder).expanduser(), _table(options)
        for path in (folder, table):
            if not path.exists():
                raise UserError(f"{path}: there is no such file or folder (data set 'local').")
        if not folder.is_dir():
            return [table, folder]
        files = (file for file in sorted(folder.rglob("*")) if file.suffix in KINDS)
        return [table, *(file for file in files if file.is_file())]

    @staticmethod
    def build(options: Options, raw: Path | None, writer: ClipWriter) -> None:
        folder, table = Path(options.folder).expanduser(), _table(options)
        rows = read_table(table)
        if "file" not in rows and "clip_id" not in rows:
            raise UserError(f"{table}: needs a column 'file' or 'clip_id'; found {list(rows)}.")
        with open_members(folder) as members:
            names = {plain_path(name): name for name in members.names}
            _refuse_videos(folder, names, rows)
            languages, named = set(), set()
            for number, row in enumerate(rows.to_dict("records"), start=2):
                found = _find(row, names)
                named.update(name for name in found)
                files = [names[name] for name in found]  # as the folder or archive spells them
                if _add(writer, members, files, row, options, f"row {number} of {table.name}"):
                    languages.add(row.get("language") or options.language)
            for plain, name in names.items():
                if plain not in named and name.endswith(KINDS):
                    writer.drop(name, f"no row in {table.name}")
        writer.card["languages"] = sorted(filter(None, languages))
        writer.card["licence"], writer.card["citation"] = options.licence, options.citation
        if "split" not in rows:
            writer.card["split_rule"] = "none"


def _table(options: Options) -> Path:
    if options.table is not None:
        return Path(options.table).expanduser()
    if options.folder.endswith(ENDINGS):
        raise UserError(f"{options.folder}: an archive; name its table of labels in options.table.")
    return Path(options.folder).expanduser() / "labels.csv"


def _find(row: dict[str, Any], names: dict[str, str]) -> list[str]:
    """The files of a row, of those that the folder holds: one, none, or too many."""
    if row.get("file"):
        return [name for name in (plain_path(row["file"]),) if name in names]
    stem = plain_path(row["clip_id"]) if row.get("clip_id") else ""
    return [f"{stem}{kind}" for kind in KINDS if stem and f"{stem}{kind}" in names]


def _refuse_videos(folder: Path, names: dict[str, str], rows: Any) -> None:
    files = rows["file"].dropna() if "file" in rows else []
    named = any(str(file).lower().endswith(VIDEOS) for file in files)
    only = any(n.lower().endswith(VIDEOS) for n in names) and not any(
        n.endswith(KINDS) for n in names
    )
    if named or only:
        raise UserError(
            f"{folder}: holds videos. Name it as `source: videos` instead: their keypoints are estimated "
            "first, by what `make pose` installs."
        )


def _add(
    writer: ClipWriter,
    members: Members,
    found: list[str],
    row: dict[str, Any],
    options: Options,
    where: str,
) -> bool:
    """Add a row's clip, or list why not."""
    clip_id = row.get("clip_id") or (row.get("file") and without_suffix(row["file"]))
    split = row.get("split")
    known = split is None or split in SPLITS
    counted = split if known else None
    if not clip_id:
        return writer.drop(where, "neither clip_id nor file", counted, found=False)
    if writer.has(clip_id):
        return writer.drop(f"{clip_id} ({where})", "clip_id occurs twice", counted)
    if not found:
        return writer.drop(clip_id, "its file is missing", counted, found=False)
    if len(found) > 1:
        return writer.drop(clip_id, "several files of this name", counted)
    if not known:
        return writer.drop(clip_id, f"split {split!r} is not one of {', '.join(SPLITS)}")
    try:
        clip = read_file(found[0], members.read(found[0]), options.min_confidence)
    except MemberError as error:
        return writer.drop(clip_id, f"its file {error.why}", split)
    except (ClipError, UnsafePickle) as error:
        return writer.drop(clip_id, str(error), split)
    columns = {name: row.get(name) for name in ("gloss", "signer", "split")}
    if pd.notna(row.get("fps")):
        clip["fps"] = row["fps"]
    language = row.get("language") or options.language
    return writer.add(clip_id, **clip, **columns, language=language, source=found[0])
