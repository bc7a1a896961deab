"""Clips from wherever a person has them: a clip store, keypoint files of any readable format, videos.

    with clips_of("my_videos/", backend="mediapipe") as clips:
        clips.store, clips.unlabelled

What is no clip store becomes one in a temporary folder, by the same readers as `sslslr data import` and
`sslslr pose extract`. Without a table and without a folder a gloss the clips have no gloss.
"""

import csv
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sslslr.data.source import TABLES, table_of, units_of
from sslslr.data.store import CARD, ClipStore, writing
from sslslr.pose.shards import SUFFIXES
from sslslr.utils.archives import ENDINGS, open_members
from sslslr.utils.errors import UserError
from sslslr.utils.progress import Log, progress_bar, say

NO_GLOSS = "not stated"
# Files that hold nothing but keypoints: .json and .csv may be anything.
KEYPOINTS = (".pose", ".npy", ".npz", ".h5", ".hdf5")


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

    def labelled(self, path: str | Path) -> ClipStore:
        """The store, of clips whose signs are known.

        Raises:
            UserError: nobody said which clip of `path` is which sign.
        """
        if self.unlabelled:
            raise UserError(
                f"{path}: nothing says which clip is which sign. Add labels.csv (file, gloss), or a "
                "folder for each sign."
            )
        return self.store


@contextmanager
def clips_of(
    path: str | Path, backend: str = "mediapipe", table: Path | None = None, log: Log = say
) -> Iterator[Clips]:
    """The clips at `path`: a clip store, a folder or archive of keypoints or of videos, or one file.

    Args:
        backend: the pose extractor of videos (mediapipe, mmpose; installed by `make pose`).
        table: csv of the clips (file, gloss, ...); without it, labels.csv and the like in the folder.

    Raises:
        UserError: there is nothing, or nothing that can be read.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder of clips.")
    if (path / CARD).is_file() and table is None:
        yield Clips(ClipStore.open(path))
        return
    with tempfile.TemporaryDirectory(prefix="sslslr_") as folder:
        work = Path(folder)
        source = path
        if path.is_file() and not path.name.lower().endswith(ENDINGS):
            source = work / "one"
            source.mkdir()
            shutil.copyfile(path, source / path.name)
        table = table_of(source, str(table) if table else None)
        videos = _is_of_videos(source, table, log)
        if table is None:
            table = _without_glosses(work / TABLES[0], _unlabelled(source, videos))
        (_from_videos if videos else _from_keypoints)(source, table, work, backend, log)
        store = ClipStore.open(work / "clips")
        unlabelled = bool((store.clips["gloss"] == NO_GLOSS).all())
        yield Clips(store, unlabelled, list(store.card["dropped"].get("clips", [])))


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


def _rows(table: Path) -> list[dict[str, str]]:
    with open(table, newline="", encoding="utf-8-sig", errors="replace") as stream:
        return list(csv.DictReader(stream))


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
    return {} if any("/" in name for name in glosses) else dict(sorted(glosses.items()))


def _without_glosses(file: Path, glosses: dict[str, str]) -> Path | None:
    if not glosses:
        return None
    with open(file, "w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "gloss"])
        rows.writerows(glosses.items())
    return file


def _from_keypoints(source: Path, table: Path | None, work: Path, backend: str, log: Log) -> None:
    from sslslr.data.import_keypoints import import_clips
    from sslslr.data.opened import Options

    options = Options(folder=str(source), table=str(table) if table else None)
    card = {"dataset": "clips", "inputs": {}}
    with writing(work / "clips", card, on_bad="drop", min_frames=1) as writer:
        import_clips(options, writer)
    for line in writer.notes:
        log(line)


def _from_videos(source: Path, table: Path | None, work: Path, backend: str, log: Log) -> None:
    from sslslr.data.datasets._extract_folder import extract_folder

    values = {"folder": str(source), "table": str(table) if table else None, "backend": backend}

    def lasting(
        line: str,
    ) -> None:  # what lies in the temporary folder cannot be looked at afterwards
        if str(work) not in line:
            log(line)

    with progress_bar("videos") as progress:
        extract_folder("clips", values, work / "clips", work / "videos", progress, lasting)
