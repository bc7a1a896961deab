"""The paper's claims as hypotheses that code decides (`config/claims.yaml`).

A claim says that a *subject* (a method with its views) scores higher than each of its *opponents*.
Every comparison is paired on the test clips of one target data set, for encoders pretrained on the
same data (untrained opponents fit any). A comparison is significant if the p value, corrected by
Holm within the claim, is below `alpha` **and** the interval over clips and encoder seeds excludes 0:
the p value knows the clips alone, and encoders of one method differ by several points.

    holds           every comparison is significant and positive, and nothing is missing
    does not hold   an interval's upper end is below `margin`, the effect that is claimed at least
    cannot tell     otherwise
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import Field

from sslslr.config import Name, Strict, parse
from sslslr.errors import UserError
from sslslr.paired import holm, paired_difference, paired_p_value, smallest_detectable_difference

HOLDS, FAILS, UNSURE = "holds", "does not hold", "cannot tell"
EACH_OTHER = "each_other"
# Never an opponent of "each other": no method, no views, and the ceiling, which sees all labels.
NOT_OTHERS = {"none", "supervised"}
UNTRAINED = "none"  # pretraining set of a method that does not pretrain
CONFIG = ["method", "augmentation", "variant", "tag", "pretrain_dataset"]
SELECTED = CONFIG[:4]
# metrics.csv may be rounded; half of one clip in a thousand is not a disagreement.
ROUNDING = 5e-4
COMPARISON = (
    "claim", "dataset", "pretrain_dataset", "subject", "opponent", "decides", "subject_accuracy",
    "opponent_accuracy", "difference", "low", "high", "p", "p_corrected", "n_test",
    "subject_seeds", "opponent_seeds", "smallest_difference", "outcome",
)  # fmt: skip


class Selector(Strict):
    """Runs by their columns in metrics.csv; a list means each of its names by itself."""

    method: Name | list[Name] = Field(description="Name in the study, or `each_other`.")
    augmentation: Name | list[Name] | None = Field(
        None, description="Left out: every one that was run, each by itself. Or `each_other`."
    )
    variant: str | None = Field("paper", description="Of the encoder; null: every one.")
    tag: str | None = Field("", description="Of the ablation; empty: none. null: every one.")

    def singles(self, metrics: pd.DataFrame, subject: "Selector | None") -> list["Selector"]:
        """One selector for each name; `each_other` becomes the names that `metrics` has."""
        lists = {}
        for column in ("method", "augmentation"):
            value = getattr(self, column)
            if value == EACH_OTHER:
                own = {getattr(subject, column)} | NOT_OTHERS
                value = sorted(set(metrics[column]) - own) or [EACH_OTHER]
            lists[column] = value if isinstance(value, list) else [value]
        pairs = itertools.product(*lists.values())
        return [self.model_copy(update=dict(zip(lists, pair, strict=True))) for pair in pairs]

    def __str__(self) -> str:
        return _label(self.model_dump())


class Opponent(Selector):
    decides: bool = Field(True, description="false: shown, but no part of the verdict.")


class Claim(Strict):
    id: Name
    statement: str
    source: Literal["paper", "ours"] = Field(description="Who claims it.")
    subject: Selector = Field(description="Names one method and one augmentation.")
    against: list[Opponent] = Field(min_length=1)
    protocol: Name | None = Field(None, description="Left out: that of the file.")
    label_fraction: float = Field(1.0, gt=0, le=1)
    scope: Literal["own", "transfer"] = Field(
        "own", description="own: pretrained on the target's data. transfer: on another's."
    )
    margin: float = Field(0.0, ge=0, lt=1, description="Effect claimed at least, in 0..1.")


class Claims(Strict):
    protocol: Name = Field("linear", description="Protocol that claims are judged by.")
    level: float = Field(0.95, gt=0, lt=1, description="Coverage of the intervals.")
    alpha: float = Field(0.05, gt=0, lt=1, description="Of the corrected p value.")
    resamples: int = Field(2000, ge=100, description="Of the bootstrap.")
    flips: int = Field(10_000, ge=100, description="Of the permutation test.")
    same_language: list[list[Name]] = Field(
        [], description="Groups of data sets between which nothing transfers across languages."
    )
    claims: list[Claim] = Field(min_length=1)

    def protocol_of(self, claim: Claim) -> str:
        return claim.protocol or self.protocol

    def is_transfer(self, dataset: str, pretrain_dataset: str) -> bool:
        pair = {dataset, pretrain_dataset}
        return len(pair) == 2 and not any(pair <= set(group) for group in self.same_language)


def load(path: str | Path) -> Claims:
    """Read the claims' YAML file.

    Raises:
        UserError: no such file, not YAML, an invalid key, or an id that two claims share.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file of claims.") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {error}") from None
    claims = parse(Claims, values, str(path))
    ids = [claim.id for claim in claims.claims]
    if twice := [name for name in ids if ids.count(name) > 1]:
        raise UserError(f"{path}: two claims have the id {twice[0]!r}; rename one.")
    return claims


def decide(claims: Claims, metrics: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """One row a claim, target data set, pretraining set and opponent.

    Args:
        metrics, predictions: of the studies, as :mod:`sslslr.report.collect` reads them.

    Returns:
        Columns `COMPARISON`; accuracies are top-1 in 0..1, averaged over probe and encoder seeds.
        `p_corrected` is NaN, and `outcome` by the plain p, for an opponent that does not decide.

    Raises:
        UserError: runs that were scored on other clips, or predictions that are absent or
            contradict metrics.csv.
    """
    rows: list[dict[str, Any]] = []
    for claim in claims.claims:
        cells = _cells(claims, claim, metrics)
        right = _Correctness(predictions, cells, claims.protocol_of(claim), claim.label_fraction)
        own = [
            {"claim": claim.id, **_compare(claims, right, subject, opponent), "decides": decides}
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
    """One row a claim: the verdict, and the comparison that is worst for the claim.

    Args:
        comparisons: of :func:`decide`, for the same metrics.

    Returns:
        Columns claim, statement, source, verdict; dataset, pretrain_dataset, opponent, difference,
        low, high, p_corrected, n_test, smallest_difference of the worst comparison (NaN without
        one); comparisons, their number; seeds, the fewest of any; missing, what is absent, "; "
        between.
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
        worst = dict.fromkeys(shown, np.nan)
        if len(decisive):
            worst = decisive.sort_values("difference", kind="stable").iloc[0][shown].to_dict()
        seeds = decisive[["subject_seeds", "opponent_seeds"]].to_numpy()
        rows.append(
            {
                "claim": claim.id,
                "statement": claim.statement,
                "source": claim.source,
                "verdict": verdict,
                **worst,
                "comparisons": len(decisive),
                "seeds": int(seeds.min()) if len(decisive) else 0,
                "missing": "; ".join(absent),
            }
        )
    return pd.DataFrame(rows)


def missing(claims: Claims, claim: Claim, metrics: pd.DataFrame) -> list[str]:
    """What the claim needs and `metrics` lacks, named: runs, protocols, targets; [] if nothing."""
    protocol, fraction = claims.protocol_of(claim), claim.label_fraction
    what = f"no metrics of protocol {protocol} at label_fraction {fraction:g}"
    cells = _cells(claims, claim, metrics)
    subjects = _subjects(claims, claim, cells)
    deciding = [s for o in claim.against if o.decides for s in o.singles(metrics, claim.subject)]
    found = []
    for selector in [claim.subject, *deciding]:
        if sentence := _unmatched(selector, metrics):
            found.append(sentence)
        elif cells.empty:
            found.append(what)
        elif _matching(cells, selector).empty:
            found.append(f"{what} for {selector}")
        elif selector is claim.subject and subjects.empty:
            place = "its own pretraining set" if claim.scope == "own" else "another language's set"
            found.append(f"no metrics of protocol {protocol} for {selector} on {place}")
        else:
            found += [
                f"no metrics of protocol {protocol} for {selector} on {dataset} "
                f"(pretrained on {pretrained})"
                for dataset, pretrained in _places(subjects)
                if _at(_matching(cells, selector), dataset, pretrained).empty
            ]
    return list(dict.fromkeys(found))


def _unmatched(selector: Selector, metrics: pd.DataFrame) -> str | None:
    """Sentence on the first column of the selector that no run has; None if there is a run."""
    named: list[str] = []
    for column in SELECTED:
        value = getattr(selector, column)
        if value is None:
            continue
        metrics = metrics[metrics[column] == value]
        said = f"{column} {value}" if value else f"no {column}"
        named.append(said.replace(EACH_OTHER, "other than the subject's"))
        if metrics.empty:
            return f"no run of {named[0]}" + (f" with {', '.join(named[1:])}" if named[1:] else "")
    return None


def _cells(claims: Claims, claim: Claim, metrics: pd.DataFrame) -> pd.DataFrame:
    """The top-1 rows that the claim is judged by; one a run, data set and probe seed."""
    return metrics[
        (metrics["metric"] == "top1")
        & (metrics["protocol"] == claims.protocol_of(claim))
        & np.isclose(metrics["label_fraction"], claim.label_fraction, atol=1e-5)
        & (metrics["shots"] == 0)
    ]


def _matching(cells: pd.DataFrame, selector: Selector) -> pd.DataFrame:
    for column in SELECTED:
        if (value := getattr(selector, column)) is not None:
            cells = cells[cells[column] == value]
    return cells


def _subjects(claims: Claims, claim: Claim, cells: pd.DataFrame) -> pd.DataFrame:
    """The subject's cells in the claim's scope."""
    cells = _matching(cells, claim.subject)
    if claim.scope == "own":
        return cells[cells["dataset"] == cells["pretrain_dataset"]]
    places = zip(cells["dataset"], cells["pretrain_dataset"], strict=True)
    return cells[[p != UNTRAINED and claims.is_transfer(d, p) for d, p in places]]


def _places(cells: pd.DataFrame) -> list[tuple[str, str]]:
    return sorted(set(zip(cells["dataset"], cells["pretrain_dataset"], strict=True)))


def _at(cells: pd.DataFrame, dataset: str, pretrained: str) -> pd.DataFrame:
    """Cells on a target that are comparable to encoders pretrained on `pretrained`."""
    pretrained_alike = cells["pretrain_dataset"].isin([pretrained, UNTRAINED])
    return cells[(cells["dataset"] == dataset) & pretrained_alike]


def _pairs(
    claims: Claims, claim: Claim, metrics: pd.DataFrame, cells: pd.DataFrame
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame, bool]]:
    """Cells of the subject and of one opponent on one target, and whether it decides."""
    for (dataset, pretrained), place in _subjects(claims, claim, cells).groupby(
        ["dataset", "pretrain_dataset"]
    ):
        for own, subject in place.groupby(CONFIG):
            done = {own}  # a subject is not its own opponent, nor an opponent named twice two
            for opponent in claim.against:
                for selector in opponent.singles(metrics, claim.subject):
                    found = _at(_matching(cells, selector), dataset, pretrained)
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
            if abs(right.mean() - self._stated[key]) > ROUNDING or counts.nunique() != 1:
                raise UserError(
                    f"{where}: top-1 {right.mean():.4f}, but metrics.csv says "
                    f"{self._stated[key]:.4f}; the files are of different evaluations. "
                    "Evaluate the run again."
                )
            self._found[key] = right, by_clip["label"].first()
        return self._found[key]


def _compare(
    claims: Claims, right: _Correctness, subject: pd.DataFrame, opponent: pd.DataFrame
) -> dict[str, Any]:
    a, reference = right.of(subject)
    b, _ = right.of(opponent, reference)
    difference, low, high = paired_difference(a, b, claims.level, claims.resamples)
    per_clip = a.mean(axis=0) - b.mean(axis=0)
    return {
        "dataset": subject["dataset"].iloc[0],
        "pretrain_dataset": subject["pretrain_dataset"].iloc[0],
        "subject": _label(subject.iloc[0]),
        "opponent": _label(opponent.iloc[0]),
        "subject_accuracy": float(a.mean()),
        "opponent_accuracy": float(b.mean()),
        "difference": difference,
        "low": low,
        "high": high,
        "p": paired_p_value(a, b, claims.flips),
        "n_test": a.shape[1],
        "subject_seeds": len(a),
        "opponent_seeds": len(b),
        "smallest_difference": smallest_detectable_difference(
            a.shape[1], float((per_clip**2).mean()), level=claims.alpha
        ),
    }


def _outcome(row: dict[str, Any], alpha: float, margin: float) -> str:
    if row["high"] < margin:
        return FAILS
    p = row["p_corrected"] if row["decides"] else row["p"]
    return HOLDS if p < alpha and row["low"] > 0 else UNSURE


def _label(names: Any) -> str:
    """`sl_fpn, temporal_permutation, no_original`: what tells runs apart, seeds left out."""
    get: Callable[[str], Any] = names.get
    variant = get("variant") if get("variant") not in ("paper", "raw") else ""
    parts = (get("method"), get("augmentation"), variant, get("tag"))
    return ", ".join(str(part) for part in parts if part and part not in ("none", EACH_OTHER))
