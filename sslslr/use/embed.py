"""Features of clips as one table: clip_id, gloss, signer, split, features.

    write_features(encode, store, "features.parquet")

The file's metadata (key `sslslr`) names encoder, preprocessing and code by hash.
"""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sslslr.data.store import ClipStore
from sslslr.use.clips import NO_GLOSS
from sslslr.use.load import Embedded, Encode
from sslslr.utils.errors import UserError
from sslslr.utils.files import atomic_file

METADATA = b"sslslr"
ENDINGS = (".parquet", ".pq")
COLUMNS = ("clip_id", "gloss", "signer", "split")


def write_features(
    encode: Encode, store: ClipStore, out: str | Path, unlabelled: bool = False
) -> Embedded:
    """Embed a store and write the table; what cannot be embedded is left out and returned.

    Args:
        unlabelled: whether the store's glosses are none.

    Raises:
        UserError: not one clip can be embedded, or `out` cannot be written.
    """
    if Path(out).is_dir():
        raise UserError(f"{out}: a folder, where a file is to be made, such as features.parquet.")
    if Path(out).suffix.lower() not in ENDINGS:
        raise UserError(f"{out}: the table is parquet; name it so, such as features.parquet.")
    measured = encode.measure(store)
    embedded = encode.store(store)
    rows = store.clips.iloc[embedded.indices]
    columns: dict[str, Any] = {name: pa.array(rows[name], pa.string()) for name in COLUMNS}
    if unlabelled:
        columns["gloss"] = pa.nulls(len(rows), pa.string())
    else:  # some may have none
        columns["gloss"] = pa.array(rows["gloss"].where(rows["gloss"] != NO_GLOSS), pa.string())
    columns["features"] = pa.FixedSizeListArray.from_arrays(embedded.features.ravel(), encode.width)
    about = {**encode.identity(), "clips": store.card.get("sha256"), "measured_by_clips": measured}
    table = pa.table(columns).replace_schema_metadata({METADATA: json.dumps(about)})
    with atomic_file(out) as temporary:
        pq.write_table(table, temporary)
    return embedded
