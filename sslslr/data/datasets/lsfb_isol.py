"""LSFB-ISOL: French Belgian Sign Language, isolated signs by 99 signers.

Fink et al., IJCNN 2021. A list of files, three a clip (`_lsfb_files.py`). The poses are MediaPipe's, by
default the cleaned ones (interpolated and smoothed by the authors). The body has the first joints of
MediaPipe's 33 (the number of files differs from what is documented), the rest stays missing. The split
is the authors' and signer-independent: folds 2 to 4 train, 0 and 1 test. `labels` keeps the most
frequent signs, as the paper's 500.
"""

from pathlib import Path

from pydantic import Field

from sslslr.config.settings import Settings
from sslslr.data.datasets import Dataset, register
from sslslr.data.datasets import _lsfb_files as files
from sslslr.data.readers import ClipError
from sslslr.data.store import ClipWriter
from sslslr.utils.download.http import DownloadSettings
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of
from sslslr.utils.progress import advancing
from sslslr.utils.user_files import at_home


class LsfbIsolOptions(Settings):
    labels: int | None = Field(
        500, ge=2, description="Number of signs, the most frequent first; null: all 4,657."
    )
    raw_poses: bool = Field(False, description="MediaPipe's poses without the authors' cleaning.")
    source: str | None = Field(
        None, description="Address of a mirror, or a folder that was downloaded before."
    )

    @property
    def poses(self) -> str:
        """Folder of the poses."""
        return "poses_raw" if self.raw_poses else "poses"


@register
class LsfbIsol(Dataset):
    downloads = True
    Options = LsfbIsolOptions
    size = "about 2 GB for 500 labels"
    consent = "CC-BY-NC-SA-4.0"
    card = {  # noqa: RUF012
        "languages": ["sfb"],
        "licence": "CC BY-NC-SA 4.0 (CC BY 4.0 is stated too; the stricter counts)",
        "citation": "Fink et al., LSFB-CONT and LSFB-ISOL: Two New Datasets for Vision-Based Sign "
        "Language Recognition, IJCNN 2021",
        "origin": files.SOURCE,
        "split_rule": "official, signer-independent: folds 2-4 train, folds 0-1 test",
    }

    @staticmethod
    def published(options: LsfbIsolOptions) -> int | None:
        # Of 500 labels the training clips alone are known.
        return {500: 51_066, None: 120_739}.get(options.labels)

    @staticmethod
    def download(options: LsfbIsolOptions, raw: Path, settings: DownloadSettings) -> None:
        if options.source is not None and "://" not in options.source:
            folder = at_home(options.source)
            if not (folder / files.INSTANCES).is_file():
                raise UserError(f"{folder}: holds no {files.INSTANCES} (options.source).")
        else:
            folder = (settings.cache or raw.parent / ".downloads") / "lsfb_isol"
            files.fetch_files(folder, options.source, options.labels, options.poses, settings)
        files.finish(folder, options.labels, options.poses, raw, settings)

    @staticmethod
    def build(options: LsfbIsolOptions, raw: Path | None, writer: ClipWriter) -> None:
        if raw is None or not (raw / files.LIST).is_file():
            raise UserError(
                f"{raw or 'no folder'}: {files.LIST} not found, so the download is not whole. Fetch with "
                "`sslslr data download --source lsfb_isol --raw DIR`, then build with the same --raw."
            )
        writer.card["inputs"] = {files.LIST: sha256_of(raw / files.LIST)}
        if options.raw_poses:
            writer.card["origin"] += "; raw poses"
        signs, instances = files.read_signs(raw, options.labels), files.read_instances(raw)
        ids = [(i, split) for split in files.SPLITS for i in files.read_split(raw, split)]
        seen: set[str] = set()
        with advancing(f"{writer.card['dataset']}: clips", len(ids)) as advance:
            for clip_id, split in ids:
                advance(1)
                if clip_id not in instances:
                    writer.drop(clip_id, f"no row in {files.INSTANCES}", split, found=False)
                elif instances[clip_id][0] in signs and clip_id in seen:
                    writer.drop(f"{clip_id} (again)", "listed twice", split)
                elif instances[clip_id][0] in signs:
                    seen.add(clip_id)
                    _add(writer, raw, options, clip_id, instances[clip_id], split)


def _add(
    writer: ClipWriter,
    raw: Path,
    options: LsfbIsolOptions,
    clip_id: str,
    row: tuple[str, str],
    split: str,
) -> None:
    try:
        frames = files.read_clip(raw / options.poses, clip_id)
    except FileNotFoundError as error:
        writer.drop(clip_id, f"no file at the source: {error}", split, found=False)
    except ClipError as error:
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
            source=f"{options.poses}/*/{clip_id}.npy",
        )
