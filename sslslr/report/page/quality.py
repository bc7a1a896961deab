"""The quality report of a clip store: a table, its summary, and the worst clips drawn."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sslslr.data.quality import measure, summary, worst
from sslslr.data.store import ClipStore
from sslslr.report.figures._skeletons import clip_strip
from sslslr.report.figures._style import PALETTE, STYLE, WIDTH
from sslslr.report.tables._markup import escape_markdown
from sslslr.utils.files import atomic_file, atomic_folder, refuse_foreign, write_text
from sslslr.utils.tables import write_csv

PARTS = {"body": "shoulders", "left_hand": "left hand", "right_hand": "right hand",
         "any_hand": "a hand"}  # fmt: skip
FILES = ("quality.csv", "quality.md", "quality.png", "worst.png")
DRAWN = 4  # worst clips in the picture
COLUMNS = ("clip_id", "gloss", "n_frames", "any_hand", "hands_exchanged", "jitter")


def write_report(path: Path, out: Path) -> list[str]:
    """Write quality.csv (a row a clip), quality.md, quality.png and worst.png into `out`.

    Returns:
        What was found, a sentence each.

    Raises:
        UserError: no store, or `out` cannot be written or holds other files.
    """
    refuse_foreign(out, FILES, "report of quality")
    store = ClipStore.open(path)
    table = measure(store)
    totals = summary(table)
    with atomic_folder(out) as folder:
        with atomic_file(folder / "quality.csv") as temporary:
            write_csv(table, temporary, float_format="%.4f")
        write_text(folder / "quality.md", as_markdown(store, table, totals))
        for name, figure in (("quality", distributions(table)), ("worst", drawn(store, table))):
            with matplotlib.rc_context(STYLE):
                figure.savefig(folder / f"{name}.png", metadata={"Software": None})
    rates = ", ".join(f"{label} in {_percent(totals[key])}" for key, label in PARTS.items())
    return [
        f"{store.name}: {totals['clips']} clips, {totals['frames']} frames; {rates} of the frames.",
        f"{store.name}: hands look exchanged in {_percent(totals['hands_exchanged'])} of the frames "
        f"that tell; {totals['clips_without_a_hand']} clips have no hand. Report in {out}.",
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if np.isfinite(share) else "none"


def as_markdown(store: ClipStore, table: pd.DataFrame, totals: dict[str, float]) -> str:
    """The summary and the worst clips, as quality.md shows them."""
    made = store.card.get("extraction") or {}
    source = f"{made.get('model')} ({made.get('backend')})" if made else "not estimated here"
    jitter = f"{totals['jitter']:.4f}" if np.isfinite(totals["jitter"]) else "cannot be told"
    lines = [
        f"# Keypoints of {store.name}",
        "",
        "| measure | value |",
        "| :--- | ---: |",
        f"| model | {source} |",
        f"| clips | {totals['clips']} |",
        f"| left out | {store.card['dropped']['count']} |",
        f"| frames a clip: shortest, median, longest | {totals['shortest']}, "
        f"{totals['median_frames']:g}, {totals['longest']} |",
        *(f"| frames with {label} | {_percent(totals[key])} |" for key, label in PARTS.items()),
        f"| clips without a hand | {totals['clips_without_a_hand']} |",
        f"| hands look exchanged, of the frames that tell | {_percent(totals['hands_exchanged'])} |",
        f"| jitter of hands and arms, shoulder widths, median | {jitter} |",
        "",
        "The hands look exchanged in a frame where they are nearer to the body's other wrists. Jitter",
        "is how far a joint lies from the middle of where it is one frame before and after.",
        "",
        "## The worst clips",
        "| clip | gloss | frames | with a hand | exchanged | jitter |",
        "| :--- | :--- | ---: | ---: | ---: | ---: |",
    ]
    for clip in worst(table)[list(COLUMNS)].itertuples(index=False):
        shown = [escape_markdown(str(value)) for value in (clip.clip_id, clip.gloss)]
        rates = [_percent(clip.any_hand), _percent(clip.hands_exchanged)]
        tremble = f"{clip.jitter:.4f}" if np.isfinite(clip.jitter) else ""
        lines.append(f"| {' | '.join([*shown, str(clip.n_frames), *rates, tremble])} |")
    return "\n".join(lines) + "\n"


def distributions(table: pd.DataFrame) -> Figure:
    """Histograms over clips: frames with each part, exchanged hands, jitter, length."""
    panels = [
        ("Frames with a hand, %", 100 * table["any_hand"], (0, 100)),
        ("Frames with shoulders, %", 100 * table["body"], (0, 100)),
        ("Hands exchanged, %", 100 * table["hands_exchanged"], (0, 100)),
        ("Jitter, shoulder widths", table["jitter"], None),
        ("Frames a clip", table["n_frames"].astype(float), None),
    ]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.7), layout="constrained")
        for i, (title, values, span) in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), i + 1)
            values = values[np.isfinite(values)]
            if len(values):
                axes.hist(values, bins=20, range=span, color=PALETTE[0])
            else:
                axes.text(0.5, 0.5, "cannot be told", ha="center", transform=axes.transAxes)
            axes.set_title(title, fontsize=7)
            axes.yaxis.get_major_locator().set_params(integer=True)
            if i == 0:
                axes.set_ylabel("clips")
    return figure


def drawn(store: ClipStore, table: pd.DataFrame) -> Figure:
    """The worst clips as strips of skeletons."""
    rows = []
    for index, clip in worst(table, DRAWN).iterrows():
        frames = np.asarray(store.frames(index), dtype=np.float32)
        aspect = store.clips["aspect"].iloc[index]
        frames = frames * (aspect if pd.notna(aspect) else 1.0, 1.0)
        name = str(clip["clip_id"])
        name = name if len(name) <= 13 else f"…{name[-12:]}"
        label = f"{name}\nhand {100 * clip['any_hand']:.0f} %"
        if clip["hands_exchanged"] > 0:
            label += f"\nexch. {100 * clip['hands_exchanged']:.0f} %"
        rows.append((label, frames, len(frames)))
    return clip_strip(rows)
