"""What new signers cost: one data set under its own split, and dealt out anew.

The data set's split has new signers in its test clips; a second target with `split_by: clips` deals
the same clips out anew, so that signers are on both sides.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sslslr.config.study import TargetConfig
from sslslr.report.names import few_labels
from sslslr.report.results import Results
from sslslr.report.tables import register
from sslslr.report.tables._base import Column, Row, Table, matching
from sslslr.report.tables._cells import SCORED, difference, percent, read_out_of
from sslslr.statistics.correctness import with_labels
from sslslr.statistics.intervals import t_interval

RUN = ["method", "augmentation", "variant", "tag", "pretrain_dataset", "protocol"]
FIELDS = [
    "dataset", *RUN, "known_signers", "read_out", "independent", "dependent", "difference", "low", "high",
    "n_independent", "n_dependent", "seeds",
]  # fmt: skip


def _gap(row: Row) -> str:
    alone = pd.isna(row["low"])
    return f"{100 * row['difference']:+.1f} (1 seed)" if alone else difference(row)


@register
class SignerGap(Table):
    title = "New signers"
    caption = (
        "Top-1 in percent on test clips of new signers, and with the same clips dealt out anew so that "
        "signers are on both sides. Pretraining used the clips of the first split without their "
        "labels, so an encoder that was pretrained on this data set has met test clips of the second."
    )
    reads = ("metrics",)
    key = ("dataset", *RUN, "known_signers")
    words = ("read_out",)
    place = 40
    columns = (
        *SCORED,
        Column("New signers", "independent", lambda row: percent(row["independent"])),
        Column("Known signers", "dependent", lambda row: percent(row["dependent"])),
        Column("Gap", "difference", _gap,
               "known minus new, in percentage points, with a 95 % interval over encoder seeds "
               "(Student's t), which is wide where they are few"),
        Column("n test", "n_independent", lambda row: f"{row['n_independent']} and {row['n_dependent']}",
               "of both splits"),
        Column("Seeds", "seeds"),
    )  # fmt: skip

    def rows(self, results: Results) -> pd.DataFrame:
        return signer_gap(results.metrics, results.study.evaluate.targets)

    def behind(self, key: Mapping[str, str], results: Results) -> dict[str, pd.DataFrame]:
        here = matching(results.top1, **{name: key[name] for name in RUN})
        sides = {"new signers": key["dataset"], "known signers": key["known_signers"]}
        return {side: matching(here, dataset=target) for side, target in sides.items()}

    def how(self, column: str, results: Results) -> str:
        return "mean over encoder seeds of top-1 with known signers minus top-1 with new ones"


def signer_pairs(targets: Mapping[str, TargetConfig]) -> list[tuple[str, str]]:
    """Names of targets with new signers and with known ones that can be compared.

    Both are of one data set and learn from, are scored on and see the same splits and parts; only
    that the clips of the second are dealt out anew tells them apart.
    """
    same = {
        name: (target.dataset or name, sorted(target.train), target.test, sorted(target.parts))
        for name, target in targets.items()
    }
    return [
        (new, mixed)
        for new in targets
        for mixed in targets
        if (targets[new].split_by, targets[mixed].split_by) == ("given", "clips")
        and same[new] == same[mixed]
    ]


def signer_gap(metrics: pd.DataFrame, targets: Mapping[str, TargetConfig]) -> pd.DataFrame:
    """One row a method and pair of targets, of `FIELDS`; see :func:`signer_pairs`."""
    scores = with_labels(metrics[~few_labels(metrics)])
    scores = scores[scores["metric"] == "top1"]
    rows = []
    for name, mixed in signer_pairs(targets):
        for values, group in scores[scores["dataset"].isin([name, mixed])].groupby(RUN):
            seeds = group.pivot_table(index="seed", columns="dataset", values="value").dropna()
            if not {name, mixed} <= set(seeds.columns) or seeds.empty:
                continue
            gaps = (seeds[mixed] - seeds[name]).to_numpy()
            low, high = t_interval(gaps) if len(gaps) > 1 else (np.nan, np.nan)
            n = group.groupby("dataset")["n_test"].first()
            rows.append(
                {
                    "dataset": name,
                    **dict(zip(RUN, values, strict=True)),
                    "known_signers": mixed,
                    "read_out": read_out_of(group),
                    "independent": seeds[name].mean(),
                    "dependent": seeds[mixed].mean(),
                    "difference": gaps.mean(),
                    "low": low,
                    "high": high,
                    "n_independent": int(n[name]),
                    "n_dependent": int(n[mixed]),
                    "seeds": len(gaps),
                }
            )
    return pd.DataFrame(rows, columns=FIELDS)
