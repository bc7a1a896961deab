"""One number a method, target and protocol: what `dvc metrics diff` compares between two commits."""

from pathlib import Path
from typing import Any

import pandas as pd

from sslslr.files import write_json
from sslslr.report.tables import DECIMALS

RUN = ("method", "augmentation", "variant", "pretrain_dataset", "tag")


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """`target -> protocol -> run -> top-1`, the mean over encoder seeds, in 0..1.

    Args:
        table: of :func:`sslslr.report.tables.linear_table`.

    Returns:
        A run is named as its folder is, without the seed. A number that was not measured is absent.
    """
    found: dict[str, Any] = {}
    for row in table.to_dict("records"):
        if pd.isna(row["top1_mean"]):
            continue
        name = ".".join(str(row[part]) for part in RUN if row[part])
        protocols = found.setdefault(row["dataset"], {})
        protocols.setdefault(row["protocol"], {})[name] = round(float(row["top1_mean"]), DECIMALS)
    return found


def write(table: pd.DataFrame, path: str | Path) -> Path:
    """Write :func:`summary` as JSON, atomically."""
    write_json(Path(path), summary(table))
    return Path(path)
