"""Training curves: loss, spread and effective rank over epochs."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from sslslr.report.figures import register
from sslslr.report.figures._base import Figure
from sslslr.report.figures._style import WIDTH, legend_columns, line_styles, message
from sslslr.report.results import Results

THIN = 0.5
MARK = 3  # points


@register
class Training(Figure):
    title = "Training curves and collapse"
    caption = (
        "Loss, spread of the projections relative to their start, and effective rank, over epochs. A "
        "loss that falls while spread and rank fall with it is a collapse, not learning."
    )
    alt = "Line charts over epochs, one row a pretraining set: loss, relative spread and effective rank."
    reads = ("histories",)
    place = 20

    def draw(self, results: Results) -> Drawing:
        settings = results.study.pretrain
        return training_curves(results.histories, settings.collapse_spread, settings.collapse_rank)


def training_curves(
    histories: Mapping[str, pd.DataFrame], collapse_spread: float = 0.1, collapse_rank: float = 2.0
) -> Drawing:
    """Loss, projection spread and effective rank over epochs: a row a pretraining set.

    Runs that differ by their seed alone share a colour. The spread is shown relative to its value
    before training (epoch 0), so that one line marks the threshold for all runs.

    Args:
        histories: run id -> history.csv (:func:`sslslr.report.reading.read_histories`); runs
            without a trained epoch (random initialisation) have no curve and are left out.
        collapse_spread: share of the initial spread below which a run counts as collapsed.
        collapse_rank: effective rank below which a run counts as collapsed.
    """
    trained = {run: table for run, table in histories.items() if table["epoch"].max() > 0}
    if not trained:
        return message("No run was trained, so there is no curve to show.")
    runs = {run: _parts(run) for run in trained}
    datasets = sorted({parts["dataset"] for parts in runs.values()})
    styles = line_styles(parts["group"] for parts in runs.values())
    columns = legend_columns(style["label"] for style in styles.values())
    legend_rows = -(-(len(styles) + 4) // columns)
    height = 2.0 * len(datasets) + 0.17 * legend_rows + 0.35
    figure = Drawing(figsize=(WIDTH, height), layout="constrained")
    panels = figure.subplots(len(datasets), 3, squeeze=False)
    for row, dataset in zip(panels, datasets, strict=True):
        here = {run: trained[run] for run in trained if runs[run]["dataset"] == dataset}
        colours = {run: styles[runs[run]["group"]] for run in here}
        _loss_panel(row[0], here, colours)
        _spread_panel(row[1], here, colours, collapse_spread)
        _rank_panel(row[2], here, colours, collapse_rank)
        row[0].set_title(f"pretrained on {dataset}", loc="left", fontweight="bold")
        for panel in row:
            panel.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    for panel in panels[-1]:
        panel.set_xlabel("epoch")
    collapsed = any((table["collapsed"] == 1).any() for table in trained.values())
    _curve_legend(figure, styles, columns, collapsed)
    return figure


def _parts(run_id: str) -> dict[str, Any]:
    """What a run id says (see sslslr/workflow/grid.py); `group` is all but the data set and the seed."""
    names = re.sub(r"\.s\d+$", "", run_id).split(".")
    names += [""] * (4 - len(names))
    method, augmentation, variant, dataset, *tag = names
    group = (method, augmentation, variant, ".".join(tag))
    return {"dataset": dataset, "group": group}


def _line(style: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    """With a few markers along the line; the loss of a single epoch is one, which has no line."""
    drawn = {name: style[name] for name in ("color", "linestyle", "marker")}
    # Counted from the end: epoch 0 has no loss.
    return {**drawn, "markersize": MARK, "markevery": (-1, -max(1, len(table) // 5))}


def _loss_panel(axes: Axes, tables: Mapping[str, pd.DataFrame], styles: Mapping) -> None:
    # As a log axis, which shows a loss of 1e-3 beside one of 5; but a cosine's goes to -1.
    axes.set_yscale("symlog", linthresh=1e-4)
    for run, table in tables.items():
        axes.plot(table["epoch"], table["loss"], **_line(styles[run], table))
    axes.set_ylabel("loss")


def _spread_panel(
    axes: Axes, tables: Mapping[str, pd.DataFrame], styles: Mapping, threshold: float
) -> None:
    axes.set_yscale("log")
    lowest = threshold
    for run, table in tables.items():
        start = table["projection_spread"].iloc[0]
        relative = (table["projection_spread"] / start).where(lambda share: share > 0)
        lowest = np.nanmin([lowest, relative.min()])
        axes.plot(table["epoch"], relative, **_line(styles[run], table))
        _mark_collapse(axes, table, relative, styles[run])
    axes.axhline(threshold, color="#333333", linewidth=0.7)
    axes.set_ylim(bottom=lowest / 2)
    axes.axhspan(lowest / 2, threshold, color="#EFEFEF", zorder=0)
    axes.set_ylabel("projection spread / start")


def _rank_panel(
    axes: Axes, tables: Mapping[str, pd.DataFrame], styles: Mapping, threshold: float
) -> None:
    axes.set_yscale("log")
    for run, table in tables.items():
        axes.plot(table["epoch"], table["projection_rank"], **_line(styles[run], table))
        # Thin, not dotted: a dash is a method's.
        thin = {**_line(styles[run], table), "marker": "", "linewidth": THIN}
        axes.plot(table["epoch"], table["embedding_rank"], **thin)
        _mark_collapse(axes, table, table["projection_rank"], styles[run])
    axes.axhline(threshold, color="#333333", linewidth=0.7)
    axes.axhspan(0.9, threshold, color="#EFEFEF", zorder=0)
    axes.set_ylim(bottom=0.9)  # one is the least that an effective rank can be
    axes.set_ylabel("effective rank")
    axes.yaxis.set_major_formatter("{x:g}")


def _mark_collapse(axes: Axes, table: pd.DataFrame, values: pd.Series, style: Mapping) -> None:
    """A cross at the first epoch that was judged collapsed."""
    collapsed = np.flatnonzero(table["collapsed"].to_numpy() == 1)
    if len(collapsed):
        at = collapsed[0]
        axes.plot(table["epoch"].iloc[at], values.iloc[at], "X", markersize=5.5, zorder=5,
                  color=style["color"], markeredgecolor="white", markeredgewidth=0.6)  # fmt: skip


def _curve_legend(
    figure: Drawing, styles: Mapping[tuple, Mapping[str, Any]], columns: int, collapsed: bool
) -> None:
    """Below all panels, where it can hide no curve; the cross only where there is one."""
    entries = [Line2D([], [], markersize=MARK, **style) for style in styles.values()]
    entries += [
        Line2D([], [], color="#333333", label="rank of projections"),
        Line2D([], [], color="#333333", linewidth=THIN, label="rank of embeddings (thin)"),
        Rectangle((0, 0), 1, 1, facecolor="#EFEFEF", edgecolor="#333333", linewidth=0.7,
                  label="below the collapse threshold"),
    ]  # fmt: skip
    if collapsed:
        entries.append(
            Line2D([], [], color="#333333", marker="X", markersize=5.5, linestyle="",
                   label="first epoch judged collapsed")
        )  # fmt: skip
    figure.legend(handles=entries, loc="outside lower center", ncols=columns, handlelength=3)
