"""Phonology: how well features tell handshape, location and movement, on signs that the probe never saw."""

import numpy as np
import pandas as pd

from sslslr.evaluation.protocols.phonology import PARAMETERS
from sslslr.report.names import telling
from sslslr.report.results import Results
from sslslr.report.tables import register
from sslslr.report.tables._base import Column, Row, Table
from sslslr.report.tables._cells import ENCODER, METHOD, SOURCE, TAG, TARGET, VIEWS, percent

RUN = ["dataset", "method", "augmentation", "variant", "tag", "pretrain_dataset"]
SCORES = [f"{name}{end}" for name in PARAMETERS for end in ("", "_std", "_chance")]


def _column(parameter: str) -> Column:
    def cell(row: Row) -> str:
        if pd.isna(row[parameter]):
            return "–"
        spread = row[f"{parameter}_std"]
        spread = "" if pd.isna(spread) else f" ± {percent(spread)}"
        return f"{percent(row[parameter])}{spread} ({percent(row[f'{parameter}_chance'])})"

    return Column(parameter.capitalize(), parameter, cell, "in brackets: chance")


@register
class Phonology(Table):
    title = "Phonology"
    caption = (
        "Balanced accuracy in percent of a probe that tells a parameter of a sign from the clips of other "
        "signs: mean ± standard deviation over encoder seeds. Raw keypoints stand beside it."
    )
    reads = ("metrics",)
    made_of = "scores"
    key = tuple(RUN)
    place = 46
    columns = (
        TARGET, METHOD, SOURCE, VIEWS, ENCODER, TAG, *(_column(name) for name in PARAMETERS),
        Column("Seeds", "seeds"),
    )  # fmt: skip

    def rows(self, results: Results) -> pd.DataFrame:
        return phonology(results.scores)

    def own(self, results: Results) -> pd.DataFrame:
        return _own(results.scores)

    def how(self, column: str, results: Results) -> str:
        return "mean or standard deviation over encoder seeds of the protocol phonology"


def _own(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[telling(scores, "phonology")]


def phonology(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a target and method, seeds together; columns RUN, SCORES, seeds."""
    rows = []
    for values, group in _own(scores).groupby(RUN):
        metrics = group.groupby("metric")["value"]
        means, stds = metrics.mean(), metrics.std()
        row = dict(zip(RUN, values, strict=True))
        for name in PARAMETERS:
            row[name], row[f"{name}_std"] = means.get(name, np.nan), stds.get(name, np.nan)
            row[f"{name}_chance"] = means.get(f"{name}_chance", np.nan)
        rows.append(row | {"seeds": group["seed"].nunique()})
    return pd.DataFrame(rows, columns=[*RUN, *SCORES, "seeds"])
