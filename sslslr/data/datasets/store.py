"""A clip store that lies there already, as a data set of a study: imported once, used by many."""

from pathlib import Path

import numpy as np
from pydantic import Field

from sslslr.data.datasets import Dataset, register
from sslslr.data.deal import Deal
from sslslr.data.store import ClipStore
from sslslr.data.writer import CARD_FIELDS, OPTIONAL_CARD_FIELDS, STORE_FILES, ClipWriter
from sslslr.utils.errors import UserError
from sslslr.utils.user_files import at_home


class StoreOptions(Deal):
    folder: str = Field(
        description="Folder of the clip store (what `sslslr data import --out` made)."
    )


@register
class Store(Dataset):
    Options = StoreOptions
    card = {  # noqa: RUF012
        "languages": [],
        "licence": "not stated",
        "citation": "",
        "origin": "A clip store of the user's.",
        "split_rule": "as in the clip store",
    }

    @staticmethod
    def inputs(options: StoreOptions) -> list[Path]:
        folder = at_home(options.folder)
        files = [folder / name for name in STORE_FILES]
        if absent := [file.name for file in files if not file.is_file()]:
            raise UserError(
                f"{folder}: {absent[0]} is missing; a clip store has {len(files)} files."
            )
        return files

    @staticmethod
    def published(options: StoreOptions) -> int | None:
        try:
            return len(ClipStore.open(at_home(options.folder)))
        except UserError:
            return None  # building it says what is wrong

    @staticmethod
    def build(options: StoreOptions, raw: Path | None, writer: ClipWriter) -> None:
        store = ClipStore.open(at_home(options.folder))
        # But the name, and what it was made of.
        keys = (*CARD_FIELDS[1:-1], *OPTIONAL_CARD_FIELDS)
        writer.card |= {key: store.card[key] for key in keys if store.card.get(key)}
        ids = store.clips["clip_id"].to_numpy(dtype=object)
        for row, stated in enumerate(store.stated(store.indices())):
            writer.add(str(ids[row]), np.asarray(store.frames(row)), **stated)
