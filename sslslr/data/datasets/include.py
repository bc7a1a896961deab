"""INCLUDE: Indian Sign Language, 263 signs (beyond the paper).

Sridhar et al., "INCLUDE: A Large Scale Dataset for Indian Sign Language Recognition", ACM Multimedia
2020. Keypoints by OpenHands (`_openhands.py`): the archive holds another one, `Pose_Signs.zip`, which
holds the pickles. The official lists are train and test (there is no validation split, and signers
are not named); INCLUDE-50 is the authors' subset of 50 signs.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from sslslr.data.datasets import _openhands as shared
from sslslr.data.datasets import register
from sslslr.utils.download.fetch import File
from sslslr.utils.errors import UserError

ARCHIVE = "INCLUDE.zip"
# Paths of the lists, at a commit that holds them.
COMMITS = {
    "train_include.csv": "20874392a25fc8f1221b2328d25b0f21f5644cce",
    "test_include.csv": "77560512bdea30a88e2d0d6a25e24c1c159c53e2",
    "train_include50.csv": "20874392a25fc8f1221b2328d25b0f21f5644cce",
    "test_include50.csv": "20874392a25fc8f1221b2328d25b0f21f5644cce",
}


class IncludeOptions(shared.Options):
    subset: Literal["all", "include50"] = Field(
        "all", description="all: 263 signs. include50: the authors' subset of 50."
    )


def lists(options: IncludeOptions) -> dict[str, str]:
    """Split to the name of its official list."""
    ending = "include50" if options.subset == "include50" else "include"
    return {split: f"{split}_{ending}.csv" for split in ("train", "test")}


@register
class Include(shared.OpenHands):
    Options = IncludeOptions
    size = "0.7 GB"
    language = "ins"
    card = {  # noqa: RUF012
        "languages": ["ins"],
        "licence": "CC BY 4.0",
        "citation": "Sridhar et al., INCLUDE: A Large Scale Dataset for Indian Sign Language "
        "Recognition, ACM MM 2020; Selvaraj et al., OpenHands, ACL 2022",
        "origin": shared.FOUND_BY,
        "split_rule": "official train and test lists; signers are not named, so surely shared",
    }

    @classmethod
    def files(cls, options: IncludeOptions) -> list[File]:
        folder = "include_metadata/Train_Test_Split/"
        names = lists(options).values()
        places = {name: shared.ASSETS.format(COMMITS[name]) + folder + name for name in names}
        archive = File(ARCHIVE, shared.RECORD + ARCHIVE)
        return [archive, *(File(name, place) for name, place in places.items())]

    @classmethod
    def listed(cls, options: IncludeOptions, folder: Path) -> Iterator[shared.Listed]:
        for split, name in lists(options).items():
            yield from listed(folder / name, split)


def listed(file: Path, split: str) -> Iterator[shared.Listed]:
    """The clips of one official list: columns Category, Word, Video, FilePath."""
    header, *rows = shared.rows_of(file, 4)
    if header[:4] != ["Category", "Word", "Video", "FilePath"]:
        raise UserError(f"{file}: expected columns Category,Word,Video,FilePath, found {header}.")
    for _, word, _, path, *_ in rows:
        # The video's name ends in .MOV or .MP4, the keypoints' in .pkl.
        clip_id = re.sub(r"\.[A-Za-z0-9]{3}$", "", path)
        yield shared.Listed(clip_id, word, split)
