"""The files of LSFB-ISOL: its lists, and one `.npy` a part of a clip."""

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sslslr.data.conversion.units import LARGEST
from sslslr.data.membership import digest
from sslslr.data.readers import ClipError
from sslslr.data.readers.npz import plain_array
from sslslr.pose.skeleton import from_parts
from sslslr.utils.download.addresses import public
from sslslr.utils.download.checksums import Checksums, Sum
from sslslr.utils.download.fetch import File, fetch, link_or_copy
from sslslr.utils.download.http import DownloadSettings
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of, write_text
from sslslr.utils.progress import advancing
from sslslr.utils.user_files import shown

SOURCE = "https://lsfb.info.unamur.be/static/datasets/lsfb_v2/isol"
PARTS = ("pose", "left_hand", "right_hand")
SPLITS = ("train", "test")
SIGNS, INSTANCES = "metadata/sign_to_index.csv", "instances.csv"
METADATA = (*(f"metadata/splits/{split}.json" for split in SPLITS), SIGNS, INSTANCES)
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,200}")
LIST = "files.sha256"  # written last: without it a folder is not whole


def read_signs(folder: Path, labels: int | None) -> set[str]:
    """The signs of index below `labels` (the most frequent come first); all for None."""
    rows = _table(folder / SIGNS, (None, None))  # by place, as the authors' package reads it
    try:
        return {row[0] for row in rows if labels is None or 0 <= int(row[1]) < labels}
    except ValueError as error:
        raise UserError(f"{folder / SIGNS}: {error}.") from None


def read_instances(folder: Path) -> dict[str, tuple[str, str]]:
    """Clip id to (sign, signer), of instances.csv; a second row of an id is passed over."""
    instances: dict[str, tuple[str, str]] = {}
    for clip_id, sign, signer in _table(folder / INSTANCES, ("id", "sign", "signer")):
        instances.setdefault(clip_id, (sign, signer))
    return instances


def read_split(folder: Path, split: str) -> list[str]:
    """The ids of a split, in the official order."""
    file = folder / f"metadata/splits/{split}.json"
    try:
        ids = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read ({error}).") from None
    if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
        raise UserError(f"{file}: expected a list of ids.")
    return ids


def _table(file: Path, columns: tuple[str | None, ...]) -> list[list[str]]:
    """Cells of the named columns; a column without a name is taken by its place."""
    try:
        rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: cannot be read ({error}).") from None
    header = rows[0] if rows else []
    if absent := [name for name in columns if name is not None and name not in header]:
        raise UserError(f"{file}: column {absent[0]!r} is missing; found {header[:8]}.")
    places = [i if name is None else header.index(name) for i, name in enumerate(columns)]
    if any(len(row) <= max(places) for row in rows[1:] if row):
        raise UserError(f"{file}: a row has fewer columns than the header.")
    return [[row[place] for place in places] for row in rows[1:] if row]


def read_clip(poses: Path, clip_id: str) -> np.ndarray:
    """Body and hands of a clip, (frames, 75, 2), NaN where a joint is missing.

    Raises:
        FileNotFoundError: names the part that has no file.
        ClipError: a part that is damaged or of another shape, parts of different lengths, or pixels.
    """
    parts = {}
    for part in PARTS:
        file = poses / part / f"{clip_id}.npy"
        if not PLAIN.fullmatch(clip_id) or not file.is_file():
            raise FileNotFoundError(part)
        try:
            points = plain_array(file.read_bytes())
        except (ValueError, EOFError):
            raise ClipError(f"{part}: not a sound .npy file") from None
        joints = (21,) if part != "pose" else range(13, 34)
        good = points.ndim == 3 and points.shape[1] in joints and points.shape[2] in (2, 3)
        if not good or points.dtype.kind != "f":
            raise ClipError(f"{part}: {points.dtype} of shape {points.shape[1:]} a frame")
        points = points[..., :2].astype(np.float32)
        points[(points == 0).all(axis=-1)] = np.nan
        parts[part] = points
    if len({len(points) for points in parts.values()}) > 1:
        raise ClipError("its parts have different numbers of frames")
    body = np.full((len(parts["pose"]), 33, 2), np.nan, dtype=np.float32)
    body[:, : parts["pose"].shape[1]] = parts["pose"]
    frames = from_parts(parts["left_hand"], parts["right_hand"], body)
    seen = frames[np.isfinite(frames)]
    if len(seen) and np.median(np.abs(seen)) > LARGEST:
        raise ClipError("coordinates in pixels, without the image's size to divide them by")
    return frames


def pose_names(folder: Path, labels: int | None, poses: str) -> list[str]:
    """The pose files of the clips of the wanted signs, sorted, from the metadata in `folder`.

    Raises:
        UserError: an id that is no plain name, which could lead elsewhere.
    """
    signs, instances = read_signs(folder, labels), read_instances(folder)
    ids = {clip_id for split in SPLITS for clip_id in read_split(folder, split)}
    if bad := sorted(clip_id for clip_id in ids if not PLAIN.fullmatch(clip_id)):
        raise UserError(f"{folder}: clip id {shown(bad[0])!r} is no plain name; refused.")
    wanted = sorted(i for i in ids if i in instances and instances[i][0] in signs)
    return [f"{poses}/{part}/{clip_id}.npy" for clip_id in wanted for part in PARTS]


def fetch_files(
    folder: Path, source: str | None, labels: int | None, poses: str, settings: DownloadSettings
) -> None:
    """Bring the metadata and the wanted pose files into `folder`; goes on where it stopped.

    A clip that the server lacks does not stop the others: building the store counts it.

    Raises:
        UserError: metadata that cannot be had; or poses, after which the rest is there.
    """
    place = (source or SOURCE).rstrip("/")

    def get(names: Sequence[str]) -> list[Path]:
        files = [File(name, f"{SOURCE}/{name}", f"{place}/{name}") for name in names]
        # One line of the checksums is for all (`finish`): there may be three hundred thousand files.
        return fetch(files, folder, settings, missing="list", recorded=False, check=check_content)

    there = get(METADATA)
    if absent := [name for name in METADATA if folder / name not in there]:
        raise UserError(
            f"{public(place)}/{absent[0]}: not there (404, or a web page instead of the file). "
            "Is `source` the folder that holds instances.csv?"
        )
    get(pose_names(folder, labels, poses))


def check_content(file: Path) -> None:
    """Raise ValueError where a received file is not what its name says."""
    if ".npy" in file.suffixes:
        plain_array(file.read_bytes())
    elif ".json" in file.suffixes:
        json.loads(file.read_bytes())
    elif b"\n" not in file.read_bytes():
        raise ValueError("no table")


def finish(
    folder: Path, labels: int | None, poses: str, raw: Path, settings: DownloadSettings
) -> None:
    """Check the files against the lock and give them their names in `raw`, the list last."""
    names = pose_names(folder, labels, poses)
    present = [name for name in (*METADATA, *names) if (folder / name).is_file()]
    if len(present) <= len(METADATA):
        raise UserError(f"{folder}: not one of {len(names)} pose files is there.")
    lines, size = [], 0
    with advancing("sha256 of files", len(present)) as advance:
        for name in present:
            lines.append(f"{sha256_of(folder / name)}  {name}")
            size += (folder / name).stat().st_size
            advance(1)
    key = f"{SOURCE}#{poses},labels={labels or 'all'}"
    advice = f"Remove {folder} and fetch again."
    Checksums(settings.checksums).verify_sum(key, Sum(digest(lines), size), str(folder), advice)
    for name in present:  # sealed by the list alone: there may be a hundred thousand
        link_or_copy(folder / name, raw / name)
    write_text(raw / LIST, "".join(f"{line}\n" for line in lines))
