"""Figures of ablations: what each changes, with its interval, and every method under every view."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sslslr.report.results import ABSENT, COLOURS, n_of
from sslslr.report.style import PALETTE, STYLE, WIDTH, message
from sslslr.report.tables import METHOD_NAMES, PROTOCOLS

LINE = 0.17  # inches a row of a forest plot takes
PANELS = 2  # side by side


def forest(table: pd.DataFrame, protocol: str = "linear") -> Figure:
    """One line an ablation and method, a panel a target: the difference and its 95 % interval.

    Args:
        table: of :func:`sslslr.report.differences.ablations`; other protocols are left out, unless
            this one was not run at all.
    """
    if protocol not in set(table["protocol"]) and len(table):
        protocol = next(name for name in PROTOCOLS if name in set(table["protocol"]))
    shown = table[table["protocol"] == protocol]
    with matplotlib.rc_context(STYLE):
        if shown.empty:
            return message("No ablation was run, or none beside the runs that it changes.")
        key = ["method", "augmentation", "variant", "tag", "pretrain_dataset"]
        middle = shown.groupby(key)["difference"].mean().sort_values(ascending=False, kind="stable")
        targets = sorted(shown["dataset"].unique())
        rows = -(-len(targets) // PANELS)
        columns = min(PANELS, len(targets))
        height = rows * (LINE * len(middle) + 0.6) + 0.1
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes, target in zip(panels.ravel(), targets, strict=False):
            here = shown[shown["dataset"] == target]
            _forest_panel(axes, here, middle.index)
            title = f"{target}, {n_of(here)}"
            axes.set_title(title, loc="left", fontweight="bold", parse_math=False)
        for axes in panels.ravel()[len(targets) :]:
            axes.set_axis_off()
        names = [_name(row, middle.index) for row in middle.index]
        panels[0, 0].set_yticks(range(len(names)), names, parse_math=False)
        panels[0, 0].set_ylim(len(names) - 0.4, -0.6)
        figure.supxlabel(
            f"difference in top-1, percentage points ({PROTOCOLS[protocol]})", fontsize=8
        )
        return figure


def _forest_panel(axes: Axes, table: pd.DataFrame, order: pd.Index) -> None:
    axes.axvline(0, color="#333333", linewidth=0.7)
    for row in table.to_dict("records"):
        y = order.get_loc(tuple(row[name] for name in order.names))
        # An interval that excludes zero is filled: it can be read without colour.
        clear = row["low"] > 0 or row["high"] < 0
        colour = PALETTE[0] if clear else "#777777"
        axes.plot([100 * row["low"], 100 * row["high"]], [y, y], color=colour, linewidth=1)
        axes.plot(
            100 * row["difference"], y, marker="o", markersize=3.5, color=colour,
            markerfacecolor=colour if clear else "white",
        )  # fmt: skip


def _name(row: tuple[str, ...], rows: pd.Index) -> str:
    """The tag, and of method, views, encoder and pretraining set what tells rows apart."""
    method, augmentation, variant, tag, source = row
    names = [tag]
    if len(set(rows.get_level_values("method"))) > 1:
        names.append(METHOD_NAMES.get(method, method))
    if len(set(rows.get_level_values("augmentation"))) > 1:
        names.append(augmentation.replace("_", " "))
    if len(set(rows[rows.get_level_values("tag") == tag].get_level_values("variant"))) > 1:
        names.append(variant)
    if len(set(rows.get_level_values("pretrain_dataset"))) > 1:
        names.append(f"from {source}")
    return ", ".join(names)


def views_table(metrics: pd.DataFrame, protocol: str = "linear") -> pd.DataFrame:
    """Mean top-1 of untagged runs: method, variant, augmentation, pretrain_dataset, dataset, value, seeds, n_test.

    Probe seeds are averaged first, then encoder seeds.
    """
    shown = metrics[
        (metrics["protocol"] == protocol)
        & (metrics["metric"] == "top1")
        & (metrics["label_fraction"] == 1)
        & (metrics["shots"] == 0)
        & (metrics["tag"].fillna("") == "")
        & (metrics["pretrain_dataset"] != "none")
    ].dropna(subset=["value"])
    key = ["method", "variant", "augmentation", "pretrain_dataset", "dataset"]
    by_seed = shown.groupby([*key, "seed"])[["value", "n_test"]].mean()
    table = by_seed.groupby(level=key)["value"].agg(value="mean", seeds="size")
    table["n_test"] = by_seed.groupby(level=key)["n_test"].max().astype(int)
    return table.reset_index()


def views_matrix(metrics: pd.DataFrame, protocol: str = "linear") -> Figure:
    """Heat maps of mean top-1: methods (and encoders) down, views across; a panel a pretraining set and target.

    Args:
        metrics: of :func:`sslslr.report.collect.read_metrics`.
    """
    table = views_table(metrics, protocol)
    with matplotlib.rc_context(STYLE):
        if table.empty or table["augmentation"].nunique() < 2:
            return message("No method was pretrained with two kinds of views.")
        methods = _rows(table)
        views = sorted(table["augmentation"].unique())
        panels = list(table.groupby(["pretrain_dataset", "dataset"]))
        height = len(panels) * (0.2 * len(methods) + 0.45) + 0.9
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True).ravel()
        scale = matplotlib.colors.Normalize(0, 100 * table["value"].max())
        for axes, ((source, target), cells) in zip(grid, panels, strict=True):
            _heat_map(axes, cells, methods, views, scale)
            title = f"{source} to {target}, {n_of(cells)}"
            axes.set_title(title, loc="left", fontweight="bold", parse_math=False)
        labels = [name.replace("_", " ") for name in views]
        grid[-1].set_xticks(np.arange(len(views)) + 0.5, labels, rotation=30, ha="right")
        colours = matplotlib.cm.ScalarMappable(scale, COLOURS)
        bar = figure.colorbar(colours, ax=list(grid), aspect=height / 0.12, fraction=0.03, pad=0.01)
        bar.set_label(f"top-1 (%), {PROTOCOLS.get(protocol, protocol)}")
        bar.outline.set_visible(False)
        return figure


def _rows(table: pd.DataFrame) -> dict[tuple[str, str], str]:
    """(method, variant) in the order of the tables, and what a row is called."""
    known = list(METHOD_NAMES)
    found = sorted(
        set(zip(table["method"], table["variant"], strict=True)),
        key=lambda pair: (known.index(pair[0]) if pair[0] in known else len(known), pair),
    )
    several = len({variant for _, variant in found}) > 1
    return {
        (method, variant): METHOD_NAMES.get(method, method) + (f" ({variant})" if several else "")
        for method, variant in found
    }


def _heat_map(
    axes: Axes,
    cells: pd.DataFrame,
    methods: dict[tuple[str, str], str],
    views: list[str],
    scale: matplotlib.colors.Normalize,
) -> None:
    values = cells.pivot_table("value", ["method", "variant"], "augmentation")
    values = values.reindex(pd.MultiIndex.from_tuples(methods), columns=views)
    percent = 100 * values.to_numpy(dtype=float)
    axes.set_facecolor(ABSENT)
    axes.pcolormesh(
        np.ma.masked_invalid(percent), cmap=COLOURS, norm=scale, edgecolors="white", linewidth=1
    )
    for (row, column), value in np.ndenumerate(percent):
        if np.isfinite(value):
            colour = "white" if scale(value) < 0.5 else "black"
            axes.text(
                column + 0.5, row + 0.5, f"{value:.1f}", ha="center", va="center", fontsize=6,
                color=colour,
            )  # fmt: skip
    axes.set_yticks(np.arange(len(methods)) + 0.5, list(methods.values()))
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
