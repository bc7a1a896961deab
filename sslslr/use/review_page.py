"""The page of a review: each suspect as two strips of skeletons side by side, in one file."""

from html import escape

import numpy as np
import pandas as pd

from sslslr.data.store import ClipStore
from sslslr.pose.skeleton import BODY, EDGES

SHOWN = 200  # suspects that are drawn; the table has all
FRAMES = 7  # of a strip
CELL = 60  # pixels of a frame's height
COLOURS = {"body": "#7A7A7A", "left_hand": "#0072B2", "right_hand": "#D55E00"}
LEGS = BODY.start + 25
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:1rem auto;max-width:76rem;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse}td,th{padding:.15rem .8rem .15rem 0;text-align:left}
article{border-top:1px solid #ddd;padding:.6rem 0;content-visibility:auto;contain-intrinsic-size:auto 9rem}
h2{font-size:1rem;margin:0 0 .2rem}p{margin:.2rem 0}.pair{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:.2rem 0;flex:1 1 26rem}figcaption{font-size:.85rem}svg{width:100%;height:auto;background:#F5F5F5}
"""


def page(store: ClipStore, table: pd.DataFrame, rows: list[tuple[int, int]]) -> str:
    """HTML, whole by itself.

    Args:
        rows: of the store, the two clips of each suspect (-1: none).
    """
    counts = "".join(
        f"<tr><td>{escape(kind)}</td><td>{count}</td></tr>"
        for kind, count in table["kind"].value_counts(sort=False).items()
    )
    articles = "".join(
        _article(store, suspect, *pair)
        for suspect, pair in zip(table.head(SHOWN).to_dict("records"), rows, strict=False)
    )
    title = f"Review of {escape(store.name)}"
    more = f"The first {SHOWN} of {len(table)} are drawn. " if len(table) > SHOWN else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f"<h1>{title}</h1><p>{len(store)} clips, {len(table)} suspects, most telling first. {more}"
        "A suspect is no mistake: signs have variants, and some signers use the other hand. "
        "All are in suspects.csv.</p>"
        f"<table><tr><th>kind</th><th>suspects</th></tr>{counts}</table>{articles}</body></html>"
    )


def _article(store: ClipStore, suspect: dict, clip: int, other: int) -> str:
    figures = _figure(store, clip, "suspect") + (
        _figure(store, other, "beside it") if other >= 0 else ""
    )
    return (
        f"<article><h2>{suspect['rank']}. {escape(suspect['kind'])}: {escape(str(suspect['clip_id']))}</h2>"
        f'<p>{escape(suspect["why"])}</p><div class="pair">{figures}</div></article>'
    )


def _figure(store: ClipStore, row: int, role: str) -> str:
    clip = store.clips.iloc[row]
    signer = "" if pd.isna(clip["signer"]) else f", signer {clip['signer']}"
    caption = escape(f"{role}: {clip['gloss']} ({clip['clip_id']}{signer})")
    aspect = 1.0 if pd.isna(clip["aspect"]) else float(clip["aspect"])
    drawn = strip(np.asarray(store.frames(row), dtype=float) * (aspect, 1.0))
    return f"<figure>{drawn}<figcaption>{caption}</figcaption></figure>"


def strip(frames: np.ndarray) -> str:
    """A clip (frames, 75, 2), y down, as an SVG strip of skeletons."""
    hands = np.isfinite(frames[:, : BODY.start, 0]).any(axis=1)
    span = np.flatnonzero(hands) if hands.any() else np.arange(len(frames))
    chosen = frames[np.unique(np.linspace(span[0], span[-1], FRAMES).round().astype(int))]
    chosen = chosen.copy()
    chosen[:, LEGS:] = np.nan
    points = chosen.reshape(-1, 2)
    if not np.isfinite(points).all(axis=1).any():
        return "<svg></svg>"
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    scale = CELL / max(float(high[1] - low[1]), 1e-6)
    wide = max(float(high[0] - low[0]) * scale, CELL / 3) + 6
    paths = []
    for part, edges in EDGES.items():
        lines = []
        for number, joints in enumerate(chosen):
            at = (joints - low) * scale + (number * wide + 3, 3)
            lines += [
                f"M{at[a][0]:.1f} {at[a][1]:.1f}L{at[b][0]:.1f} {at[b][1]:.1f}"
                for a, b in edges
                if np.isfinite(at[[a, b]]).all()
            ]
        paths.append(f'<path d="{"".join(lines)}" stroke="{COLOURS[part]}"/>')
    size = f"0 0 {len(chosen) * wide:.0f} {CELL + 6}"
    return (
        f'<svg viewBox="{size}" role="img" aria-label="strip of skeletons" fill="none" '
        f'stroke-width=".8" stroke-linecap="round">{"".join(paths)}</svg>'
    )
