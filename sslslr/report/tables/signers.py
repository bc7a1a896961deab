"""Signers: the score of each when left out, and how well the features tell who signs."""

import numpy as np
import pandas as pd

from sslslr.report.names import telling
from sslslr.report.results import Results
from sslslr.report.tables import register
from sslslr.report.tables._base import Column, Row, Table
from sslslr.report.tables._cells import ENCODER, METHOD, SOURCE, TAG, TARGET, VIEWS, percent

RUN = ["dataset", "method", "augmentation", "variant", "tag", "pretrain_dataset"]
OF_ONE_OUT = ["top1", "signer_mean", "signer_std", "signer_worst", "signers_pretrained"]
LEAKAGE = ["leakage", "leakage_chance"]


def _spread(row: Row) -> str:
    if pd.isna(row["signer_mean"]):
        return "–"
    return f"{percent(row['signer_mean'])} ± {percent(row['signer_std'])}"


def _seen(row: Row) -> str:
    share = row["signers_pretrained"]
    return "n/a" if pd.isna(share) else f"{100 * share:.0f} %"


@register
class Signers(Table):
    title = "Signers"
    caption = (
        "Top-1 in percent of signers who were left out of the probe's training, one at a time, and the "
        "balanced accuracy of a probe that tells who signs. Mean over encoder seeds."
    )
    reads = ("metrics",)
    made_of = "scores"
    key = tuple(RUN)
    place = 45
    columns = (
        TARGET, METHOD, SOURCE, VIEWS, ENCODER, TAG,
        Column("Mean ± spread", "signer_mean", _spread, "over the signers that were left out"),
        Column("Worst signer", "signer_worst", lambda row: percent(row["signer_worst"])),
        Column("Signers seen", "signers_pretrained", _seen,
               "share of the signers of whose clips pretraining saw some, without labels (n/a: not known)"),
        Column("Who signs", "leakage", lambda row: percent(row["leakage"]),
               "balanced accuracy; less is better for somebody new, and raw keypoints stand beside it"),
        Column("Chance", "leakage_chance", lambda row: percent(row["leakage_chance"]),
               "of naming the signer"),
        Column("Seeds", "seeds"),
    )  # fmt: skip

    def rows(self, results: Results) -> pd.DataFrame:
        return signers(results.scores)

    def own(self, results: Results) -> pd.DataFrame:
        return _own(results.scores)

    def how(self, column: str, results: Results) -> str:
        return "mean over encoder seeds of the protocol leave_one_signer_out or signer_leakage"


def _own(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["protocol"].eq("leave_one_signer_out") | telling(scores, "signer")]


def signers(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a target and method, seeds together; columns RUN, OF_ONE_OUT, LEAKAGE, seeds."""
    rows = []
    for values, group in _own(scores).groupby(RUN):
        leaks = telling(group, "signer")
        means = group[~leaks].groupby("metric")["value"].mean()
        told = group[leaks & group["metric"].eq("balanced_accuracy")]
        rows.append(
            {
                **dict(zip(RUN, values, strict=True)),
                **{name: means.get(name, np.nan) for name in OF_ONE_OUT},
                "leakage": told["value"].mean(),
                "leakage_chance": 1 / told["n_classes"].iloc[0] if len(told) else np.nan,
                "seeds": group["seed"].nunique(),
            }
        )
    return pd.DataFrame(rows, columns=[*RUN, *OF_ONE_OUT, *LEAKAGE, "seeds"])
