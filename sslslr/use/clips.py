"""Clips from wherever a person has them: a clip store, keypoint files of any readable format, videos.

    with clips_of("my_videos/", backend="mediapipe") as clips:
        clips.store, clips.unlabelled

What is no clip store becomes one in a temporary folder, by the same readers as `sslslr data import` and
`sslslr pose extract`. Without a table and without a folder a gloss the clips have no gloss.
"""

import csv
import hashlib
import io
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sslslr.data.label_tables import TABLES, table_of
from sslslr.data.source import units_of
from sslslr.data.store import CARD, ClipStore, writing
from sslslr.pose.shards import SUFFIXES
from sslslr.utils.archives import ENDINGS, Limits, open_members
from sslslr.utils.errors import UserError
from sslslr.utils.files import no_temporary_file
from sslslr.utils.progress import Log, progress_bar, say
from sslslr.utils.user_files import at_home, name_fault, open_user_file, read_user_bytes, shown

NO_GLOSS = "not stated"
# Files that hold nothing but keypoints: .json and .csv may be anything.
KEYPOINTS = (".pose", ".npy", ".npz", ".h5", ".hdf5")
# A dictionary (sslslr/use/dictionary.py): what states it, the store of its entries, its encoder.
DICTIONARY, ENTRIES, MODEL = "dictionary.json", "clips", "model"
FOLDER = "folder"  # what the origin of such a store begins with
SHOWN = 10  # clips left out that are named
_NO_SIGNS = "{}: nothing says which clip is which sign. Add labels.csv (file, gloss), or a folder for each sign."


@dataclass(frozen=True)
class Clips:
    """Clips as a store.

    Attributes:
        unlabelled: whether nobody said which clip is which sign; `NO_GLOSS` stands there then.
        dropped: {"clip_id", "reason"} of files that could not be read.
    """

    store: ClipStore
    unlabelled: bool = False
    dropped: list[dict[str, str]] = field(default_factory=list)

    def left_out(self, embedded: Iterable[dict[str, str]] = ()) -> Iterator[str]:
        """A line a clip that could not be read, or not be embedded; ten at most."""
        dropped = [*self.dropped, *embedded]
        for drop in dropped[:SHOWN]:
            yield f"left out: {drop['clip_id']}: {drop['reason']}."
        if len(dropped) > SHOWN:
            yield f"left out: {len(dropped) - SHOWN} more."

    def labelled(self, path: str | Path) -> ClipStore:
        """The store, of clips whose signs are known.

        Raises:
            UserError: nobody said which clip of `path` is which sign.
        """
        if self.unlabelled:
            raise UserError(_NO_SIGNS.format(path))
        return self.store


@contextmanager
def clips_of(
    path: str | Path,
    backend: str = "mediapipe",
    table: Path | None = None,
    log: Log = say,
    labelled: bool = False,
) -> Iterator[Clips]:
    """The clips at `path`: a clip store, a dictionary, a folder or archive of keypoints or of videos, or one file.

    Args:
        backend: the pose extractor of videos (mediapipe, mmpose; installed by `make pose`).
        table: csv of the clips (file, gloss, ...); without it, labels.csv and the like in the folder.
        labelled: refuse clips without signs before they are read: videos take minutes.

    Raises:
        UserError: there is nothing, or nothing that can be read.
    """
    path = at_home(path)
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder of clips.")
    if (path / DICTIONARY).is_file() and (path / ENTRIES / CARD).is_file():
        path /= ENTRIES
    if (path / CARD).is_file() and table is None:
        yield Clips(ClipStore.open(path))
        return
    with tempfile.TemporaryDirectory(prefix="sslslr_") as folder:
        work = Path(folder)
        source = path
        if path.is_file() and not path.name.lower().endswith(ENDINGS):
            source = work / "one"
            source.mkdir()
            with (
                open_user_file(path, Limits().member) as stream,  # as of a file in an archive
                open(source / path.name, "wb") as copy,
            ):
                shutil.copyfileobj(stream, copy)
        table = table_of(source, str(table) if table else None)
        videos = _is_of_videos(source, table, log)
        if table is None:
            glosses = _unlabelled(source, videos)
            if labelled and set(glosses.values()) == {NO_GLOSS}:
                raise UserError(_NO_SIGNS.format(path))
            table = _without_glosses(work / TABLES[0], glosses)
        # A data set's name becomes part of files' names; a folder's may hold anything.
        name = re.sub(r"^\W+|[^\w .+()-]", "_", path.resolve().name)[:100] or "clips"
        try:
            try:
                if videos:
                    _from_videos(name, source, table, work, backend, log)
                else:
                    _from_keypoints(name, source, table, work, None if labelled else NO_GLOSS, log)
            except UserError as error:
                raise UserError(_with_options(str(error), path, videos)) from error.__cause__
            store = ClipStore.open(work / "clips")
            # Two folders may have files of one name: which folder it was tells their clips apart.
            place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
            store.card["origin"] = f"{FOLDER} {place}"
            unlabelled = bool((store.clips["gloss"] == NO_GLOSS).all())
            yield Clips(store, unlabelled, list(store.card["dropped"].get("clips", [])))
        except UserError as error:  # also of the caller: the temporary folder says nothing
            if isinstance(error.__cause__, OSError) and str(work) in str(error):
                raise no_temporary_file(error.__cause__) from None
            reason = (
                str(error).replace(str(work / "clips"), str(path)).replace(str(source), str(path))
            )
            if reason == str(error):
                raise
            raise UserError(reason) from None


def _is_of_videos(source: Path, table: Path | None, log: Log) -> bool:
    """Whether a folder is read as videos; of one that has keypoints as well, its table or what is more decides."""
    if not source.is_dir():
        return False
    files = [file.name.lower() for file in source.rglob("*") if file != table]
    endings = tuple(SUFFIXES)
    videos = sum(name.endswith(endings) for name in files)
    keypoints = sum(name.endswith(KEYPOINTS) for name in files)
    if not videos or not keypoints:
        return videos > 0
    named = [str(row.get("file", "")).lower() for row in _rows(table)] if table else []
    of_videos = any(name.endswith(endings) for name in named)
    of_keypoints = any(name.endswith(KEYPOINTS) for name in named)
    chosen = of_videos if of_videos != of_keypoints else videos > keypoints
    kinds = ("videos", "keypoints") if chosen else ("keypoints", "videos")
    log(
        f"{source}: read as a folder of {kinds[0]}; its {kinds[1]} are left out. Name one to read it alone."
    )
    return chosen


def _with_options(reason: str, path: Path, videos: bool) -> str:
    """The reason why nothing could be read, and which command has the options that it names."""
    if videos or "--" not in reason:
        return reason
    command = f"sslslr data import {shlex.quote(str(path))} --name NAME --out STORE"
    return f"{reason} Such options are those of `{command}`; then give STORE."


def _rows(table: Path) -> list[dict[str, str]]:
    text = read_user_bytes(table).decode("utf-8-sig", "replace")
    try:
        return list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error:  # whoever reads the table for its signs says what is wrong
        return []


def _unlabelled(source: Path, videos: bool) -> dict[str, str]:
    """Clips and their glosses where neither a table nor a folder a gloss says them; else nothing."""
    if videos:
        files = [file for file in source.rglob("*") if file.suffix.lower() in SUFFIXES]
        glosses = {file.relative_to(source).as_posix(): NO_GLOSS for file in files}
    else:
        with open_members(source) as members:
            units, _ = units_of(members)
        glosses = {unit.name: unit.columns.get("gloss") or NO_GLOSS for unit in units}
        if NO_GLOSS not in glosses.values():
            return {}
    for name in glosses:
        if not name.isascii() and (fault := name_fault(name)):  # no table can hold it
            raise UserError(f"{shown(source / name)}: the name {fault}. Rename it.")
    return {} if any("/" in name for name in glosses) else dict(sorted(glosses.items()))


def _without_glosses(file: Path, glosses: dict[str, str]) -> Path | None:
    if not glosses:
        return None
    with open(file, "w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "gloss"])
        rows.writerows(glosses.items())
    return file


def _from_keypoints(
    name: str, source: Path, table: Path | None, work: Path, gloss: str | None, log: Log
) -> None:
    from sslslr.data.import_keypoints import import_clips
    from sslslr.data.opened import Options

    options = Options(folder=str(source), table=str(table) if table else None)
    card = {"dataset": name, "inputs": {}}
    with writing(work / "clips", card, on_bad="drop", min_frames=1) as writer:
        import_clips(options, writer, all_splits=True, gloss=gloss)
    for line in writer.notes:
        log(line)


def _from_videos(
    name: str, source: Path, table: Path | None, work: Path, backend: str, log: Log
) -> None:
    from sslslr.data.datasets._extract_folder import extract_folder

    values = {"folder": str(source), "table": str(table) if table else None, "backend": backend}

    # What lies in the temporary folder cannot be looked at afterwards.
    def lasting(line: str) -> None:
        if str(work) not in line:
            log(line)

    with progress_bar("videos") as progress:
        extract_folder(name, values, work / "clips", work / "videos", progress, lasting)
