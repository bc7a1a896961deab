"""Indian Sign Language: 22 words by two signers, 30 clips a word, 30 frames, 75 joints.

Each signer has a vocabulary of their own (13 and 10 words, one in common), so a split by signer
is not possible. The split is ours: of each signer's repetitions of a word, in the order of their
numbers, the first 60 % train, the next 20 % validate, the rest test. It is easy for that reason:
test shares signers, and surely sessions, with train. Source and licence are not stated with the
files: research use.
"""

from pathlib import Path

import pandas as pd
from pydantic import Field

from sslslr.config.settings import Settings
from sslslr.data.datasets import Dataset, register
from sslslr.data.datasets._local_files import read_instances, rows_of_table, shared_files
from sslslr.data.store import ClipWriter

TRAIN, VAL = 0.6, 0.2  # shares of the repetitions; the rest is test


class IndianHolisticOptions(Settings):
    folder: str | None = Field(
        None,
        description="Folder of clips.npz and instances.csv; default indian_holistic/ under "
        "$SSLSLR_SHARED_DATA, else ../shared/data.",
    )


@register
class IndianHolistic(Dataset):
    Options = IndianHolisticOptions
    card = {  # noqa: RUF012
        "languages": ["ins"],
        "licence": "not stated; research use",
        "citation": "",
        "origin": "MediaPipe Holistic keypoints of two students' recordings.",
        "split_rule": "ours: per signer and gloss, by repetition number: first 60 % train, next "
        "20 % val, rest test; not signer-independent",
    }

    @staticmethod
    def published(options: IndianHolisticOptions) -> int | None:
        return rows_of_table(options.folder, "indian_holistic")

    @staticmethod
    def inputs(options: IndianHolisticOptions) -> list[Path]:
        return shared_files(options.folder, "indian_holistic")

    @staticmethod
    def build(options: IndianHolisticOptions, raw: Path | None, writer: ClipWriter) -> None:
        npz, table = shared_files(options.folder, "indian_holistic")
        clips, rows = read_instances(npz, table, extra=("signer", "repetition"))
        rows["split"] = split_by_repetition(rows)
        for frames, row in zip(clips.read(), rows.to_dict("records"), strict=True):
            writer.add(
                row["clip_id"],
                frames,
                gloss=row["gloss"],
                language="ins",  # ISO 639-3; the table's "isl" is Icelandic Sign Language there
                signer=row["signer"],
                split=row["split"],
                source=row["source"],
            )


def split_by_repetition(rows: pd.DataFrame) -> pd.Series:
    """train, val or test for each row, from columns signer, gloss and repetition."""
    number = rows["repetition"].astype(int)
    groups = number.groupby([rows["signer"], rows["gloss"]])
    share = (groups.rank(method="first") - 0.5) / groups.transform("size")
    names = pd.cut(share, [0, TRAIN, TRAIN + VAL, 1], labels=["train", "val", "test"])
    return names.astype(str)
