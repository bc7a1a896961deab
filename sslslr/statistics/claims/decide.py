"""The comparisons of a claim, and the verdict that they allow."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from sslslr.statistics.claims.matching import (
    CONFIG,
    cells_of,
    missing,
    opponents,
    scored_by,
    subjects_of,
)
from sslslr.statistics.claims.schema import Claim, Claims, label
from sslslr.statistics.comparisons import detectable, holm, paired_difference, paired_p_value
from sslslr.statistics.correctness import Guesses, keys_of

HOLDS, FAILS, UNSURE = "holds", "does not hold", "cannot tell"
NOT_FITTED = "probe not fitted"
FEWEST_SEEDS = 3  # of encoders on either side: fewer say nothing of how seeds vary
COMPARISON = (
    "claim", "dataset", "pretrain_dataset", "subject", "opponent", "decides", "subject_accuracy",
    "opponent_accuracy", "difference", "low", "high", "p", "p_corrected", "n_test",
    "subject_seeds", "opponent_seeds", "seeds", "smallest_difference", "subject_fitted", "opponent_fitted",
    "outcome", "reason",
)  # fmt: skip


def decide(claims: Claims, metrics: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """One row a claim, target data set, pretraining set and opponent.

    Args:
        metrics, predictions: of the studies, as :mod:`sslslr.report.reading` reads them.

    Returns:
        Columns `COMPARISON`; accuracies are top-1 in 0..1, averaged over probe and encoder seeds.
        `p` is of the difference being the claim's margin. `p_corrected` is NaN, and `outcome` by
        the plain p, for an opponent that does not decide. `seeds` is the fewer of the two sides, of those
        whose encoder has weights. `subject_fitted` and `opponent_fitted` say
        whether all of a side's probes were fitted (true where a protocol has no rule); `reason` says
        what forbids an outcome whatever p is, "" where nothing does.

    Raises:
        UserError: runs that were scored on other clips, or predictions that are absent or
            contradict metrics.csv.
    """
    rows: list[dict[str, Any]] = []
    fractions = {claim.label_fraction for claim in claims.claims}
    guesses = {share: Guesses(predictions, metrics, share) for share in fractions}
    for claim in claims.claims:
        cells = cells_of(claims, claim, metrics)
        own = [
            {
                "claim": claim.id,
                **_compare(claims, claim.margin, guesses[claim.label_fraction], subject, opponent),
                "decides": decides,
            }
            for subject, opponent, decides in _pairs(claims, claim, metrics, cells)
        ]
        deciding = [row for row in own if row["decides"]]
        for row, p in zip(deciding, holm([row["p"] for row in deciding]), strict=True):
            row["p_corrected"] = float(p)
        for row in own:
            row.setdefault("p_corrected", np.nan)
            row["reason"] = _reason(row)
            row["outcome"] = _outcome(row, claims.alpha, claim.margin)
        rows += own
    return pd.DataFrame(rows, columns=list(COMPARISON))


def verdicts(claims: Claims, comparisons: pd.DataFrame, metrics: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: the verdict, and the worst comparison for the claim that gives it.

    Args:
        comparisons: of :func:`decide`, for the same metrics.

    Returns:
        Columns claim, statement, source, verdict; dataset, pretrain_dataset, opponent, difference,
        low, high, p_corrected, n_test, smallest_difference of the worst comparison that gives the
        verdict (NaN without one); reason, why that comparison allows none; comparisons, their number;
        seeds, the fewest of that comparison, or of any where the claim holds; missing, what is
        absent, "; " between. What was not compared at all comes last.
    """
    rows = []
    for claim in claims.claims:
        decisive = comparisons[(comparisons["claim"] == claim.id) & comparisons["decides"]]
        absent = missing(claims, claim, metrics)
        if (decisive["outcome"] == FAILS).any():
            verdict = FAILS
        elif len(decisive) and (decisive["outcome"] == HOLDS).all() and not absent:
            verdict = HOLDS
        else:
            verdict = UNSURE
        shown = ["dataset", "pretrain_dataset", "opponent", "difference", "low", "high",
                 "p_corrected", "n_test", "smallest_difference"]  # fmt: skip
        worst, seeds, reason = dict.fromkeys(shown, np.nan), 0, ""
        if len(decisive):
            # Of the comparisons that the verdict rests on, if it rests on some and not on a lack.
            why = decisive[decisive["outcome"] == verdict]
            why = why if len(why) else decisive
            if verdict == UNSURE and (why["reason"] != "").any():
                why = why[why["reason"] != ""]
            why = why.sort_values("difference", kind="stable")
            reason = why.iloc[0]["reason"]
            worst = why.iloc[0][shown].to_dict()
            # A claim that fails does so by one comparison: other runs' seeds take nothing from it.
            counted = why if verdict == HOLDS else why.iloc[:1]
            seeds = int(counted["seeds"].min())
        rows.append(
            {
                "claim": claim.id,
                "statement": claim.statement,
                "source": claim.source,
                "verdict": verdict,
                "reason": reason,
                **worst,
                "comparisons": len(decisive),
                "seeds": seeds,
                "missing": "; ".join(absent),
            }
        )
    rows.sort(key=lambda row: row["comparisons"] == 0)
    return pd.DataFrame(rows)


def _pairs(
    claims: Claims, claim: Claim, metrics: pd.DataFrame, cells: pd.DataFrame
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame, bool]]:
    """Cells of the subject and of one opponent on one target, and whether it decides."""
    for (dataset, pretrained), place in subjects_of(claims, claim, cells).groupby(
        ["dataset", "pretrain_dataset"]
    ):
        for own, subject in place.groupby(CONFIG):
            # A subject is not its own opponent, nor an opponent named twice two.
            done = {(claims.protocol_of(claim), own)}
            for opponent in claim.against:
                protocol = claims.protocol_of(claim, opponent)
                scored = scored_by(cells, protocol)
                for selector in opponent.singles(metrics, claim.subject):
                    found = opponents(scored, selector, dataset, pretrained)
                    for config, group in found.groupby(CONFIG):
                        if (protocol, config) not in done:
                            done.add((protocol, config))
                            yield subject, group, opponent.decides


def _compare(
    claims: Claims,
    margin: float,
    guesses: Guesses,
    subject: pd.DataFrame,
    opponent: pd.DataFrame,
) -> dict[str, Any]:
    own, others = keys_of(subject), keys_of(opponent)
    right = guesses.correctness([*own, *others])
    a, b = right.iloc[: len(own)].to_numpy(), right.iloc[len(own) :].to_numpy()
    first, other = subject.iloc[0], opponent.iloc[0]
    sizes = ((first, len(a)), (other, len(b)))
    drawn = [runs for side, runs in sizes if not claims.is_fixed(side["variant"])]
    difference, low, high = paired_difference(a, b, claims.level, claims.resamples)
    return {
        "dataset": first["dataset"],
        "pretrain_dataset": first["pretrain_dataset"],
        "subject": label(first),
        "opponent": label(other, first["pretrain_dataset"], first["protocol"]),
        "subject_accuracy": float(a.mean()),
        "opponent_accuracy": float(b.mean()),
        "difference": difference,
        "low": low,
        "high": high,
        "p": paired_p_value(a - margin, b, claims.flips),
        "n_test": a.shape[1],
        "subject_seeds": len(a),
        "opponent_seeds": len(b),
        "seeds": min(drawn) if drawn else 1,
        "drawn": bool(drawn),
        "smallest_difference": detectable(a, b, level=claims.alpha),
        "subject_fitted": _fitted(subject),
        "opponent_fitted": _fitted(opponent),
    }


def _fitted(cells: pd.DataFrame) -> bool:
    return "fitted" not in cells or not (cells["fitted"] == 0).any()


def _reason(row: dict[str, Any]) -> str:
    """What forbids an outcome: a probe that is not fitted, or too few seeds; "" where nothing does."""
    if not (row["subject_fitted"] and row["opponent_fitted"]):
        return NOT_FITTED
    seeds = row["seeds"]
    if row["drawn"] and seeds < FEWEST_SEEDS:
        return f"{seeds} seed{'s' if seeds > 1 else ''}"
    return ""


def _outcome(row: dict[str, Any], alpha: float, margin: float) -> str:
    p = row["p_corrected"] if row["decides"] else row["p"]
    if row["reason"] or p >= alpha or row["low"] <= margin <= row["high"]:
        return UNSURE
    return HOLDS if row["low"] > margin else FAILS
