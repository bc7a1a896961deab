"""Cells for people, and the columns that most tables have."""

from typing import Any

import pandas as pd

from sslslr.report.names import NO_VIEWS, method_title, protocol_title
from sslslr.report.tables._base import Column, Row


def percent(value: float) -> str:
    """`62.1`; "n/a" for NaN."""
    return "n/a" if pd.isna(value) else f"{100 * value:.1f}"


def bracket(low: float, high: float) -> str:
    """`[60.0, 64.2]`; "n/a" for NaN."""
    return "n/a" if pd.isna(low) else f"[{percent(low)}, {percent(high)}]"


def difference(row: Row) -> str:
    """`+3.1 [+0.2, +6.0]` in percentage points; "n/a" without a comparison."""
    if pd.isna(row["difference"]):
        return "n/a"
    middle, low, high = (f"{100 * row[name]:+.1f}" for name in ("difference", "low", "high"))
    return f"{middle} [{low}, {high}]"


def smallest(row: Row) -> str:
    """`4.7` percentage points; "none" where so few clips can show no difference at all."""
    share = row["smallest_difference"]
    return "none" if pd.isna(share) else percent(share)


def p_value(p: float) -> str:
    """`0.0312`: four decimals, as many as 10,000 flips can tell; "n/a" for NaN."""
    return "n/a" if pd.isna(p) else f"{p:.4f}"


def or_dash(name: Any) -> str:
    """A name, or a dash where there is none to give."""
    return "–" if pd.isna(name) or name in ("", NO_VIEWS, "raw") else str(name)


def read_out_of(group: pd.DataFrame) -> str:
    """The read-out of a group's encoders; all of them where they differ."""
    return ", ".join(sorted(set(group["read_out"]))) if "read_out" in group else ""


def _dashed(title: str, source: str) -> Column:
    return Column(title, source, lambda row: or_dash(row[source]))


def _tagged(row: Row) -> str:
    return method_title(row["method"]) + (f" ({row['tag']})" if row["tag"] else "")


TARGET = Column("Target", "dataset")
METHOD = Column("Method", "method", lambda row: method_title(row["method"]))
TAGGED_METHOD = Column("Method", "method", _tagged)
SOURCE = _dashed("Pretrained on", "pretrain_dataset")
VIEWS = _dashed("Views", "augmentation")
ENCODER = _dashed("Encoder", "variant")
TAG = _dashed("Tag", "tag")
READ_OUT = _dashed("Read-out", "read_out")
PROTOCOL = Column("Protocol", "protocol", lambda row: protocol_title(row["protocol"]))
SCORED = (TARGET, METHOD, SOURCE, VIEWS, ENCODER, READ_OUT, TAG, PROTOCOL)  # what a score is of
DETECTABLE = Column(
    "Detectable", "smallest_difference", smallest,
    "smallest difference that so many clips would show with a power of 80 % (none: so few clips can "
    "show no difference)",
)  # fmt: skip
