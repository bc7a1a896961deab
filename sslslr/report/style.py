"""The house style of all figures, and how a figure becomes a file.

Figures are `matplotlib.figure.Figure`s, made without pyplot's global state, so that rendering needs
no display. The same input gives the same bytes: the files carry no date and no version.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from sslslr.files import atomic_file
from sslslr.report.tables import METHOD_NAMES

# Okabe and Ito's colours, safe for colour-blind readers; their yellow is too pale for a line.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))  # when there are more lines than colours
# Colour and dash of each method, in every figure that has one line a method: ours share a colour.
METHOD_LINES = {
    "sl_fpn": (0, 0), "sl_fpn_vc": (0, 1), "sl_fpn_rate": (0, 2), "simclr": (1, 0), "moco": (1, 1),
    "byol": (2, 0), "simsiam": (2, 1), "barlow_twins": (3, 0), "vicreg": (3, 1),
    "masked_keypoints": (4, 0), "random": (5, 0), "raw_keypoints": (5, 1), "supervised": (6, 0),
}  # fmt: skip
WIDTH = 7.2  # inches: a page's text width, so that 8 pt stays 8 pt
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same on every machine
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "figure.facecolor": "white",
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # fonts embedded as TrueType: text stays text
    "svg.fonttype": "none",
}


def save(figure: Figure, stem: str | Path) -> list[Path]:
    """Write STEM.pdf and STEM.png, each atomically; the same figure gives the same bytes.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    undated: dict[str, dict[str, Any]] = {
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
    }
    written = []
    for kind, metadata in undated.items():
        path = Path(f"{stem}.{kind}")
        with atomic_file(path) as temporary, matplotlib.rc_context(STYLE):
            figure.savefig(temporary, format=kind, metadata=metadata)
        written.append(path)
    return written


def line_styles(groups: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Colour, dash and label of each group (method, and whatever else tells runs apart).

    The label says only what tells the groups of one method apart. A method has one colour and dash in all figures, as
    long as it has one group; groups of one method (an ablation) are coloured by their order.
    """
    groups = sorted(set(groups))
    by_method = len({group[0] for group in groups}) == len(groups)
    by_method = by_method and all(group[0] in METHOD_LINES for group in groups)
    styles = {}
    for i, group in enumerate(groups):
        colour, dash = (
            METHOD_LINES[group[0]] if by_method else (i % len(PALETTE), i // len(PALETTE))
        )
        same = [other for other in groups if other[0] == group[0]]
        telling = [k for k in range(1, len(group)) if len({other[k] for other in same}) > 1]
        names = [METHOD_NAMES.get(group[0], group[0]), *(group[k] for k in telling)]
        styles[group] = {
            "color": PALETTE[colour],
            "linestyle": DASHES[dash % len(DASHES)],
            "label": ", ".join(name.replace("_", " ") for name in names if name),
        }
    return styles


def legend_columns(labels: Iterable[str]) -> int:
    """As many columns as fit the width."""
    return 3 if max(map(len, labels), default=0) <= 30 else 2


def message(text: str) -> Figure:
    """What stands in a figure's place where there is nothing to draw."""
    figure = Figure(figsize=(WIDTH, 0.8))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure
