"""GSL isolated: Greek Sign Language, 310 glosses by 7 signers.

Adaloglou et al., "A Comprehensive Study on Deep Learning-based Methods for Sign Language
Recognition", IEEE Transactions on Multimedia 2022. Keypoints by OpenHands (`_openhands.py`). The
official csv files name 40,826 clips (the paper says 40,785) as `path|gloss`; signer 3 validates and
tests (other repetitions), the six others train, so the split is signer-independent.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from sslslr.config.settings import SPLITS
from sslslr.data.datasets import _openhands as shared
from sslslr.data.datasets import register
from sslslr.utils.download.fetch import File

ARCHIVE = "GSL.zip"
ASSETS = shared.ASSETS.format("77560512bdea30a88e2d0d6a25e24c1c159c53e2")
LISTS = {split: f"{split}_greek_iso.csv" for split in SPLITS}
FILES = [
    File(ARCHIVE, shared.RECORD + ARCHIVE),
    *(File(name, f"{ASSETS}gsl_metadata/GSL_split/GSL_isolated/{name}") for name in LISTS.values()),
]


@register
class Gsl(shared.OpenHands):
    size = "0.7 GB"
    consent = "GSL"
    sources = FILES
    language, fps, aspect = "gss", 30.0, 848 / 480
    card = {  # noqa: RUF012
        "languages": ["gss"],
        "licence": "keypoints CC BY 4.0 (Zenodo 6674324); the recordings' own terms: "
        "https://vcl.iti.gr/dataset/gsl",
        "citation": "Adaloglou et al., A Comprehensive Study on Deep Learning-based Methods for Sign "
        "Language Recognition, IEEE TMM 2022; Selvaraj et al., OpenHands, ACL 2022",
        "origin": shared.FOUND_BY,
        "split_rule": "official csv of GSL isolated; signer 3 is in val and test, the others in train",
    }

    @staticmethod
    def published(options: shared.Options) -> int | None:
        return 40_826

    @classmethod
    def listed(cls, options: shared.Options, folder: Path) -> Iterator[shared.Listed]:
        for split, name in LISTS.items():
            yield from listed(folder / name, split)


def listed(file: Path, split: str) -> Iterator[shared.Listed]:
    """The clips of one official csv; ids are its paths."""
    for path, gloss, *_ in shared.rows_of(file, 2, "|"):
        signer = re.search(r"_signer(\d+)_", path)
        yield shared.Listed(path, gloss, split, signer[1] if signer else None)
