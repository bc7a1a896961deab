"""AUTSL: Turkish Sign Language, 226 signs by 43 signers, 38,336 clips (beyond the paper).

Sincan and Keles, "AUTSL: A Large Scale Multi-Modal Turkish Sign Language Dataset and Baseline
Methods", IEEE Access 2020. Keypoints by OpenHands (`_openhands.py`). The official lists are csv files
without a header, `signer0_sample1,41`; no signer is in two of them. A file is called
`signer0_sample1_color.pkl`; glosses are the Turkish names.
"""

from collections.abc import Iterator
from pathlib import Path

from sslslr.clips import ClipWriter
from sslslr.datasets import _openhands as shared
from sslslr.datasets import register
from sslslr.download import File
from sslslr.errors import UserError
from sslslr.http_client import Settings

TRAITS = {"downloads": True}
ARCHIVE, NAMES = "AUTSL.zip", "SignList_ClassId_TR_EN.csv"
ASSETS = shared.ASSETS.format("77560512bdea30a88e2d0d6a25e24c1c159c53e2")
LISTS = {
    "train": "train_labels.csv",
    "val": "validation_labels.csv",
    "test": "test_labels.csv",
}
FILES = [
    File(ARCHIVE, shared.RECORD + ARCHIVE),
    *(File(name, f"{ASSETS}autsl_metadata/AUTSL/{name}") for name in (*LISTS.values(), NAMES)),
]


@register
class Autsl:
    Options = shared.Options
    size = "2.2 GB"
    consent = "AUTSL"
    card = {  # noqa: RUF012
        "languages": ["tsm"],
        "licence": "keypoints CC BY 4.0 (Zenodo 6674324); the recordings' own terms (academic "
        "research): https://cvml.ankara.edu.tr/datasets/",
        "citation": "Sincan and Keles, AUTSL: A Large Scale Multi-Modal Turkish Sign Language Dataset "
        "and Baseline Methods, IEEE Access 2020; Selvaraj et al., OpenHands, ACL 2022",
        "origin": shared.FOUND_BY,
        "split_rule": "official lists, signer-independent",
    }

    @staticmethod
    def published(options: shared.Options) -> int | None:
        return 38_336

    @staticmethod
    def inputs(options: shared.Options) -> list[Path]:
        return []

    @staticmethod
    def download(options: shared.Options, raw: Path, settings: Settings) -> None:
        shared.download("autsl", FILES, options, raw, settings)

    @staticmethod
    def build(options: shared.Options, raw: Path | None, writer: ClipWriter) -> None:
        folder = shared.raw_folder("autsl", raw, FILES)
        lists = {split: folder / name for split, name in LISTS.items()}
        glosses = {row[0]: row[1] for row in shared.rows_of(folder / NAMES, 2)[1:]}
        shared.build(
            writer,
            folder / ARCHIVE,
            [*lists.values(), folder / NAMES],
            (clip for split, file in lists.items() for clip in listed(file, split, glosses)),
            language="tsm",
            min_confidence=options.min_confidence,
            fps=30.0,
            aspect=1.0,
        )


def listed(file: Path, split: str, glosses: dict[str, str]) -> Iterator[shared.Listed]:
    """The clips of one official list; `glosses` maps a class number to its Turkish name."""
    for clip_id, number, *_ in shared.rows_of(file, 2):
        if number not in glosses:
            raise UserError(f"{file}: clip {clip_id!r} has class {number!r}, which {NAMES} lacks.")
        signer = clip_id.partition("_")[0].removeprefix("signer")
        yield shared.Listed(clip_id, glosses[number], split, signer, f"{clip_id}_color")
