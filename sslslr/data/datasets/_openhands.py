"""What the sets of Zenodo record 6674324 share: keypoints of OpenHands, one pickle a clip.

Selvaraj et al., "OpenHands: Making Sign Language Recognition Accessible with Pose-based Pretrained
Models across Languages", ACL 2022. Pickles (`sslslr/data/readers/openhands.py`) are read straight out
of the archive, so that nothing is unpacked.
"""

import contextlib
import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from pydantic import Field

from sslslr.config.settings import Settings
from sslslr.data.conversion.clip import to_clip_alone
from sslslr.data.conversion.plan import Conversion
from sslslr.data.datasets import Dataset
from sslslr.data.readers import ClipError
from sslslr.data.readers._unpickle import UnsafePickle
from sslslr.data.readers.openhands import OpenHands as OpenHandsPickle
from sslslr.data.store import ClipWriter
from sslslr.utils.archives import MemberError, Members, open_members
from sslslr.utils.download.fetch import File, fetch, mirrored, place
from sslslr.utils.download.http import DownloadSettings
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of
from sslslr.utils.progress import advancing

RECORD = "https://zenodo.org/record/6674324/files/"
# The commit that these files were looked up at: a branch would change under the checksums.
ASSETS = "https://raw.githubusercontent.com/AI4Bharat/OpenHands/{}/openhands/datasets/assets/"
FOUND_BY = "MediaPipe Holistic keypoints by OpenHands (Zenodo 6674324)"


class Options(Settings):
    mirror: str | None = Field(
        None, description="Address or folder that holds files of the same names, instead of theirs."
    )
    files: dict[str, str] = Field(
        {}, description="Single files: name to an address, or to a copy that you have."
    )
    min_confidence: float = Field(
        0.0, ge=0, le=1, description="Joints found with less confidence count as missing."
    )


@dataclass(frozen=True)
class Listed:
    """A clip that the official lists name; `path` is its file's, without ending, if not its id."""

    clip_id: str
    gloss: str
    split: str
    signer: str | None = None
    path: str | None = None


def raw_folder(source: str, raw: Path | None, files: Sequence[File]) -> Path:
    """`raw`, if all files are there.

    Raises:
        UserError: says what is missing and how to fetch it.
    """
    absent = [file.name for file in files if raw is None or not (raw / file.name).is_file()]
    if raw is None or absent:
        raise UserError(
            f"{raw or 'no folder'}: {', '.join(absent)} not found. Fetch with `sslslr data download "
            f"--source {source} --raw DIR`, then build with the same --raw."
        )
    return raw


def text_of(file: Path) -> str:
    """A text file, UTF-8 with or without a mark at its beginning."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as text ({error}).") from None


def rows_of(file: Path, columns: int, delimiter: str = ",") -> list[list[str]]:
    """A list's rows, stripped; empty lines are passed over.

    Raises:
        UserError: a row with fewer columns or an empty cell, by its line.
    """
    rows, reader = [], csv.reader(io.StringIO(text_of(file)), delimiter=delimiter)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if len(cells) < columns or not all(cells[:columns]):
                raise UserError(
                    f"{file}, line {reader.line_num}: expected {columns} columns, found {row[:columns]}."
                )
            rows.append(cells)
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}: not a table ({error}).") from None
    if not rows:
        raise UserError(f"{file}: is empty.")
    return rows


def read_clip(data: bytes, min_confidence: float = 0.0) -> dict[str, Any]:
    """A clip of a published set of OpenHands, from the bytes of its pickle.

    Returns:
        keypoints: float32 (frames, 75, 2) in the store's order, NaN where nothing was found;
        aspect: width / height of the image, None where the pickle does not say.

    Raises:
        UnsafePickle: the pickle wants more than to hold numbers.
        ClipError: it holds something else than keypoints.
    """
    raw = OpenHandsPickle.read(data, "")
    if raw.layout is None or raw.points.ndim != 3:
        raise ClipError(f"keypoints of shape {raw.points.shape}, not OpenHands' (frames, 75, 3)")
    clip = to_clip_alone(raw, Conversion(min_confidence=min_confidence))
    return {"keypoints": clip["keypoints"], "aspect": clip["aspect"]}


def download(
    name: str, files: Sequence[File], options: Any, raw: Path, settings: DownloadSettings
) -> None:
    """Fetch a set's files into the cache, then give them their names in `raw`."""
    cache = (settings.cache or raw.parent / ".downloads") / name
    place(fetch(mirrored(files, options.mirror, options.files), cache, settings), raw)


class OpenHands(Dataset):
    """A set whose keypoints are an archive of OpenHands, and whose clips are in official lists.

    Attributes:
        language: ISO 639-3.
        fps, aspect: of the recordings, where they are known.
        sources: what is downloaded, where options change nothing: the archive, then the lists.
    """

    downloads = True
    Options: ClassVar[type[Options]] = Options
    language: ClassVar[str]
    fps: ClassVar[float | None] = None
    aspect: ClassVar[float | None] = None
    sources: ClassVar[list[File]]

    @classmethod
    def files(cls, options: Any) -> list[File]:
        """What is downloaded: the archive first, then the official lists."""
        return cls.sources

    @classmethod
    def listed(cls, options: Any, folder: Path) -> Iterable[Listed]:
        """The clips that the official lists in `folder` name."""
        raise NotImplementedError

    @classmethod
    def download(cls, options: Any, raw: Path, settings: DownloadSettings) -> None:
        download(cls.name, cls.files(options), options, raw, settings)

    @classmethod
    def build(cls, options: Any, raw: Path | None, writer: ClipWriter) -> None:
        """Add the clips that the official lists name; what is missing or bad is dropped and counted."""
        files = cls.files(options)
        folder = raw_folder(cls.name, raw, files)
        writer.card["inputs"] = {file.name: sha256_of(folder / file.name) for file in files}
        clips = list(cls.listed(options, folder))
        seen: set[str] = set()
        title = f"{writer.card['dataset']}: clips"
        archive = folder / files[0].name
        with opened(archive, writer) as members, advancing(title, len(clips)) as advance:
            find = Finder(members.names, ".pkl")
            for clip in clips:
                advance(1)
                if clip.clip_id in seen:
                    writer.drop(f"{clip.clip_id} (again)", "listed twice", clip.split)
                    continue
                seen.add(clip.clip_id)
                try:
                    name = find(clip.path or clip.clip_id)
                    content = read_clip(members.read(name), options.min_confidence)
                except FileNotFoundError:
                    writer.drop(clip.clip_id, "no file in the archive", clip.split, found=False)
                except MemberError as error:
                    writer.drop(clip.clip_id, f"its file {error.why}", clip.split)
                except (UnsafePickle, ClipError) as error:
                    writer.drop(clip.clip_id, str(error), clip.split)
                else:
                    content["aspect"] = content["aspect"] or cls.aspect
                    writer.add(
                        clip.clip_id,
                        **content,
                        gloss=clip.gloss,
                        language=cls.language,
                        signer=clip.signer,
                        split=clip.split,
                        fps=cls.fps,
                        source=name,
                    )


@contextlib.contextmanager
def opened(archive: Path, writer: ClipWriter) -> Iterator[Members]:
    """The archive's members, or those of the archive of pickles within it (INCLUDE has one)."""
    with contextlib.ExitStack() as stack:
        members = stack.enter_context(open_members(archive))
        if not any(name.endswith(".pkl") for name in members.names):
            scratch = stack.enter_context(writer.scratch())
            for number, name in enumerate(n for n in members.names if n.endswith(".zip")):
                members.save(name, scratch / f"{number}.zip")
                inner = stack.enter_context(open_members(scratch / f"{number}.zip"))
                if any(name.endswith(".pkl") for name in inner.names):
                    members = inner
                    break
        yield members


class Finder:
    """Finds a file by the end of its path, whatever folders the archive puts before it."""

    def __init__(self, names: Iterable[str], ending: str):
        self._paths = [
            (_parts(name.removesuffix(ending)), name) for name in names if name.endswith(ending)
        ]
        self._tables: dict[int, dict[tuple[str, ...], list[str]]] = {}

    def __call__(self, path: str) -> str:
        """The member's name.

        Raises:
            FileNotFoundError: there is none.
            ClipError: there are several.
        """
        wanted = _parts(path)
        if len(wanted) not in self._tables:
            table: dict[tuple[str, ...], list[str]] = {}
            for parts, name in self._paths:
                table.setdefault(parts[-len(wanted) :], []).append(name)
            self._tables[len(wanted)] = table
        found = self._tables[len(wanted)].get(wanted, [])
        if not found:
            raise FileNotFoundError(path)
        if len(found) > 1:
            raise ClipError("several files of this name in the archive")
        return found[0]


def _parts(path: str) -> tuple[str, ...]:
    # An accent may be one character or two, by the system that packed the archive.
    return PurePosixPath(unicodedata.normalize("NFC", path)).parts
