"""The claims' verdicts, one row a claim."""

from collections.abc import Mapping

import pandas as pd

from sslslr.report.results import Results
from sslslr.report.tables import register
from sslslr.report.tables._base import Column, Row, Table
from sslslr.report.tables._cells import DETECTABLE, difference, p_value, smallest
from sslslr.report.tables.verdicts_comparisons import VerdictsComparisons, claim_of
from sslslr.statistics.claims import matching as cells
from sslslr.statistics.claims import verdicts
from sslslr.utils.errors import UserError, nearest

MISSING_SHOWN = 3


def _verdict(row: Row) -> str:
    if not row["comparisons"]:
        return f"{row['verdict']} (not measured)"
    return row["verdict"] + (f" ({row['reason']})" if row["reason"] else "")


def _worst(row: Row) -> str:
    if not row["comparisons"]:
        return "–"
    own = row["dataset"] == row["pretrain_dataset"]
    return f"{row['opponent']} on {row['dataset']}" + (
        "" if own else f" (pretrained on {row['pretrain_dataset']})"
    )


def shortened(missing: str) -> str:
    """Runs that differ in their last word together, and the first few of these; the CSV names all."""
    groups: dict[str, list[str]] = {}
    for part in missing.split("; ") if missing else []:
        same, _, last = part.rpartition(" ") if part.startswith("no run of") else (part, "", "")
        groups.setdefault(same, []).append(last)
    parts = [" ".join([same, ", ".join(last)]).strip() for same, last in groups.items()]
    more = len(parts) - MISSING_SHOWN
    text = "; ".join(parts[:MISSING_SHOWN]) or "–"
    return f"{text}; and {more} more" if more > 0 else text


def line(verdicts: pd.DataFrame, claim: str) -> str:
    """A claim's verdict for a terminal: `pretraining_works: holds; +23.8 [+14.0, +33.1] against ...`.

    Raises:
        UserError: the table has no such claim.
    """
    found = verdicts[verdicts["claim"] == claim]
    if found.empty:
        raise UserError(f"verdicts: no claim {claim!r}. {nearest(claim, verdicts['claim'])}")
    row = found.iloc[0].to_dict()
    if not row["comparisons"]:
        return f"{claim}: {_verdict(row)}; {shortened(row['missing'])}"
    return (
        f"{claim}: {_verdict(row)}; {difference(row)} points against {_worst(row)} "
        f"(n = {row['n_test']:.0f}, {row['seeds']} seeds)"
    )


@register
class Verdicts(Table):
    title = "Verdicts"
    caption = (
        "What is claimed, and what the runs say. A claim holds where nothing is missing and every "
        "comparison is significant in its favour (p and interval), does not hold where one is against "
        "it, and cannot be told in all other cases: also with fewer than three seeds on a side, or where "
        "a probe is not fitted."
    )
    reads = ("metrics", "claims", "tables/verdicts_comparisons")
    key = ("claim",)
    words = (
        "statement",
        "source",
        "verdict",
        "reason",
        "dataset",
        "pretrain_dataset",
        "opponent",
        "missing",
    )
    section, place = "verdicts", 10
    columns = (
        Column("Claim", "claim", lambda row: f"{row['statement']} ({row['claim']})"),
        Column("Verdict", "verdict", _verdict),
        Column("Claimed by", "source"),
        Column("Worst against", "opponent", _worst,
               "opponent of the worst comparison for the claim that gives the verdict; the numbers of "
               "the row are that comparison's"),
        Column("Difference", "difference", difference,
               "in top-1, percentage points, subject minus opponent, with a 95 % interval over test "
               "clips and encoder seeds (over clips alone where there is 1 seed)"),
        Column("p", "p_corrected", lambda row: p_value(row["p_corrected"]),
               "paired permutation test, Holm-corrected within the claim"),
        Column("n test", "n_test", lambda row: f"{row['n_test']:.0f}" if row["comparisons"] else "n/a"),
        Column("Detectable", DETECTABLE.source,
               lambda row: smallest(row) if row["comparisons"] else "n/a", DETECTABLE.about),
        Column("Comparisons", "comparisons"),
        Column("Missing", "missing", lambda row: shortened(row["missing"])),
    )  # fmt: skip

    def rows(self, results: Results) -> pd.DataFrame:
        return verdicts(results.claims, results.table("verdicts_comparisons"), results.metrics)

    def behind(self, key: Mapping[str, str], results: Results) -> dict[str, pd.DataFrame]:
        claim = claim_of(key, results)
        top1 = cells.cells_of(results.claims, claim, results.metrics)
        compared = results.table("verdicts_comparisons")
        compared = compared[(compared["claim"] == claim.id) & compared["decides"]]
        named = ["dataset", "pretrain_dataset", "subject", "opponent"]
        protocol = results.claims.protocol_of(claim)
        found = [
            cells.sides(top1, protocol, *row) for row in compared[named].itertuples(index=False)
        ]
        return {
            side: pd.concat([top1.iloc[:0], *(part[side] for part in found)]).drop_duplicates()
            for side in ("subject", "opponent")
        }

    def part(
        self, key: Mapping[str, str], groups: Mapping[str, pd.DataFrame], results: Results
    ) -> Results:
        """As for the comparisons, which are made again from them."""
        table = VerdictsComparisons()
        part = table.part(key, groups, results)
        part.tables["verdicts_comparisons"] = table.rows(part)
        return part

    def how(self, column: str, results: Results) -> str:
        return (
            "the verdict over the comparisons that verdicts_comparisons.csv lists; the numbers of the "
            "row are those of the worst comparison for the claim that gives the verdict"
        )
