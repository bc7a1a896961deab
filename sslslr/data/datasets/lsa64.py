"""LSA64: Argentinian Sign Language, 64 signs by 10 signers, 5 times each.

Ronchetti et al., CACIC 2016. Keypoints of the cut videos by OpenHands (`_openhands.py`). No split was
published; ours is OpenHands': signers 1 to 8 train, 9 validates, 10 tests, so that nobody is in two.
Every clip of the 64 x 10 x 5 is expected; one that is not in the archive is listed as missing.
"""

from collections.abc import Iterator
from pathlib import Path

from sslslr.data.datasets import _openhands as shared
from sslslr.data.datasets import register
from sslslr.utils.download.fetch import File
from sslslr.utils.errors import UserError

SIGNS, SIGNERS, REPETITIONS = 64, 10, 5
ARCHIVE, NAMES = "LSA64_Cut.zip", "lsa64_signs.md"
ASSETS = shared.ASSETS.format("2b493a8de691a836462ddd9493b7ddd6c8871708")
FILES = [
    File(ARCHIVE, shared.RECORD + ARCHIVE),
    File(NAMES, f"{ASSETS}lsa64_metadata/LSA64_Cut/{NAMES}"),
]


@register
class Lsa64(shared.OpenHands):
    size = "0.2 GB"
    consent = "CC-BY-NC-SA-4.0"
    sources = FILES
    language, fps, aspect = "aed", 60.0, 1920 / 1080
    card = {  # noqa: RUF012
        "languages": ["aed"],
        "licence": "CC BY-NC-SA 4.0",
        "citation": "Ronchetti et al., LSA64: A Dataset of Argentinian Sign Language, CACIC 2016; "
        "Selvaraj et al., OpenHands, ACL 2022",
        "origin": shared.FOUND_BY,
        "split_rule": "ours (as OpenHands): signers 1-8 train, 9 val, 10 test",
    }

    @staticmethod
    def published(options: shared.Options) -> int | None:
        return SIGNS * SIGNERS * REPETITIONS

    @classmethod
    def listed(cls, options: shared.Options, folder: Path) -> Iterator[shared.Listed]:
        return listed(folder / NAMES)


def listed(names: Path) -> Iterator[shared.Listed]:
    """All clips that the set has by its own description; ids are sign_signer_repetition."""
    glosses = {row[0]: row[1] for row in shared.rows_of(names, 2, "|")}
    numbers = [f"{sign:02d}" for sign in range(1, SIGNS + 1)]
    if sorted(glosses) != numbers or len(set(glosses.values())) != SIGNS:
        raise UserError(
            f"{names}: expected {SIGNS} signs, 01 to {SIGNS}, each with a name of its own."
        )
    for sign in numbers:
        for signer in range(1, SIGNERS + 1):
            split = {9: "val", 10: "test"}.get(signer, "train")
            for repetition in range(1, REPETITIONS + 1):
                clip = f"0{sign}_{signer:03d}_{repetition:03d}"
                yield shared.Listed(clip, glosses[sign], split, f"{signer:02d}")
