"""The house style of all figures, and how a figure becomes a file.

Figures are `matplotlib.figure.Figure`s, made without pyplot's global state, so that rendering needs
no display. The same input gives the same bytes: the files carry no date and no version.
"""

import itertools
import unicodedata
import warnings
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sslslr.methods import METHODS
from sslslr.report.names import method_title, trait
from sslslr.utils.files import atomic_file

# Okabe and Ito's colours, safe for colour-blind readers; their yellow is too pale for a line.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# A marker a colour: five solid lines look alike to who does not see red and green, or prints in grey.
MARKERS = ("o", "s", "^", "D", "v", "P", "p")
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))  # when there are more lines than colours
FONT = "DejaVu Sans"  # ships with matplotlib: the same on every machine
# In a PNG: why there is nothing to see, which the page says in words; skeletons, which it plays.
EMPTY, STRIPS = "Empty", "Strips"
WIDTH = 7.2  # inches: a page's text width, so that 8 pt stays 8 pt
STYLE: dict[str, Any] = {
    "font.family": FONT,
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


def save(figure: Figure, stem: str | Path, strips: str | None = None) -> list[Path]:
    """Write STEM.pdf and STEM.png, each atomically; the same figure gives the same bytes.

    Letters that DejaVu Sans lacks (Chinese, Devanagari, ...) are drawn in fonts of this machine's that
    have them; where there is none, a warning names them.

    Args:
        strips: what the PNG keeps under the key `STRIPS`.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    undated: dict[str, dict[str, Any]] = {
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
    }
    if figure.get_gid() == EMPTY:
        undated["png"][EMPTY] = figure.texts[0].get_text()
    if strips:
        undated["png"][STRIPS] = strips
    written = []
    if lacking := _borrow_fonts(figure):
        warnings.warn(
            f"{stem}: no font here has {' '.join(sorted(lacking))}; boxes stand in their place. Install "
            "one that has them (Debian: fonts-noto, fonts-noto-cjk), empty matplotlib's cache "
            f"({matplotlib.get_cachedir()}) and draw the figure again.",
            stacklevel=2,
        )
    for kind, metadata in undated.items():
        path = Path(f"{stem}.{kind}")
        with (
            atomic_file(path) as temporary,
            matplotlib.rc_context(STYLE),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", message="Glyph .* missing")  # said above, once
            figure.savefig(temporary, format=kind, metadata=metadata)
            if kind == "png":
                _with_a_palette(temporary)
        written.append(path)
    return written


def _with_a_palette(path: Path) -> None:
    """Rewrite a PNG with 256 colours, which is a third of the bytes; its texts are kept."""
    with Image.open(path) as image:
        texts = PngInfo()
        for key, text in getattr(image, "text", {}).items():
            texts.add_itxt(key, text, zip=len(text) > 1000)
        few = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        dpi = image.info["dpi"]
    few.save(path, "PNG", optimize=True, pnginfo=texts, dpi=dpi)


def _borrow_fonts(figure: Figure) -> set[str]:
    """Add fonts to the texts that need more than FONT; returns the letters that none has."""
    own = _letters(font_manager.findfont(FONT))
    lacks = {text: set(text.get_text()) - own for text in figure.findobj(Text)}
    # Marks of direction and line ends have no picture.
    lacks = {
        text: {letter for letter in letters if unicodedata.category(letter) not in ("Cc", "Cf")}
        for text, letters in lacks.items()
    }
    lacking, borrowed = set().union(*lacks.values()), []
    # Of each family its upright face. The font of last resort has boxes for all letters.
    fonts = sorted(
        font_manager.fontManager.ttflist,
        key=lambda font: (font.style == "normal", font.weight == 400, font.fname),
    )
    files = {font.name: font.fname for font in fonts if not font.name.startswith("Last Resort")}
    for name in sorted(files, key=lambda name: ("Sans" not in name, name)) if lacking else []:
        if found := lacking & _letters(files[name]):
            borrowed.append(name)
            lacking -= found
    for text, letters in lacks.items():
        if letters:
            text.set_fontfamily([FONT, *borrowed])
    return lacking


def _letters(file: str) -> set[str]:
    try:
        return set(map(chr, font_manager.get_font(file).get_charmap()))
    except (OSError, RuntimeError):  # a font that is gone or broken
        return set()


def shown(name: str, length: int | None = None) -> str:
    """A user's word as a figure shows it: on one line, shortened, in its own direction.

    Args:
        length: columns at most; a Chinese character takes two.
    """
    name = " ".join(name.split())
    widths = [1 + (unicodedata.east_asian_width(letter) in "WF") for letter in name]
    if length is not None and sum(widths) > length:
        kept, room = 0, length - 1
        while widths[kept] <= room:
            room -= widths[kept]
            kept += 1
        name = f"{name[:kept]}…"
    # Isolated: else Arabic turns around what stands beside it.
    if any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in name):
        name = f"\u2068{name}\u2069"
    # matplotlib hides a label that begins so.
    return f"\u200e{name}" if name.startswith("_") else name


def method_line(name: str) -> tuple[int, int] | None:
    """Places of a method's own line in `PALETTE` and `DASHES`: the same in every figure."""
    return trait(METHODS, name, "line")


def line_styles(groups: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Colour, dash, marker and label of each group (method, and whatever else tells runs apart).

    The label says only what tells the groups of one method apart. The first group of a method (the one without a
    tag) has the method's colour and dash in all figures; further ones (ablations) take those that are free.
    """
    groups = sorted(set(groups))
    own = {group[0]: group for group in reversed(groups) if method_line(group[0])}
    taken = {method_line(method) for method in own}
    every = [(colour, dash) for dash in range(len(DASHES)) for colour in range(len(PALETTE))]
    rest = [line for line in every if line not in taken]
    of_methods = {method_line(name) for name in METHODS.names()}
    rest.sort(key=lambda line: line in of_methods)  # first those of no method at all
    free = itertools.cycle(rest or every)
    styles = {}
    for group in groups:
        colour, dash = method_line(group[0]) if own.get(group[0]) == group else next(free)
        same = [other for other in groups if other[0] == group[0]]
        telling = [k for k in range(1, len(group)) if len({other[k] for other in same}) > 1]
        names = [method_title(group[0]), *(group[k] for k in telling)]
        styles[group] = {
            "color": PALETTE[colour],
            "linestyle": DASHES[dash % len(DASHES)],
            "marker": MARKERS[colour],
            "label": ", ".join(name.replace("_", " ") for name in names if name),
        }
    return styles


def legend_columns(labels: Iterable[str]) -> int:
    """As many columns as fit the width."""
    return 3 if max(map(len, labels), default=0) <= 30 else 2


def message(text: str) -> Figure:
    """What stands in a figure's place where there is nothing to draw.

    :func:`save` notes the text in the PNG, under the key `EMPTY`.
    """
    figure = Figure(figsize=(WIDTH, 0.8))
    figure.set_gid(EMPTY)
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def noted(content: bytes, key: str) -> str | None:
    """What a PNG of :func:`save` says under `EMPTY` or `STRIPS`; None where it says nothing."""
    with Image.open(BytesIO(content)) as image:
        return image.info.get(key)
