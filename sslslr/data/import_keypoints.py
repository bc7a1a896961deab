"""A folder, an archive or a `clips.npz` of keypoints to a clip store: the one way in for every format.

`sslslr data import` and `source: local` of a study are this. What the files hold is found by their
content (`sslslr.data.readers`); what their numbers mean is decided from a sample and said
(`sslslr.data.conversion`); the table says which clip is which sign (`sslslr.data.source`).
"""

from itertools import filterfalse
from typing import Any

from sslslr.config.settings import SPLITS
from sslslr.data.opened import UNREADABLE, Opened, Options, opened
from sslslr.data.readers import ClipError, hidden
from sslslr.data.source import Row, fold, unnamed
from sslslr.data.store import ClipWriter
from sslslr.data.writer import ADVICE
from sslslr.utils.archives import MemberError
from sslslr.utils.errors import UserError
from sslslr.utils.files import few_hashes, sha256_of
from sslslr.utils.progress import advancing
from sslslr.utils.tables import several_spellings
from sslslr.utils.user_files import shortened
from sslslr.utils.words import counted, some


def import_clips(
    options: Options, writer: ClipWriter, all_splits: bool = False, gloss: str | None = None
) -> None:
    """Add the clips of a source to a store; what is left out is listed in its card with the reason.

    Args:
        all_splits: clips whose split is none of the three are added without one, and counted.
        gloss: of rows that state none.

    Raises:
        UserError: nothing can be read; with `on_bad="error"` the first clip that cannot.
    """
    with opened(options, all_splits) as source:
        if options.fold_glosses:
            changed = fold(source.rows)
            writer.notes.append(
                f"{writer.card['dataset']}: {changed} rows took the usual spelling of their gloss."
            )
        title = f"{writer.card['dataset']}: clips"
        languages = set()
        with advancing(title, len(source.rows)) as advance:
            for row in source.rows:
                advance(1)
                row.columns["gloss"] = row.columns.get("gloss") or gloss
                if add(source, row, writer):
                    languages.add(row.columns.get("language") or options.language)
        why = f"no row in {source.called}" if source.tables else "no gloss: it lies in no folder"
        for unit in unnamed(source.units, source.rows):
            writer.drop(unit.name, why)
        for link in () if source.tables else filterfalse(hidden, source.members.links):
            writer.drop(link, "a link that leads out of the folder: not followed")
        _finish(source, writer, languages)


def add(source: Opened, row: Row, writer: ClipWriter) -> bool:
    """Add the clip of a row, or list it as left out; True if it was added."""
    split = row.columns.get("split")
    counted = split if split is None or split in SPLITS else None
    reason, advice = row.fault, ADVICE
    if not reason:
        try:
            clip = source.clip(row)
        except MemberError as error:
            reason = f"its file {error.why}"
        except UNREADABLE as error:
            reason = str(error).removesuffix(".")
            if isinstance(error, ClipError) and error.of_all:
                advice = "The same holds for all clips like it."
    if reason:
        if writer.on_bad == "error":
            stop = "" if reason.endswith("?") else "."
            raise UserError(f"{_where(source, row)}: {reason}{stop} {advice}")
        return writer.drop(row.clip_id, reason, counted, found=row.found)
    assert row.unit is not None  # else the row has a fault
    columns: dict[str, Any] = {name: row.columns.get(name) for name in ("gloss", "signer", "split")}
    language = row.columns.get("language") or source.options.language
    name = row.columns.get("source") or (
        row.unit.files[0] if len(row.unit.files) == 1 else row.unit.name
    )
    return writer.add(row.clip_id, **clip, **columns, language=language, source=name)


def _where(source: Opened, row: Row) -> str:
    place = f"{row.table}, row {row.number}" if row.table else str(source.folder)
    clip = f"{place}: clip {shortened(repr(row.clip_id))}"
    return clip if row.unit is None or row.unit.name == row.clip_id else f"{clip} ({row.unit.name})"


def _finish(source: Opened, writer: ClipWriter, languages: set) -> None:
    """The card, and what a person is told."""
    name, options, card = writer.card["dataset"], source.options, writer.card
    card["languages"] = sorted(filter(None, languages))
    card["licence"], card["citation"] = options.licence, options.citation
    if not any(row.columns.get("split") for row in source.rows):
        card["split_rule"] = "none"
    elif not source.tables:
        card["split_rule"] = "as the folders or files state it"
    card["conversion"] = {"recognised": source.why, **source.tally.counts()}
    card["inputs"] = _inputs(source)
    warnings = source.warnings()
    lines = source.tally.lines() + [f"{said}." for said in source.said]
    if source.tables and source.unused:
        shown = ", ".join(source.unused[:12])
        lines.append(f"Columns of {source.called} that are not used: {shown}.")
    for split, count in sorted(source.other_splits.items()):
        lines.append(
            f"Split {shortened(repr(split))} of {counted(count, 'clip')} is not one of {', '.join(SPLITS)}: "
            "taken without a split."
        )
    glosses = [row.columns.get("gloss") for row in source.rows]
    of_folders = [row for row in source.rows if row.unit and "gloss" not in row.unit.columns]
    if not source.tables and len(of_folders) == len(set(glosses)) > 2:
        lines.append(
            f"Every clip has a gloss of its own, as its folder is called ({some(map(repr, glosses))}). If those "
            "are names of clips, write a table with the columns file and gloss."
        )
    if spellings := several_spellings(glosses, "gloss", "glosses"):
        lines.append(f"{spellings}. `--fold-glosses` (fold_glosses: true) joins them.")
    writer.notes = (
        [f"{name}: {line}" for line in warnings]
        + writer.notes
        + [f"{name}: {line}" for line in lines]
    )


def _inputs(source: Opened) -> dict[str, str]:
    """Names of the files that were read, each with its sha256."""
    hashes = dict(source.hashes)
    if source.folder.is_dir():
        files = {file for row in source.rows if row.unit is not None for file in row.unit.files}
        for file in sorted(files - set(hashes)):
            hashes[file] = sha256_of(source.folder / file)
    else:
        hashes = {source.folder.name: sha256_of(source.folder)}
    for table in source.tables:
        if table.is_file():  # not of the archive's own
            hashes[table.name] = sha256_of(table)
    return few_hashes(hashes)
