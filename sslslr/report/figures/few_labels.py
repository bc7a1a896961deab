"""Top-1 over the amount of labels."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sslslr.report.figures import register
from sslslr.report.figures._base import Figure
from sslslr.report.figures._style import WIDTH, legend_columns, line_styles, message
from sslslr.report.names import NO_DATA
from sslslr.report.results import Results
from sslslr.report.tables.few_labels import AMOUNT

ALL_SHARES = (0.001, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 1.0)  # where ticks may stand
GROUP = ["method", "augmentation", "variant", "tag", "protocol"]
MANY = 15  # lines in one figure
BAND_SEEDS = 3  # from which an interval over seeds is drawn; that of two would hide the rest


@register
class FewLabels(Figure):
    title = "Scores with few labels"
    caption = (
        "Top-1 over the share of training labels and over labelled clips a class, with a 95 % interval "
        "over encoder seeds where there are 3 or more. Every class keeps one clip at least, so the "
        "smallest shares of small classes are more than they say."
    )
    alt = (
        "Line charts, one pair a target data set: top-1 over the amount of labels, a line a method; the "
        "table “Few labels” has all numbers."
    )
    reads = ("tables/few_labels",)
    place = 10

    def draw(self, results: Results) -> Drawing:
        table = results.table("few_labels")  # whose key is text
        return few_labels_curves(table.astype(dict.fromkeys(AMOUNT, float)))


def few_labels_curves(scores: pd.DataFrame) -> Drawing:
    """Top-1 over the share of labels and over labelled clips a class: a pair of panels a target.

    Args:
        scores: rows of :func:`sslslr.report.tables.few_labels.few_labels`.
    """
    if scores.empty:
        return message("No run was scored with few labels, so there is no curve to show.")
    scores = scores.assign(group=_groups(scores))
    if scores["group"].nunique() > MANY:  # ablations have a table of their own
        scores = scores[scores["tag"] == ""]
    styles = line_styles(scores["group"])
    targets = sorted(scores["dataset"].unique())
    pairs = min(2, len(targets))
    rows = -(-len(targets) // pairs)
    columns = legend_columns(style["label"] for style in styles.values())
    height = 2.3 * rows + 0.17 * -(-(len(styles) + 2) // columns) + 0.25
    figure = Drawing(figsize=(WIDTH, height), layout="constrained")
    grid = figure.add_gridspec(rows, 2 * pairs, width_ratios=[3, 1.3] * pairs)
    for i, target in enumerate(targets):
        row, column = divmod(i, pairs)
        here = scores[scores["dataset"] == target]
        shares = figure.add_subplot(grid[row, 2 * column])
        shots = figure.add_subplot(grid[row, 2 * column + 1], sharey=shares)
        _label_panels(shares, shots, here, styles)
        shares.set_title(f"{target}, n = {here['n_test'].max():.0f}", loc="left",
                         fontweight="bold", parse_math=False)  # fmt: skip
    entries: list = [Line2D([], [], markersize=3.5, **style) for style in styles.values()]
    entries.append(Line2D([], [], color="#333333", linewidth=0.7, label="chance"))
    if (scores["seeds"] >= BAND_SEEDS).any():
        entries.append(Patch(facecolor="#333333", alpha=0.15, label="95 % over encoder seeds"))
    figure.legend(handles=entries, loc="outside lower center", ncols=columns, handlelength=3)
    return figure


def _groups(scores: pd.DataFrame) -> list[tuple[str, ...]]:
    """Each row's line: GROUP and, where there are several pretraining sets, which one."""
    trained = scores["pretrain_dataset"] != NO_DATA
    source = pd.Series("", scores.index)
    if len(set(scores.loc[trained, "pretrain_dataset"])) > 1:
        elsewhere = trained & (scores["pretrain_dataset"] != scores["dataset"])
        source = ("from " + scores["pretrain_dataset"]).where(elsewhere, "")
    return list(scores[GROUP].assign(source=source).itertuples(index=False, name=None))


def _label_panels(shares: Axes, shots: Axes, scores: pd.DataFrame, styles: dict) -> None:
    for axes, column in ((shares, "label_fraction"), (shots, "shots")):
        here = scores[scores[column] > 0].sort_values(column)
        axes.set_xscale("log")
        for group, line in here.groupby("group", sort=True):
            look = {name: styles[group][name] for name in ("color", "linestyle", "marker")}
            axes.plot(line[column], 100 * line["top1"], markersize=3.5, **look)
            many = line[line["seeds"] >= BAND_SEEDS]
            if len(many):
                low, high = (100 * many[end].clip(0, 1) for end in ("low", "high"))
                axes.fill_between(
                    many[column], low, high, color=look["color"], alpha=0.15, linewidth=0
                )
        axes.axhline(100 / scores["n_classes"].max(), color="#333333", linewidth=0.7, zorder=0)
        found = sorted(here[column].unique())
        known = [x for x in found if column == "shots" or x in ALL_SHARES] or found
        names = [f"{x:g}" if column == "shots" else f"{100 * x:.4g} %" for x in known]
        axes.set_xticks(known, names)
        axes.minorticks_off()
        if not found:
            axes.text(0.5, 0.5, "not\nmeasured", transform=axes.transAxes, ha="center", va="center")
    shares.set_ylabel("top-1 (%)")
    shares.set_ylim(0, min(100, shares.get_ylim()[1]))
    shares.set_xlabel("share of the labels")
    shots.set_xlabel("clips a class")
    shots.tick_params(labelleft=False)
