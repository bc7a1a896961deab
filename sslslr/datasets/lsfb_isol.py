"""LSFB-ISOL: French Belgian Sign Language, isolated signs by 99 signers.

Fink et al., IJCNN 2021. Fetched by the authors' package `lsfb-dataset` (`_lsfb_client.py`). The poses
are MediaPipe's, by default the cleaned ones (interpolated and smoothed by the authors). The body has
the first joints of MediaPipe's 33 (the number of files differs from what is documented), the rest
stays missing. The split is the authors' and signer-independent: folds 2 to 4 train, 0 and 1 test.
`labels` keeps the most frequent signs, as the paper's 500.
"""

from pathlib import Path

import numpy as np
from pydantic import Field

from sslslr.checksums import Checksums, Sum, locked
from sslslr.clips import ClipWriter
from sslslr.datasets import _lsfb_client as client
from sslslr.datasets import register
from sslslr.datasets._openhands import ClipError, normalised
from sslslr.download import link_or_copy
from sslslr.errors import UserError
from sslslr.files import sha256_of, write_text
from sslslr.membership import digest
from sslslr.npz import plain_array
from sslslr.progress import advancing
from sslslr.skeleton import from_parts
from sslslr.strict import Strict
from sslslr.transfer import Settings

TRAITS = {"downloads": True}
LIST = "files.sha256"  # written last: without it the folder is not whole


class Options(Strict):
    labels: int | None = Field(
        500, ge=2, description="Number of signs, the most frequent first; null: all 4,657."
    )
    raw_poses: bool = Field(False, description="MediaPipe's poses without the authors' cleaning.")
    source: str | None = Field(
        None, description="Address of a mirror, or a folder that was downloaded before."
    )


@register
class LsfbIsol:
    Options = Options
    size = "about 2 GB for 500 labels"
    consent = "CC-BY-NC-SA-4.0"
    card = {  # noqa: RUF012
        "languages": ["sfb"],
        "licence": "CC BY-NC-SA 4.0 (CC BY 4.0 is stated too; the stricter counts)",
        "citation": "Fink et al., LSFB-CONT and LSFB-ISOL: Two New Datasets for Vision-Based Sign "
        "Language Recognition, IJCNN 2021",
        "origin": f"{client.SOURCE}, through {client.PACKAGE}",
        "split_rule": "official, signer-independent: folds 2-4 train, folds 0-1 test",
    }

    @staticmethod
    def inputs(options: Options) -> list[Path]:
        return []

    @staticmethod
    def download(options: Options, raw: Path, settings: Settings) -> None:
        if options.source is not None and "://" not in options.source:
            folder = Path(options.source).expanduser()
            if not (folder / client.INSTANCES).is_file():
                raise UserError(f"{folder}: holds no {client.INSTANCES} (options.source).")
            _finish(folder, options, raw, settings)
            return
        cache = (settings.cache or raw.parent / ".downloads") / "lsfb_isol"
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / ".lock", lambda: settings.say(f"{cache}: in use; waiting.")):
            absent = client.fetch(
                cache, options.source, options.labels, options.raw_poses, settings
            )
            if absent:
                settings.say(f"lsfb_isol: the server lacks {len(absent)} files, e.g. {absent[0]}.")
            _finish(cache, options, raw, settings)

    @staticmethod
    def build(options: Options, raw: Path | None, writer: ClipWriter) -> None:
        if raw is None or not (raw / LIST).is_file():
            raise UserError(
                f"{raw or 'no folder'}: {LIST} not found, so the download is not whole. Fetch with "
                "`sslslr data download --source lsfb_isol --raw DIR`, then build with the same --raw."
            )
        writer.card["inputs"] = {LIST: sha256_of(raw / LIST)}
        if options.raw_poses:
            writer.card["origin"] += "; raw poses"
        signs, instances = client.read_signs(raw, options.labels), client.read_instances(raw)
        ids = [(i, split) for split in client.SPLITS for i in client.read_split(raw, split)]
        seen: set[str] = set()
        with advancing(f"{writer.card['dataset']}: clips", len(ids)) as advance:
            for clip_id, split in ids:
                advance(1)
                if clip_id not in instances:
                    writer.drop(clip_id, f"no row in {client.INSTANCES}", split, found=False)
                elif instances[clip_id][0] in signs and clip_id in seen:
                    writer.drop(f"{clip_id} (again)", "listed twice", split)
                elif instances[clip_id][0] in signs:
                    seen.add(clip_id)
                    _add(writer, raw, options, clip_id, instances[clip_id], split)


def _add(
    writer: ClipWriter, raw: Path, options: Options, clip_id: str, row: tuple[str, str], split: str
) -> None:
    poses = "poses_raw" if options.raw_poses else "poses"
    try:
        frames = read_clip(raw / poses, clip_id)
    except FileNotFoundError as error:
        writer.drop(clip_id, f"no file at the source: {error}", split, found=False)
    except (ClipError, ValueError) as error:
        writer.drop(clip_id, str(error), split)
    else:
        gloss, signer = row
        writer.add(
            clip_id,
            frames,
            gloss=gloss,
            language="sfb",
            signer=signer,
            split=split,
            fps=50.0,
            source=f"{poses}/*/{clip_id}.npy",
        )


def read_clip(poses: Path, clip_id: str) -> np.ndarray:
    """Body and hands of a clip, (frames, 75, 2), NaN where a joint is missing.

    Raises:
        FileNotFoundError: names the part that has no file.
        ClipError: a part of another shape, or parts of different lengths.
    """
    parts = {}
    for part in client.PARTS:
        file = poses / part / f"{clip_id}.npy"
        if not client.PLAIN.fullmatch(clip_id) or not file.is_file():
            raise FileNotFoundError(part)
        points = plain_array(file.read_bytes())
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


def _finish(folder: Path, options: Options, raw: Path, settings: Settings) -> None:
    """Check the files against the lock and give them their names in `raw`, the list last."""
    poses = "poses_raw" if options.raw_poses else "poses"
    signs, instances = client.read_signs(folder, options.labels), client.read_instances(folder)
    ids = {i for split in client.SPLITS for i in client.read_split(folder, split)}
    wanted = sorted(i for i in ids if i in instances and instances[i][0] in signs)
    names = [
        f"{poses}/{part}/{i}.npy"
        for i in wanted
        for part in client.PARTS
        if client.PLAIN.fullmatch(i)
    ]
    present = [name for name in (*client.METADATA, *names) if (folder / name).is_file()]
    if len(present) <= len(client.METADATA):
        raise UserError(f"{folder}: not one of {len(names)} pose files is there.")
    lines, size = [], 0
    with advancing("sha256 of files", len(present)) as advance:
        for name in present:
            lines.append(f"{sha256_of(folder / name)}  {name}")
            size += (folder / name).stat().st_size
            advance(1)
    key = f"{client.SOURCE}#{poses},labels={options.labels or 'all'}"
    advice = f"Remove {folder} and fetch again."
    Checksums(settings.checksums).verify_sum(key, Sum(digest(lines), size), str(folder), advice)
    for name in present:
        link_or_copy(folder / name, raw / name)
    write_text(raw / LIST, "".join(f"{line}\n" for line in lines))
