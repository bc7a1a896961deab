"""AUTSL: Turkish Sign Language, 226 signs by 43 signers, 38,336 clips (beyond the paper).

Sincan and Keles, "AUTSL: A Large Scale Multi-Modal Turkish Sign Language Dataset and Baseline
Methods", IEEE Access 2020. Keypoints by OpenHands (`_openhands.py`). The official lists are csv files
without a header, `signer0_sample1,41`; no signer is in two of them. A file is called
`signer0_sample1_color.pkl`; glosses are the Turkish names.
"""

from collections.abc import Iterator
from pathlib import Path

from sslslr.data.datasets import _openhands as shared
from sslslr.data.datasets import register
from sslslr.utils.download.fetch import File
from sslslr.utils.errors import UserError

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
class Autsl(shared.OpenHands):
    size = "2.2 GB"
    consent = "AUTSL"
    sources = FILES
    language, fps, aspect = "tsm", 30.0, 1.0
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

    @classmethod
    def listed(cls, options: shared.Options, folder: Path) -> Iterator[shared.Listed]:
        glosses = {row[0]: row[1] for row in shared.rows_of(folder / NAMES, 2)[1:]}
        for split, name in LISTS.items():
            yield from listed(folder / name, split, glosses)


def listed(file: Path, split: str, glosses: dict[str, str]) -> Iterator[shared.Listed]:
    """The clips of one official list; `glosses` maps a class number to its Turkish name."""
    for clip_id, number, *_ in shared.rows_of(file, 2):
        if number not in glosses:
            raise UserError(f"{file}: clip {clip_id!r} has class {number!r}, which {NAMES} lacks.")
        signer = clip_id.partition("_")[0].removeprefix("signer")
        yield shared.Listed(clip_id, glosses[number], split, signer, f"{clip_id}_color")
