"""The claims' verdicts as tables: for machines the numbers, for people one line a claim."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sslslr.report.tables import percent, render

SMALLEST = (
    "detectable: smallest difference that so many clips would show with a power of 80 % (where the two differ on too "
    "few of them to say, as if their errors were independent; none: so few clips can show no difference)"
)
CAPTION = (
    "Claims and what the runs say. Holds: nothing is missing, and every comparison is significant (p and "
    "interval) in the claim's favour; does not hold: one is, against it; cannot tell: all else. "
    "Differences in top-1, percentage points, subject minus opponent, "
    "of the worst comparison for the claim that gives the verdict; brackets: 95 % interval over test "
    "clips and encoder seeds (over clips alone where there is 1 seed); p: paired permutation test, corrected "
    f"by Holm within the claim; {SMALLEST}."
)
COMPARISON_CAPTION = (
    "Every comparison behind the verdicts. Top-1 in percent; differences in percentage points with "
    "the 95 % interval over test clips and encoder seeds; p: paired permutation test, corrected by "
    f"Holm within the claim (shown only: not part of the verdict, not corrected); {SMALLEST}."
)
MISSING_SHOWN = 3


def verdict_table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Strings for people, one row a claim, of :func:`sslslr.claims.verdicts`."""
    rows = []
    for row in verdicts.to_dict("records"):
        compared = row["comparisons"] > 0
        rows.append(
            {
                "Claim": f"{row['statement']} ({row['claim']})",
                "Verdict": row["verdict"] + _remark(row),
                "Claimed by": row["source"],
                "Worst against": f"{row['opponent']} on {_place(row)}" if compared else "–",
                "Difference": difference(row),
                "p": p_value(row["p_corrected"]),
                "n test": f"{row['n_test']:.0f}" if compared else "n/a",
                "Detectable": smallest(row) if compared else "n/a",
                "Comparisons": str(row["comparisons"]),
                "Missing": _shortened(row["missing"]),
            }
        )
    return pd.DataFrame(rows)


def comparison_table(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Strings for people, one row a comparison, of :func:`sslslr.claims.decide`."""
    columns = ["Claim", "Target", "Pretrained on", "Subject", "Opponent", "Subject top-1",
               "Opponent top-1", "Difference", "p", "n test", "Seeds", "Detectable", "Outcome"]  # fmt: skip
    rows = [
        [
            row["claim"],
            row["dataset"],
            row["pretrain_dataset"],
            row["subject"],
            row["opponent"],
            percent(row["subject_accuracy"]),
            percent(row["opponent_accuracy"]),
            difference(row),
            p_value(row["p_corrected"] if row["decides"] else row["p"]),
            str(row["n_test"]),
            f"{row['subject_seeds']} and {row['opponent_seeds']}",
            smallest(row),
            row["outcome"] + ("" if row["decides"] else " (shown only)"),
        ]
        for row in comparisons.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=columns)


def _remark(row: Mapping[str, Any]) -> str:
    if not row["comparisons"]:
        return " (not measured)"
    return " (1 seed)" if row["seeds"] == 1 else ""


def write(
    verdicts: pd.DataFrame, comparisons: pd.DataFrame, stem: str | Path, note: str = ""
) -> list[Path]:
    """STEM and STEM_comparisons, each as .csv (numbers in 0..1), .md and .tex (for people).

    Args:
        note: ends the captions.

    Raises:
        UserError: the folder cannot be written.
    """
    written = []
    for frame, shown, name, caption in (
        (verdicts, verdict_table(verdicts), f"{stem}", CAPTION),
        (comparisons, comparison_table(comparisons), f"{stem}_comparisons", COMPARISON_CAPTION),
    ):
        written += render(frame, name, caption + note, ["csv"])
        written += render(shown, name, caption + note, ["md", "tex"])
    return written


def difference(row: Mapping[str, Any]) -> str:
    """`+3.1 [+0.2, +6.0]` in percentage points; "n/a" without a comparison."""
    if pd.isna(row["difference"]):
        return "n/a"
    middle, low, high = (f"{100 * row[name]:+.1f}" for name in ("difference", "low", "high"))
    return f"{middle} [{low}, {high}]"


def smallest(row: Mapping[str, Any]) -> str:
    """`4.7` percentage points; "none" where so few clips can show no difference at all."""
    share = row["smallest_difference"]
    return "none" if pd.isna(share) else percent(share)


def p_value(p: float) -> str:
    """`0.0312`: four decimals, as many as 10,000 flips can tell; "n/a" for NaN."""
    return "n/a" if pd.isna(p) else f"{p:.4f}"


def _place(row: Mapping[str, Any]) -> str:
    if row["dataset"] == row["pretrain_dataset"]:
        return row["dataset"]
    return f"{row['dataset']} (pretrained on {row['pretrain_dataset']})"


def _shortened(missing: str) -> str:
    """Runs that differ in their last word together, and the first few of these; the CSV names all."""
    groups: dict[str, list[str]] = {}
    for part in missing.split("; ") if missing else []:
        same, _, last = part.rpartition(" ") if part.startswith("no run of") else (part, "", "")
        groups.setdefault(same, []).append(last)
    parts = [" ".join([same, ", ".join(last)]).strip() for same, last in groups.items()]
    more = len(parts) - MISSING_SHOWN
    text = "; ".join(parts[:MISSING_SHOWN]) or "–"
    return f"{text}; and {more} more" if more > 0 else text
