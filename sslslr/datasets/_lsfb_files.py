"""The files of LSFB-ISOL: its lists, and one `.npy` a part of a clip."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np

from sslslr.checksums import Checksums, Sum
from sslslr.datasets._openhands import ClipError, normalised
from sslslr.download import link_or_copy
from sslslr.errors import UserError
from sslslr.files import sha256_of, write_text
from sslslr.http_client import Settings
from sslslr.membership import digest
from sslslr.npz import plain_array
from sslslr.progress import advancing
from sslslr.skeleton import from_parts

PACKAGE = "lsfb-dataset==2.0.1"
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
    found: dict[str, tuple[str, str]] = {}
    for clip_id, sign, signer in _table(folder / INSTANCES, ("id", "sign", "signer")):
        found.setdefault(clip_id, (sign, signer))
    return found


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
        ClipError: a part that is damaged or of another shape, or parts of different lengths.
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
    return normalised(from_parts(parts["left_hand"], parts["right_hand"], body), None)


def finish(
    folder: Path, labels: int | None, raw_poses: bool, raw: Path, settings: Settings
) -> None:
    """Check the files against the lock and give them their names in `raw`, the list last."""
    poses = "poses_raw" if raw_poses else "poses"
    signs, instances = read_signs(folder, labels), read_instances(folder)
    ids = {i for split in SPLITS for i in read_split(folder, split)}
    wanted = sorted(i for i in ids if i in instances and instances[i][0] in signs)
    names = [f"{poses}/{part}/{i}.npy" for i in wanted for part in PARTS if PLAIN.fullmatch(i)]
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
