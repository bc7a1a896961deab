"""Figures of scores: top-1 over the amount of labels, and from each training set to each target."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sslslr.report.style import STYLE, WIDTH, legend_columns, line_styles, message
from sslslr.report.tables import METHOD_NAMES, PROTOCOLS
from sslslr.statistics import t_interval

SEMI_SUPERVISED = "semi_supervised"
NONE, UNTRAINED = "none", "random"
COUNTED = ["value", "n_test", "n_joints", "n_joints_masked"]
ALL_SHARES = (0.001, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 1.0)  # where ticks may stand
GROUP = ["method", "augmentation", "variant", "tag"]
MANY = 15  # lines in one figure
BAND_SEEDS = 3  # from which an interval over seeds is drawn
COLOURS = "cividis"  # even in lightness, and safe for colour-blind readers
ABSENT = "#EEEEEE"


def semi_supervised_curves(metrics: pd.DataFrame) -> Figure:
    """Top-1 over the share of labels and over labelled clips a class: a pair of panels a target.

    A line is the mean over encoder seeds, each the mean over its draws of labels; the band is the
    95 % interval (Student's t) over encoder seeds, where there are `BAND_SEEDS` or more. That of two
    seeds is 13 times their distance and would hide the rest: a bar joins the two instead.

    Args:
        metrics: of :func:`sslslr.report.collect.read_metrics`; other protocols are left out.
    """
    scores = metrics[(metrics["protocol"] == SEMI_SUPERVISED) & (metrics["metric"] == "top1")]
    scores = scores.dropna(subset=["value"]).copy()
    with matplotlib.rc_context(STYLE):
        if scores.empty:
            return message("No run was scored with few labels, so there is no curve to show.")
        scores["tag"] = scores["tag"].fillna("")
        scores["group"] = _groups(scores)
        if scores["group"].nunique() > MANY:  # ablations have a table and a figure of their own
            scores = scores[scores["tag"] == ""].copy()
        styles = line_styles(scores["group"])
        targets = sorted(scores["dataset"].unique())
        pairs = min(2, len(targets))
        rows = -(-len(targets) // pairs)
        columns = legend_columns(style["label"] for style in styles.values())
        height = 2.3 * rows + 0.17 * -(-(len(styles) + 2) // columns) + 0.25
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        grid = figure.add_gridspec(rows, 2 * pairs, width_ratios=[3, 1.3] * pairs)
        for i, target in enumerate(targets):
            row, column = divmod(i, pairs)
            shares = figure.add_subplot(grid[row, 2 * column])
            shots = figure.add_subplot(grid[row, 2 * column + 1], sharey=shares)
            _label_panels(shares, shots, scores[scores["dataset"] == target], styles)
            shares.set_title(f"{target}, {n_of(scores[scores['dataset'] == target])}",
                             loc="left", fontweight="bold", parse_math=False)  # fmt: skip
        _label_legend(figure, styles, scores, columns)
        return figure


def _groups(scores: pd.DataFrame) -> list[tuple[str, ...]]:
    """Each row's line: GROUP and, where there are several pretraining sets, which one."""
    trained = scores["pretrain_dataset"] != NONE
    if len(set(scores.loc[trained, "pretrain_dataset"])) > 1:
        elsewhere = trained & (scores["pretrain_dataset"] != scores["dataset"])
        source = ("from " + scores["pretrain_dataset"]).where(elsewhere, "")
    else:
        source = pd.Series("", scores.index)
    return list(scores[GROUP].assign(source=source).itertuples(index=False, name=None))


def _label_panels(shares: Axes, shots: Axes, scores: pd.DataFrame, styles: dict) -> None:
    for axes, column in ((shares, "label_fraction"), (shots, "shots")):
        here = scores[scores[column] > 0]
        axes.set_xscale("log")
        for group, runs in here.groupby("group", sort=True):
            table = amounts(runs, column)
            style = styles[group]
            axes.plot(table.index, 100 * table["mean"], markersize=3.5,
                      **{name: style[name] for name in ("color", "linestyle", "marker")})  # fmt: skip
            many, two = table[table["seeds"] >= BAND_SEEDS], table[table["seeds"] == 2]
            if len(many):
                axes.fill_between(
                    many.index.to_numpy(dtype=float),
                    100 * many["low"].clip(0, 1),
                    100 * many["high"].clip(0, 1),
                    color=style["color"], alpha=0.15, linewidth=0,
                )  # fmt: skip
            if len(two):
                axes.vlines(
                    two.index,
                    100 * two["least"],
                    100 * two["most"],
                    color=style["color"],
                    linewidth=0.7,
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


def amounts(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """mean, low, high (NaN for one encoder seed), least, most and seeds, by amount of labels."""
    by_seed = runs.groupby([column, "seed"])["value"].mean()
    rows = {}
    for amount, values in by_seed.groupby(level=0):
        low, high = t_interval(values)
        rows[amount] = {
            "mean": values.mean(), "low": low, "high": high,
            "least": values.min(), "most": values.max(), "seeds": len(values),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def _label_legend(figure: Figure, styles: dict, scores: pd.DataFrame, columns: int) -> None:
    entries: list = [Line2D([], [], markersize=3.5, **style) for style in styles.values()]
    entries.append(Line2D([], [], color="#333333", linewidth=0.7, label="chance"))
    seeds = scores.groupby("group")["seed"].nunique()
    if (seeds >= BAND_SEEDS).any():
        band = Patch(facecolor="#333333", alpha=0.15, label="95 % over encoder seeds")
        entries.append(band)
    if (seeds == 2).any():
        bar = {"marker": "|", "linestyle": "none", "markersize": 7, "color": "#333333"}
        entries.append(Line2D([], [], **bar, label="from one of 2 seeds to the other"))
    figure.legend(handles=entries, loc="outside lower center", ncols=columns, handlelength=3)


def n_of(scores: pd.DataFrame) -> str:
    """Test clips; as a range where runs could use different ones."""
    found = sorted({int(n) for n in scores["n_test"]})
    return f"n = {found[0]}" + (f" to {found[-1]}" if len(found) > 1 else "")


def transfer_table(metrics: pd.DataFrame, protocol: str = "linear") -> pd.DataFrame:
    """Mean top-1 with all labels: GROUP, pretrain_dataset, dataset, `COUNTED`, seeds.

    Probe seeds are averaged first, then encoder seeds. The rows of an untrained encoder, "none",
    are those of random initialisation; no encoder and supervised training are no transfer.
    """
    shown = metrics[
        (metrics["protocol"] == protocol)
        & (metrics["metric"] == "top1")
        & (metrics["label_fraction"] == 1)
        & ((metrics["pretrain_dataset"] != NONE) | (metrics["method"] == UNTRAINED))
    ].dropna(subset=["value"])
    if "shots" in shown:
        shown = shown[shown["shots"] == 0]
    key = [*GROUP, "pretrain_dataset", "dataset"]
    by_seed = shown.fillna({"tag": ""}).groupby([*key, "seed"])[COUNTED].mean()
    table = by_seed.groupby(level=key)["value"].agg(value="mean", seeds="size")
    for count in ("n_test", "n_joints", "n_joints_masked"):
        table[count] = by_seed.groupby(level=key)[count].max().astype(int)
    return table.reset_index()


def transfer_matrix(metrics: pd.DataFrame, protocol: str = "linear") -> Figure:
    """Heat maps of mean top-1, a panel a method: pretraining sets down, target sets across.

    All panels share one colour scale. The row "none" is the untrained encoder of the same variant.
    Where half of the cells would be empty (most methods have one pretraining set), one map with a row
    a method and pretraining set says the same in less room.

    Args:
        metrics: of :func:`sslslr.report.collect.read_metrics`.
    """
    table = transfer_table(metrics, protocol)
    trained = table[table["pretrain_dataset"] != NONE]
    with matplotlib.rc_context(STYLE):
        if trained.empty:
            return message(f"No pretrained encoder was scored by the protocol {protocol}.")
        groups = sorted(set(trained[GROUP].itertuples(index=False, name=None)))
        labels = {group: style["label"] for group, style in line_styles(groups).items()}
        sources = [NONE, *sorted(trained["pretrain_dataset"].unique())]
        targets = sorted(table["dataset"].unique())
        cells = len(groups) * (len(sources) - 1) * len(targets)
        if len(groups) > 1 and (len(sources) == 2 or 2 * len(trained) <= cells):
            return _one_map(table, groups, labels, targets, protocol)
        columns = min(len(groups), max(1, int(6 / (1.1 + 0.55 * len(targets)))))
        rows = -(-len(groups) // columns)
        height = rows * (0.42 * len(sources) + 0.85) + 0.3
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        scale = matplotlib.colors.Normalize(0, 100 * table["value"].max())
        for axes, group in zip(panels, groups, strict=False):
            same = (table[GROUP] == list(group)).all(axis=1)
            plain = (table["method"] == UNTRAINED) & (table["tag"] == "")
            untrained = plain & (table["variant"] == group[2])
            _heat_map(axes, table[same | untrained], sources, targets, scale)
            axes.set_title(labels[group], loc="left", fontweight="bold", parse_math=False)
        for axes in panels[len(groups) :]:
            axes.set_axis_off()
        for i, axes in enumerate(panels[: len(groups)]):
            axes.tick_params(labelleft=i % columns == 0)
            axes.set_ylabel("pretrained on" if i % columns == 0 else "")
        _finish(figure, list(panels), scale, height, table, protocol)
        return figure


def _finish(
    figure: Figure,
    panels: list[Axes],
    scale: matplotlib.colors.Normalize,
    height: float,
    table: pd.DataFrame,
    protocol: str,
) -> None:
    """The colour bar, and which joints were masked."""
    colours = matplotlib.cm.ScalarMappable(scale, COLOURS)
    bar = figure.colorbar(colours, ax=panels, aspect=height / 0.12, fraction=0.03, pad=0.01)
    bar.set_label(f"top-1 (%), {PROTOCOLS.get(protocol, protocol)}")
    bar.outline.set_visible(False)
    if note := masked_joints(table):
        figure.supxlabel(note, fontsize=7, wrap=True, x=0.01, ha="left")


def _one_map(
    table: pd.DataFrame,
    groups: list[tuple[str, ...]],
    labels: dict[tuple[str, ...], str],
    targets: list[str],
    protocol: str,
) -> Figure:
    """A row a method and pretraining set, below the untrained encoders of the same variants."""
    sources = sorted(set(table["pretrain_dataset"]) - {NONE})
    variants = sorted({group[2] for group in groups})
    rows = []
    for variant in variants:
        of = f" ({variant})" if len(variants) > 1 else ""
        untrained = (
            (table["method"] == UNTRAINED) & (table["tag"] == "") & (table["variant"] == variant)
        )
        rows.append((METHOD_NAMES[UNTRAINED] + of, table[untrained]))
    for source, group in ((source, group) for source in sources for group in groups):
        same = (table[GROUP] == list(group)).all(axis=1) & (table["pretrain_dataset"] == source)
        of = f", from {source}" if len(sources) > 1 else ""
        if same.any():
            rows.append((labels[group] + of, table[same]))
    height = 0.27 * len(rows) + 0.9
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    scale = matplotlib.colors.Normalize(0, 100 * table["value"].max())
    cells = pd.concat([part.assign(pretrain_dataset=name) for name, part in rows])
    _heat_map(axes, cells, [name for name, _ in rows], targets, scale, line=", ")
    title = (
        f"pretrained on {sources[0]}" if len(sources) == 1 else "method, from its pretraining set"
    )
    axes.set_title(title, loc="left", fontweight="bold", parse_math=False)
    _finish(figure, [axes], scale, height, table, protocol)
    return figure


def masked_joints(table: pd.DataFrame) -> str:
    """In words, which transfers left joints of the target out; empty where none did.

    Args:
        table: of :func:`transfer_table`.
    """
    masked = table[table["n_joints_masked"] > 0]
    pairs = masked.groupby(["pretrain_dataset", "dataset"])[["n_joints", "n_joints_masked"]].max()
    if pairs.empty:
        return ""
    said = [
        f"{_source(source)} to {target}: {used} of {used + left_out} joints"
        for (source, target), (used, left_out) in pairs.iterrows()
    ]
    return "Joints masked because the other set lacks them. " + "; ".join(said) + "."


def _heat_map(
    axes: Axes,
    table: pd.DataFrame,
    sources: list[str],
    targets: list[str],
    scale: matplotlib.colors.Normalize,
    line: str = "\n",
) -> None:
    cells = table.drop_duplicates(["pretrain_dataset", "dataset"])
    values = cells.pivot_table("value", "pretrain_dataset", "dataset").reindex(
        sources, columns=targets
    )
    cells = cells.set_index(["pretrain_dataset", "dataset"])
    grid = np.ma.masked_invalid(100 * values.to_numpy(dtype=float))
    axes.set_facecolor(ABSENT)
    axes.pcolormesh(grid, cmap=COLOURS, norm=scale, edgecolors="white", linewidth=1)
    for (source, target), cell in cells.iterrows():
        if source not in sources:
            continue
        dark = scale(100 * cell["value"]) < 0.5
        at = (targets.index(target) + 0.5, sources.index(source) + 0.5)
        axes.text(*at, f"{100 * cell['value']:.1f}{line}n {int(cell['n_test'])}", ha="center",
                  va="center", fontsize=6.5, color="white" if dark else "black")  # fmt: skip
    # Names of data sets can be long, and the panels narrow.
    axes.set_xticks(np.arange(len(targets)) + 0.5, [name.replace("_", "\n") for name in targets])
    axes.set_yticks(np.arange(len(sources)) + 0.5, [_source(name) for name in sources])
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("target")


def _source(name: str) -> str:
    return f"none ({METHOD_NAMES[UNTRAINED].split()[0]})" if name == NONE else name
