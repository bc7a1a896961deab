"""The house style of all figures, and how a figure becomes a file.

Figures are `matplotlib.figure.Figure`s, made without pyplot's global state, so that rendering needs
no display. The same input gives the same bytes: the files carry no date and no version.
"""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from sslslr.files import atomic_file

# Okabe and Ito's colours, safe for colour-blind readers; their yellow is too pale for a line.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
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
