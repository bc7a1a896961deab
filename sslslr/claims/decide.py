"""The comparisons of a claim, and the verdict that they allow."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from sslslr.claims.matching import CONFIG, at, cells_of, matching, missing, subjects_of
from sslslr.claims.schema import Claim, Claims, label
from sslslr.errors import UserError
from sslslr.paired import detectable, holm, paired_difference, paired_p_value

HOLDS, FAILS, UNSURE = "holds", "does not hold", "cannot tell"
# metrics.csv may be rounded; half of one clip in a thousand is not a disagreement.
ROUNDING = 5e-4
COMPARISON = (
    "claim", "dataset", "pretrain_dataset", "subject", "opponent", "decides", "subject_accuracy",
    "opponent_accuracy", "difference", "low", "high", "p", "p_corrected", "n_test",
    "subject_seeds", "opponent_seeds", "smallest_difference", "outcome",
)  # fmt: skip


def decide(claims: Claims, metrics: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """One row a claim, target data set, pretraining set and opponent.

    Args:
        metrics, predictions: of the studies, as :mod:`sslslr.report.collect` reads them.

    Returns:
        Columns `COMPARISON`; accuracies are top-1 in 0..1, averaged over probe and encoder seeds.
        `p` is of the difference being the claim's margin. `p_corrected` is NaN, and `outcome` by
        the plain p, for an opponent that does not decide.

    Raises:
        UserError: runs that were scored on other clips, or predictions that are absent or
            contradict metrics.csv.
    """
    rows: list[dict[str, Any]] = []
    for claim in claims.claims:
        cells = cells_of(claims, claim, metrics)
        right = _Correctness(predictions, cells, claims.protocol_of(claim), claim.label_fraction)
        own = [
            {
                "claim": claim.id,
                **_compare(claims, claim.margin, right, subject, opponent),
                "decides": decides,
            }
            for subject, opponent, decides in _pairs(claims, claim, metrics, cells)
        ]
        deciding = [row for row in own if row["decides"]]
        for row, p in zip(deciding, holm([row["p"] for row in deciding]), strict=True):
            row["p_corrected"] = float(p)
        for row in own:
            row.setdefault("p_corrected", np.nan)
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
        verdict (NaN without one); comparisons, their number; seeds, the fewest of that comparison, or
        of any where the claim holds; missing, what is absent, "; " between. What was not compared at
        all comes last.
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
        worst, seeds = dict.fromkeys(shown, np.nan), 0
        if len(decisive):
            # Of the comparisons that the verdict rests on, if it rests on some and not on a lack.
            why = decisive[decisive["outcome"] == verdict]
            why = why if len(why) else decisive
            why = why.sort_values("difference", kind="stable")
            worst = why.iloc[0][shown].to_dict()
            # A claim that fails does so by one comparison: other runs' seeds take nothing from it.
            counted = why if verdict == HOLDS else why.iloc[:1]
            seeds = int(counted[["subject_seeds", "opponent_seeds"]].to_numpy().min())
        rows.append(
            {
                "claim": claim.id,
                "statement": claim.statement,
                "source": claim.source,
                "verdict": verdict,
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
            done = {own}  # a subject is not its own opponent, nor an opponent named twice two
            for opponent in claim.against:
                for selector in opponent.singles(metrics, claim.subject):
                    found = at(matching(cells, selector), dataset, pretrained)
                    for config, group in found.groupby(CONFIG):
                        if config not in done:
                            done.add(config)
                            yield subject, group, opponent.decides


class _Correctness:
    """Per-clip correctness of runs, computed when asked for and kept."""

    def __init__(
        self, predictions: pd.DataFrame, cells: pd.DataFrame, protocol: str, fraction: float
    ):
        kept = predictions[
            (predictions["protocol"] == protocol)
            & np.isclose(predictions["label_fraction"], fraction, atol=1e-5)
            & (predictions["shots"] == 0)
        ]
        self._tables = dict(list(kept.groupby(["run_id", "dataset"])))
        self._stated = cells.groupby(["run_id", "dataset"])["value"].mean()
        self._found: dict[tuple[str, str], tuple[pd.Series, pd.Series]] = {}

    def of(self, cells: pd.DataFrame, reference: Any = None) -> tuple[np.ndarray, Any]:
        """Correctness (encoder seeds, n) and the labels, whose clips must be `reference`'s."""
        rows = []
        for run_id, dataset in sorted(set(zip(cells["run_id"], cells["dataset"], strict=True))):
            right, labels = self._run(run_id, dataset)
            if reference is not None and not labels.equals(reference[1]):
                raise UserError(
                    f"predictions on {dataset!r}: runs {reference[0]!r} and {run_id!r} were scored "
                    f"on other test clips or labels ({len(reference[1])} and {len(labels)} clips), "
                    "so they cannot be compared. Evaluate both again on the same data."
                )
            reference = reference or (run_id, labels)
            rows.append(right.to_numpy())
        return np.array(rows), reference

    def _run(self, run_id: str, dataset: str) -> tuple[pd.Series, pd.Series]:
        key = (run_id, dataset)
        if key not in self._found:
            where = f"predictions of run {run_id!r} on {dataset!r}"
            if key not in self._tables:
                raise UserError(f"{where}: none found. Give the run's predictions.parquet as well.")
            table = self._tables[key]
            table = table.assign(right=table["best"].str[0] == table["label"])
            by_clip = table.groupby("clip_id")
            right, counts = by_clip["right"].mean(), by_clip.size()
            if abs(right.mean() - self._stated[key]) > ROUNDING or (counts != counts.iloc[0]).any():
                raise UserError(
                    f"{where}: top-1 {right.mean():.4f}, but metrics.csv says "
                    f"{self._stated[key]:.4f}; the files are of different evaluations. "
                    "Evaluate the run again."
                )
            self._found[key] = right, by_clip["label"].first()
        return self._found[key]


def _compare(
    claims: Claims,
    margin: float,
    right: _Correctness,
    subject: pd.DataFrame,
    opponent: pd.DataFrame,
) -> dict[str, Any]:
    a, reference = right.of(subject)
    b, _ = right.of(opponent, reference)
    difference, low, high = paired_difference(a, b, claims.level, claims.resamples)
    return {
        "dataset": subject["dataset"].iloc[0],
        "pretrain_dataset": subject["pretrain_dataset"].iloc[0],
        "subject": label(subject.iloc[0]),
        "opponent": label(opponent.iloc[0]),
        "subject_accuracy": float(a.mean()),
        "opponent_accuracy": float(b.mean()),
        "difference": difference,
        "low": low,
        "high": high,
        "p": paired_p_value(a - margin, b, claims.flips),
        "n_test": a.shape[1],
        "subject_seeds": len(a),
        "opponent_seeds": len(b),
        "smallest_difference": detectable(a, b, level=claims.alpha),
    }


def _outcome(row: dict[str, Any], alpha: float, margin: float) -> str:
    p = row["p_corrected"] if row["decides"] else row["p"]
    if p >= alpha or row["low"] <= margin <= row["high"]:
        return UNSURE
    return HOLDS if row["low"] > margin else FAILS
