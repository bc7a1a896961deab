"""WLASL-100, -300, -1000, -2000: American Sign Language, with the whole body and all three splits.

Li et al., "Word-level Deep Sign Language Recognition from Video", WACV 2020. Keypoints by OpenHands
(`_openhands.py`), one pickle a video id; the official lists are the authors' `nslt_*.json`, which give
each video its split and its class. The videos come from the web and many are gone, so how many of a
split were found stands in the card. (`wlasl_hands` reads another extraction: hands alone, no test.)
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from sslslr.config.settings import SPLITS
from sslslr.data.datasets import _openhands as shared
from sslslr.data.datasets import register
from sslslr.utils.download.fetch import File
from sslslr.utils.errors import UserError

ARCHIVE, NAMES = "WLASL.zip", "wlasl_class_list.txt"
LISTS = (
    "https://raw.githubusercontent.com/dxli94/WLASL/180e0b517dd6483e0b6aa5a0a27d92b47b2989bb/"
    "code/I3D/preprocess/"
)


class WlaslOptions(shared.Options):
    subset: Literal[100, 300, 1000, 2000] = Field(
        300, description="Number of glosses: WLASL-100, -300, -1000 or -2000, with its split."
    )


@register
class Wlasl(shared.OpenHands):
    Options = WlaslOptions
    size = "1.0 GB"
    consent = "C-UDA"
    language = "ase"
    card = {  # noqa: RUF012
        "languages": ["ase"],
        "licence": "C-UDA (computational use, academic, non-commercial): "
        "https://github.com/dxli94/WLASL",
        "citation": "Li et al., Word-level Deep Sign Language Recognition from Video, WACV 2020; "
        "Selvaraj et al., OpenHands, ACL 2022",
        "origin": shared.FOUND_BY,
        "split_rule": "official nslt_*.json of the subset",
    }

    @staticmethod
    def published(options: WlaslOptions) -> int | None:
        return {100: 2_038, 300: 5_118}.get(options.subset)

    @classmethod
    def files(cls, options: WlaslOptions) -> list[File]:
        names = (f"nslt_{options.subset}.json", NAMES)
        archive = File(ARCHIVE, shared.RECORD + ARCHIVE)  # the same for every subset
        return [archive, *(File(name, LISTS + name) for name in names)]

    @classmethod
    def listed(cls, options: WlaslOptions, folder: Path) -> Iterator[shared.Listed]:
        return listed(folder / f"nslt_{options.subset}.json", folder / NAMES)


def listed(split: Path, names: Path) -> Iterator[shared.Listed]:
    """The clips that an official list names: video id to its subset and [class, first, last]."""
    glosses = {row[0]: row[1] for row in shared.rows_of(names, 2, "\t")}
    try:
        entries = json.loads(shared.text_of(split))
    except ValueError as error:
        raise UserError(f"{split}: not valid JSON ({error}).") from None
    if not isinstance(entries, dict):
        raise UserError(f"{split}: expected video ids with their subset and class.")
    for clip_id, entry in entries.items():
        yield _clip(clip_id, entry, glosses, split)


def _clip(clip_id: str, entry: Any, glosses: dict[str, str], file: Path) -> shared.Listed:
    try:
        gloss, split = glosses[str(entry["action"][0])], entry["subset"]
    except (KeyError, IndexError, TypeError):
        raise UserError(f"{file}: clip {clip_id!r} has no known class.") from None
    if split not in SPLITS:
        raise UserError(f"{file}: clip {clip_id!r} is in subset {split!r}.")
    return shared.Listed(clip_id, gloss, split)
