"""Headline numbers for `dvc metrics` and `dvc exp show`; everything else is in tables and plots.

DVC gives each name a column and each file a row. So the targets have a file each with the same four
names, and the study's own names differ from them: in 100 columns both commands can be read.
"""

from typing import Any

import pandas as pd

from sslslr.methods import METHODS
from sslslr.report.names import CEILING, NO_DATA, RAW, UNTRAINED, trait
from sslslr.report.results import Results
from sslslr.statistics.claims.decide import FAILS, HOLDS

DECIMALS = 3


def summary(results: Results) -> dict[str, dict[str, Any]]:
    """The headline numbers of a study, by their file below the results folder.

    Returns:
        `top1/TARGET.json`: see :func:`of_target`. `study.json`: the mean of `best` over targets, and
        how many claims hold (`held`) and do not hold (`lost`); of the others nothing can be told.
    """
    table, verdicts = results.table("linear"), results.table("verdicts")["verdict"]
    files = {f"top1/{name}.json": of_target(table, name) for name in results.targets}
    best = [numbers["best"] for numbers in files.values() if "best" in numbers]
    mean = {"mean": round(sum(best) / len(best), DECIMALS)} if best else {}
    counts = {"held": int((verdicts == HOLDS).sum()), "lost": int((verdicts == FAILS).sum())}
    return {"study.json": mean | counts, **files}


def of_target(table: pd.DataFrame, target: str) -> dict[str, float]:
    """Top-1 on one target in 0..1, each the best row of its kind; what was not measured is absent.

    Args:
        table: of :func:`sslslr.report.tables.linear.linear_table`.

    Returns:
        best: of all pretrained encoders and protocols that leave the encoder frozen; random: of an
        encoder that was not pretrained; raw: of the keypoints; supervised: trained from scratch.
    """
    rows = table[(table["dataset"] == target) & table["top1_mean"].notna()]
    frozen = rows[~rows["protocol"].isin(trait(METHODS, CEILING, "protocols", ()))]
    kinds = {
        "best": frozen[frozen["pretrain_dataset"] != NO_DATA],
        "random": frozen[frozen["method"] == UNTRAINED],
        "raw": frozen[frozen["method"] == RAW],
        "supervised": rows[rows["method"] == CEILING],
    }
    tops = {kind: of_kind["top1_mean"].max() for kind, of_kind in kinds.items()}
    return {kind: round(float(top), DECIMALS) for kind, top in tops.items() if pd.notna(top)}
