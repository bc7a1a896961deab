"""WLASL, hands only: American Sign Language, 42 joints, no body, no signer (`shared/data`).

Li, Rodriguez, Yu, Li. "Word-level Deep Sign Language Recognition from Video." WACV 2020. The
splits are the official ones of WLASL-100, -300, -1000 and -2000, which differ from each other; a
clip takes the split of the subset that is asked for. The test split is not among the files, and
about half of the official clips are dead links: figures are not comparable to the literature.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from sslslr.config.settings import Settings
from sslslr.data.datasets import Dataset, register
from sslslr.data.datasets._local_files import read_instances, rows_of_table, shared_files
from sslslr.data.store import ClipWriter, content_digest

SPLIT_COLUMN = {100: "wlasl100", 300: "wlasl300", 1000: "wlasl1000", 2000: "split"}


class WlaslHandsOptions(Settings):
    subset: Literal[100, 300, 1000, 2000] = Field(
        2000, description="Number of glosses: WLASL-100, -300, -1000 or -2000, with its split."
    )
    copies: Literal["keep", "drop"] = Field(
        "keep",
        description="The official splits hold some videos twice, in train and in val. keep: as "
        "published. drop: leave those out of train.",
    )
    folder: str | None = Field(
        None,
        description="Folder of clips.npz and instances.csv; default wlasl_hands/ under "
        "$SSLSLR_SHARED_DATA, else ../shared/data.",
    )


@register
class WlaslHands(Dataset):
    Options = WlaslHandsOptions
    card = {  # noqa: RUF012
        "languages": ["ase"],
        "licence": "C-UDA (academic, non-commercial)",
        "citation": "Li et al., Word-level Deep Sign Language Recognition from Video, WACV 2020",
        "origin": "Hand keypoints of the WLASL clips that can still be had; left and right were "
        "inferred by a classifier.",
        "split_rule": "official train and val of the subset; the test split is not available",
    }

    @staticmethod
    def published(options: WlaslHandsOptions) -> int | None:
        return rows_of_table(options.folder, "wlasl_hands", SPLIT_COLUMN[options.subset])

    @staticmethod
    def inputs(options: WlaslHandsOptions) -> list[Path]:
        return shared_files(options.folder, "wlasl_hands")

    @staticmethod
    def build(options: WlaslHandsOptions, raw: Path | None, writer: ClipWriter) -> None:
        npz, table = shared_files(options.folder, "wlasl_hands")
        clips, rows = read_instances(npz, table, extra=(SPLIT_COLUMN[options.subset],))
        rows["split"] = rows[SPLIT_COLUMN[options.subset]]
        # A clip without a split is no part of the subset: not written, nor "dropped".
        chosen = rows["split"].notna().to_numpy(dtype=bool)
        rows = rows[chosen]
        leaking = set()
        if options.copies == "drop":
            leaking = copies_in_train(rows, clips.read(chosen))
        for row, frames in zip(rows.to_dict("records"), clips.read(chosen), strict=True):
            if row["clip_id"] in leaking:
                reason = "same keypoints as a clip of another split"
                writer.drop(row["clip_id"], reason, row["split"])
                continue
            columns = {"gloss": row["gloss"], "split": row["split"], "source": npz.name}
            writer.add(row["clip_id"], frames, language="ase", **columns)


def copies_in_train(rows: pd.DataFrame, clips: Iterable[np.ndarray]) -> set[str]:
    """Ids of train clips whose keypoints equal those of a clip outside train."""
    content = pd.Series([content_digest(frames) for frames in clips], index=rows.index)
    train = rows["split"] == "train"
    return set(rows["clip_id"][train & content.isin(set(content[~train]))])
