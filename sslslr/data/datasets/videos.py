"""Videos of your own, with a csv of labels: keypoints are estimated by a pose backend.

The table has a row a video: `file` (relative to the folder), `gloss`, and where known `clip_id`,
`split`, `signer`, `language`. Without a table every gloss is a sub-folder. The split is the
table's. The workflow estimates keypoints in shards (`extract_keypoints`) and gathers them here.
"""

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from sslslr.data.datasets import Dataset, options_of, register
from sslslr.data.datasets._gather_shards import gather
from sslslr.data.deal import Deal
from sslslr.data.store import ClipWriter
from sslslr.pose.backends import BACKENDS
from sslslr.pose.model import Extraction, backend_options
from sslslr.pose.shards import Entry, list_videos, n_shards
from sslslr.pose.smoothing import Smoothing
from sslslr.utils.errors import UserError


class VideosOptions(Deal):
    folder: str = Field(description="Folder of the videos.")
    table: str | None = Field(
        None, description="csv of the videos; null: a sub-folder a gloss, book/1.mp4."
    )
    backend: str = Field("mmpose", description="Pose model: mmpose, rtmlib, mediapipe.")
    backend_options: dict[str, Any] = Field({}, description="Options of that backend.")
    shard_size: int = Field(50, ge=1, description="Videos a job; a kill loses one job's at most.")
    resample_fps: float | None = Field(
        None, gt=0, description="Bring every video to this rate; null: the frames as they are."
    )
    min_confidence: float | None = Field(
        None, ge=0, le=1, description="Joints below become NaN; null: the backend's default."
    )
    smoothing: Smoothing = Field(Smoothing(), description="Filter over time, none by default.")
    language: str | None = Field(
        None, description="Sign language, ISO 639-3, of rows that name none."
    )
    licence: str = Field("not stated", description="Shown in the card and the report.")
    citation: str = Field("", description="Shown in the card and the report.")

    @model_validator(mode="after")
    def _sound_backend(self) -> "VideosOptions":
        try:
            backend_options(extraction(self))
        except UserError as error:
            raise ValueError(str(error).removesuffix(".")) from None
        return self


def extraction(options: VideosOptions) -> Extraction:
    """The part of the options that decides the estimated keypoints."""
    return Extraction(**options.model_dump(include=set(Extraction.model_fields)))


def listed(options: VideosOptions) -> tuple[list[Entry], list[tuple[str, str]]]:
    """The videos, and files that are no part of the data set; see :func:`list_videos`."""
    return list_videos(Path(options.folder), Path(options.table) if options.table else None)


def shard_folders(options: VideosOptions, raw: Path) -> list[Path]:
    """Where the workflow puts the shards, `raw/0`, `raw/1`, ..."""
    count = n_shards(len(listed(options)[0]), options.shard_size)
    return [raw / str(number) for number in range(count)]


@register
class Videos(Dataset):
    extracts = True
    Options = VideosOptions
    card = {  # noqa: RUF012
        "languages": [],
        "licence": "not stated",
        "citation": "",
        "origin": "Keypoints estimated from videos.",
        "split_rule": "as given in the table",
    }

    @staticmethod
    def backend(values: dict[str, Any]) -> str:
        """The pose backend that options ask for, for the workflow's code hashes."""
        return options_of("videos", values).backend

    @staticmethod
    def inputs(options: VideosOptions) -> list[Path]:
        return [Path(options.table)] if options.table else []

    @staticmethod
    def build(options: VideosOptions, raw: Path | None, writer: ClipWriter) -> None:
        if raw is None:
            raise UserError(
                "data set videos: estimate the keypoints first, with `snakemake extract`; or do "
                "everything with `sslslr pose extract FOLDER --out STORE`."
            )
        entries, left_out = listed(options)
        stated = {entry.columns["language"] or options.language for entry in entries}
        writer.card |= {
            "languages": sorted(str(language) for language in stated if language),
            "licence": options.licence,
            "citation": options.citation,
            "split_rule": "as given in the table" if options.table else "none",
        }
        default = BACKENDS.get(options.backend).default_confidence
        gather(
            shard_folders(options, raw),
            entries,
            left_out,
            writer,
            min_confidence=default if options.min_confidence is None else options.min_confidence,
            smoothing=options.smoothing,
            language=options.language,
        )
