"""Which rows of the metrics a claim is about, and what it needs that they lack."""

import numpy as np
import pandas as pd

from sslslr.statistics.claims.schema import EACH_OTHER, Claim, Claims, Selector, label
from sslslr.statistics.correctness import with_labels

CONFIG = ["method", "augmentation", "variant", "tag", "pretrain_dataset"]
SELECTED = CONFIG[:4]
UNTRAINED = "none"  # pretraining set of a method that does not pretrain
OWN = "target"  # of a selector: whatever set the target is made of


def missing(claims: Claims, claim: Claim, metrics: pd.DataFrame) -> list[str]:
    """What the claim needs and `metrics` lacks, named: runs, protocols, targets; [] if nothing."""
    every = cells_of(claims, claim, metrics)
    subjects = subjects_of(claims, claim, every)
    found = []
    for selector in _deciding(claim, metrics):
        protocol = claims.protocol_of(claim, selector)
        what = f"no metrics of protocol {protocol} at label_fraction {claim.label_fraction:g}"
        cells = scored_by(every, protocol)
        if sentence := unmatched(selector, metrics):
            found.append(sentence)
        elif cells.empty:
            found.append(what)
        elif matching(cells, selector).empty:
            found.append(f"{what} for {selector}")
        elif selector is claim.subject and subjects.empty:
            place = "its own data or language" if claim.scope == "own" else "another language's set"
            found.append(f"no metrics of protocol {protocol} for {selector} on {place}")
        else:
            found += [
                f"no metrics of protocol {protocol} for {selector} on {dataset} "
                f"(pretrained on {selector.pretrained or pretrained})"
                for dataset, pretrained in places(subjects)
                if opponents(cells, selector, dataset, pretrained).empty
            ]
    return list(dict.fromkeys(found))


def without_runs(claims: Claims, runs: pd.DataFrame) -> list[str]:
    """Claims that no run of a study can answer, each with what it lacks; runs: a row a run, `SELECTED`."""
    found = []
    for claim in claims.claims:
        lacking = list(filter(None, (unmatched(s, runs) for s in _deciding(claim, runs))))
        found += [f"{claim.id}: {lacking[0]}"] if lacking else []
    return found


def _deciding(claim: Claim, metrics: pd.DataFrame) -> list[Selector]:
    """The subject, and each opponent that is part of the verdict."""
    opposed = [s for o in claim.against if o.decides for s in o.singles(metrics, claim.subject)]
    return [claim.subject, *opposed]


def unmatched(selector: Selector, metrics: pd.DataFrame) -> str | None:
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


def cells_of(claims: Claims, claim: Claim, metrics: pd.DataFrame) -> pd.DataFrame:
    """The top-1 rows of the claim's protocols; one a run, data set, protocol and probe seed."""
    protocols = {claims.protocol_of(claim, side) for side in (claim.subject, *claim.against)}
    top1 = metrics[(metrics["metric"] == "top1") & metrics["protocol"].isin(protocols)]
    return with_labels(top1, claim.label_fraction)


def scored_by(cells: pd.DataFrame, protocol: str) -> pd.DataFrame:
    """Cells of one protocol."""
    return cells[cells["protocol"] == protocol]


def matching(cells: pd.DataFrame, selector: Selector) -> pd.DataFrame:
    """Cells of the runs that a selector names, whatever they were pretrained on."""
    for column in SELECTED:
        if (value := getattr(selector, column)) is not None:
            cells = cells[cells[column] == value]
    return cells


def subjects_of(claims: Claims, claim: Claim, cells: pd.DataFrame) -> pd.DataFrame:
    """The subject's cells in the claim's scope.

    `own` is the target of the pretraining set's name. A set that is no target itself (WLASL-2000,
    evaluated on WLASL-100) is judged on the targets made of its clips or of its language's, as
    `sslslr.workflow.grid.targets` evaluates it there.
    """
    cells = scored_by(matching(cells, claim.subject), claims.protocol_of(claim))
    cells = trained_on(cells, claim.subject.pretrained)
    cells = cells[cells["pretrain_dataset"] != UNTRAINED]
    clips_of = cells["target_dataset"] if "target_dataset" in cells else cells["dataset"]
    pairs = zip(clips_of, cells["pretrain_dataset"], strict=True)
    # An empty list would select columns.
    transfers = np.array([claims.is_transfer(d, p) for d, p in pairs], dtype=bool)
    if claim.scope == "transfer":
        return cells[transfers]
    own = cells["dataset"] == cells["pretrain_dataset"]
    has_own = cells["pretrain_dataset"].isin(set(cells["pretrain_dataset"][own]))
    return cells[own | (~has_own & ~transfers)]


def places(cells: pd.DataFrame) -> list[tuple[str, str]]:
    """Each target with each pretraining set, sorted."""
    return sorted(set(zip(cells["dataset"], cells["pretrain_dataset"], strict=True)))


def opponents(
    cells: pd.DataFrame, selector: Selector, dataset: str, pretrained: str
) -> pd.DataFrame:
    """Cells of `selector` on a target, comparable to a subject that was pretrained on `pretrained`.

    These are its runs on the same set, or on the set that the selector names, and untrained ones.
    """
    cells = matching(cells, selector)
    return trained_on(cells[cells["dataset"] == dataset], selector.pretrained or pretrained)


def sides(
    cells: pd.DataFrame, protocol: str, dataset: str, pretrained: str, subject: str, opponent: str
) -> dict[str, pd.DataFrame]:
    """The cells of a comparison's two sides, found by the labels that the comparison gives them.

    Args:
        protocol: of the claim.
    """
    here = cells[cells["dataset"] == dataset]
    own = scored_by(trained_on(here, pretrained), protocol)
    named = [label(row) == subject for row in own.to_dict("records")]
    others = [label(row, pretrained, protocol) == opponent for row in here.to_dict("records")]
    return {
        "subject": own[np.array(named, dtype=bool)],
        "opponent": here[np.array(others, dtype=bool)],
    }


def trained_on(cells: pd.DataFrame, pretrained: str | None) -> pd.DataFrame:
    """Cells of encoders pretrained on a set, or untrained. None: all of them."""
    if pretrained is None:
        return cells
    own = cells["target_dataset"] if "target_dataset" in cells else cells["dataset"]
    trained = cells["pretrain_dataset"]
    return cells[(trained == (own if pretrained == OWN else pretrained)) | (trained == UNTRAINED)]
