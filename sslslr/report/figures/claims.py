"""The claims that a study could judge, as a forest plot: effect, interval, verdict."""

import textwrap

import pandas as pd
from matplotlib.figure import Figure as Drawing

from sslslr.report.figures import register
from sslslr.report.figures._base import Figure
from sslslr.report.figures._style import PALETTE, WIDTH, message
from sslslr.report.results import Results
from sslslr.report.tables.verdicts import Verdicts
from sslslr.statistics.claims.decide import FAILS, HOLDS

LINE = 0.36  # inches a claim
LETTERS = 56  # of a line of a statement


@register
class Claims(Figure):
    title = "Claims"
    caption = (
        "Each claim's decisive difference in top-1 with its 95 % interval over test clips and seeds; "
        "filled where the claim is decided. The words to the right are the verdict."
    )
    alt = "Forest plot: a line a claim; the table “Verdicts” has all numbers."
    reads = ("tables/verdicts",)
    place = 5

    def draw(self, results: Results) -> Drawing:
        return claims_forest(results.table("verdicts"))


def claims_forest(table: pd.DataFrame) -> Drawing:
    """A line a claim that was measured.

    Args:
        table: of :class:`sslslr.report.tables.verdicts.Verdicts`.
    """
    table = table[table["difference"].notna()]
    if table.empty:
        return message("No claim was measured by this study.")
    said = Verdicts().shown(table)["Verdict"]
    figure = Drawing(figsize=(WIDTH, LINE * len(table) + 0.5), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="#333333", linewidth=0.7)
    for y, (row, verdict) in enumerate(zip(table.to_dict("records"), said, strict=True)):
        # What is decided is filled: it can be read without colour.
        clear = row["verdict"] in (HOLDS, FAILS)
        colour = PALETTE[0] if clear else "#777777"
        axes.plot([100 * row["low"], 100 * row["high"]], [y, y], color=colour)
        axes.plot(100 * row["difference"], y, "o", markersize=4, color=colour,
                  markerfacecolor=colour if clear else "white")  # fmt: skip
        axes.text(1.01, y, textwrap.fill(verdict, 22), va="center", fontweight="bold",
                  transform=axes.get_yaxis_transform())  # fmt: skip
    names = [textwrap.fill(text, LETTERS) for text in table["statement"]]
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("difference in top-1, percentage points")
    return figure
