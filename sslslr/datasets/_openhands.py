"""What the sets of Zenodo record 6674324 share: keypoints of OpenHands, one pickle a clip.

Selvaraj et al., "OpenHands: Making Sign Language Recognition Accessible with Pose-based Pretrained
Models across Languages", ACL 2022. A pickle holds `keypoints` (frames, 75, 3: x and y divided by the
image's width and height, and a depth that is dropped), in the order body 33, left hand 21, right hand
21, `confidences` (frames, 75), and in some sets `vid_shape` (height, width). What was not found is
zero with confidence zero. Pickles are read by `sslslr/unpickle.py`, which runs nothing of them, and
straight out of the archive, so that nothing is unpacked.
"""

import contextlib
import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pydantic import Field

from sslslr.archives import MemberError, Members, open_members
from sslslr.clips import ClipWriter
from sslslr.download import File, fetch, mirrored, place
from sslslr.errors import UserError
from sslslr.files import sha256_of
from sslslr.http_client import Settings
from sslslr.progress import advancing
from sslslr.skeleton import from_parts
from sslslr.strict import Strict
from sslslr.unpickle import UnsafePickle, load

RECORD = "https://zenodo.org/record/6674324/files/"
# The commit that these files were looked up at: a branch would change under the checksums.
ASSETS = "https://raw.githubusercontent.com/AI4Bharat/OpenHands/{}/openhands/datasets/assets/"
LAYOUTS = {75: 33, 543: 501}  # joints: where the hands begin (543 has a face between)
LARGEST = 2.0  # coordinates of an image lie in 0..1, a little more where a joint is outside of it
FOUND_BY = "MediaPipe Holistic keypoints by OpenHands (Zenodo 6674324)"


class Options(Strict):
    mirror: str | None = Field(
        None, description="Address or folder that holds files of the same names, instead of theirs."
    )
    files: dict[str, str] = Field(
        {}, description="Single files: name to an address, or to a copy that you have."
    )
    min_confidence: float = Field(
        0.0, ge=0, le=1, description="Joints found with less confidence count as missing."
    )


class ClipError(UserError):
    """A clip that cannot be used, with the reason that is listed."""


@dataclass(frozen=True)
class Listed:
    """A clip that the official lists name; `path` is its file's, without ending, if not its id."""

    clip_id: str
    gloss: str
    split: str
    signer: str | None = None
    path: str | None = None


def download(
    source: str, files: Sequence[File], options: Options, raw: Path, settings: Settings
) -> None:
    """Fetch into the cache, then give the files their names in `raw`."""
    cache = (settings.cache or raw.parent / ".downloads") / source
    place(fetch(mirrored(files, options.mirror, options.files), cache, settings), raw)


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


def build(
    writer: ClipWriter,
    archive: Path,
    lists: Sequence[Path],
    listed: Iterable[Listed],
    *,
    language: str,
    min_confidence: float,
    fps: float | None = None,
    aspect: float | None = None,
) -> None:
    """Add the clips that the official lists name; what is missing or bad is dropped and counted.

    Args:
        archive: the zip (or a folder) of pickles.
        lists: the files that `listed` was read from, for the card.
        fps, aspect: of the recordings, where they are known.
    """
    writer.card["inputs"] = {file.name: sha256_of(file) for file in (archive, *lists)}
    listed = list(listed)
    seen: set[str] = set()
    title = f"{writer.card['dataset']}: clips"
    with opened(archive, writer) as members, advancing(title, len(listed)) as advance:
        find = Finder(members.names, ".pkl")
        for clip in listed:
            advance(1)
            if clip.clip_id in seen:
                writer.drop(f"{clip.clip_id} (again)", "listed twice", clip.split)
                continue
            seen.add(clip.clip_id)
            try:
                name = find(clip.path or clip.clip_id)
                found = read_clip(members.read(name), min_confidence)
            except FileNotFoundError:
                writer.drop(clip.clip_id, "no file in the archive", clip.split, found=False)
            except MemberError as error:
                writer.drop(clip.clip_id, f"its file {error.why}", clip.split)
            except (UnsafePickle, ClipError) as error:
                writer.drop(clip.clip_id, str(error), clip.split)
            else:
                found["aspect"] = found["aspect"] or aspect
                writer.add(
                    clip.clip_id,
                    **found,
                    gloss=clip.gloss,
                    language=language,
                    signer=clip.signer,
                    split=clip.split,
                    fps=fps,
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


def read_clip(data: bytes, min_confidence: float = 0.0) -> dict[str, Any]:
    """A clip from the bytes of its pickle.

    Returns:
        keypoints: float32 (frames, 75, 2) in the store's order, NaN where nothing was found;
        aspect: width / height of the image, None where the pickle does not say.

    Raises:
        UnsafePickle: the pickle wants more than to hold numbers.
        ClipError: it holds something else than keypoints.
    """
    held = load(data)
    if not isinstance(held, dict) or not isinstance(held.get("keypoints"), np.ndarray):
        raise ClipError("the pickle holds no array called keypoints")
    points = held["keypoints"]
    if points.ndim != 3 or points.shape[1] not in LAYOUTS or points.shape[2] not in (2, 3):
        raise ClipError(f"keypoints of shape (frames, {', '.join(map(str, points.shape[1:]))})")
    confidence = held.get("confidences", np.ones(points.shape[:2]))
    if (
        not isinstance(confidence, np.ndarray)
        or confidence.size != points.shape[0] * points.shape[1]
    ):
        raise ClipError("confidences that do not go with the keypoints")
    confidence = confidence.reshape(points.shape[:2])
    with np.errstate(all="ignore"):
        xy = points[..., :2].astype(np.float32)
        present = (confidence > 0) & (confidence >= min_confidence) & (xy != 0).any(axis=-1)
    xy[~present] = np.nan
    size = _image_size(held.get("vid_shape"))
    hands = LAYOUTS[points.shape[1]]
    frames = from_parts(xy[:, hands : hands + 21], xy[:, hands + 21 :], xy[:, :33])
    return {
        "keypoints": normalised(frames, size),
        "aspect": size[0] / size[1] if size else None,
    }


def _image_size(shape: Any) -> tuple[int, int] | None:
    """(width, height) of `vid_shape`, (height, width); None where it is not two such numbers."""
    try:
        height, width = (int(number) for number in tuple(shape)[:2])
    except (TypeError, ValueError, OverflowError):
        return None
    return (width, height) if 0 < width < 100_000 and 0 < height < 100_000 else None


def normalised(frames: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Coordinates in image widths and heights, also where the file has pixels and the image's size.

    Raises:
        ClipError: pixels, and no size to divide them by.
    """
    seen = frames[np.isfinite(frames)]
    if len(seen) == 0 or np.median(np.abs(seen)) <= LARGEST:
        return frames
    if size is None:
        raise ClipError("coordinates in pixels, without the image's size to divide them by")
    return frames / np.array(size, dtype=np.float32)
