"""Every comparison behind the claims' verdicts."""

from collections.abc import Mapping

import pandas as pd

from sslslr.report.results import Results
from sslslr.report.tables import register
from sslslr.report.tables._base import Column, Table
from sslslr.report.tables._cells import DETECTABLE, TARGET, difference, p_value, percent
from sslslr.statistics.claims import Claim, decide
from sslslr.statistics.claims import matching as cells
from sslslr.utils.errors import UserError, nearest


@register
class VerdictsComparisons(Table):
    title = "All comparisons"
    caption = (
        "Every comparison behind the verdicts, top-1 in percent and differences in percentage points. "
        "“Shown only” marks a comparison that is no part of its verdict, and whose p is not corrected."
    )
    reads = ("metrics", "predictions", "claims")
    key = ("claim", "dataset", "pretrain_dataset", "subject", "opponent")
    words = ("outcome", "reason")
    section, place = "verdicts", 20
    columns = (
        Column("Claim", "claim"), TARGET, Column("Pretrained on", "pretrain_dataset"),
        Column("Subject", "subject"), Column("Opponent", "opponent"),
        Column("Subject top-1", "subject_accuracy", lambda row: percent(row["subject_accuracy"])),
        Column("Opponent top-1", "opponent_accuracy", lambda row: percent(row["opponent_accuracy"])),
        Column("Difference", "difference", difference,
               "subject minus opponent, with a 95 % interval over test clips and encoder seeds"),
        Column("p", "p_corrected", lambda row: p_value(row["p_corrected"] if row["decides"] else row["p"]),
               "paired permutation test, Holm-corrected within the claim"),
        Column("n test", "n_test"),
        Column("Seeds", "subject_seeds",
               lambda row: f"{row['subject_seeds']} and {row['opponent_seeds']}"),
        DETECTABLE,
        Column("Outcome", "outcome",
               lambda row: row["outcome"] + (f" ({row['reason']})" if row["reason"] else "")
               + ("" if row["decides"] else " (shown only)")),
    )  # fmt: skip

    def rows(self, results: Results) -> pd.DataFrame:
        return decide(results.claims, results.metrics, results.predictions)

    def behind(self, key: Mapping[str, str], results: Results) -> dict[str, pd.DataFrame]:
        claim = claim_of(key, results)
        top1 = cells.cells_of(results.claims, claim, results.metrics)
        named = ("dataset", "pretrain_dataset", "subject", "opponent")
        return cells.sides(top1, results.claims.protocol_of(claim), *(key[name] for name in named))

    def part(
        self, key: Mapping[str, str], groups: Mapping[str, pd.DataFrame], results: Results
    ) -> Results:
        """All metrics, which say who the others are, and the predictions of the claim's runs."""
        claim = claim_of(key, results)
        needed = cells.cells_of(results.claims, claim, results.metrics)["run_id"]
        alone = results.claims.model_copy(update={"claims": [claim]})
        needed = needed if len(needed) else results.metrics["run_id"].iloc[:1]
        return results.only(needed, metrics=results.metrics, claims=alone)

    def how(self, column: str, results: Results) -> str:
        claims = results.claims
        return (
            "top-1 of the subject minus that of the opponent, clip by clip, averaged over encoder and "
            f"probe seeds; interval: {claims.resamples} bootstrap samples of clips and seeds; p: "
            f"{claims.flips} sign flips, Holm-corrected within the claim"
        )


def claim_of(key: Mapping[str, str], results: Results) -> Claim:
    """The claim that a row is about.

    Raises:
        UserError: the study no longer has it.
    """
    for claim in results.claims.claims:
        if claim.id == key["claim"]:
            return claim
    hint = nearest(key["claim"], [claim.id for claim in results.claims.claims])
    raise UserError(f"{results.paths('claims')[0]}: no longer has this claim. {hint}")
