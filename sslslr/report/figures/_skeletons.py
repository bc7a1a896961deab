"""Strips of skeletons: a clip and its augmented views, frame by frame."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from sslslr.pose.skeleton import EDGES, N_JOINTS, PARTS
from sslslr.report.figures._style import STYLE, WIDTH

PART_COLOURS = {"body": "#7A7A7A", "left_hand": "#0072B2", "right_hand": "#D55E00"}
LABEL, LEGEND = 0.85, 0.42  # inches beside and below the strips
CELL, MOVED, PHASE_COLOUR = "#F5F5F5", "#FBE3B5", "#444444"


def _drawn_joints() -> np.ndarray:
    """(75,) bool: joints that an edge leads to, down to the hips.

    Legs are hardly ever in the picture of a sign; the estimates of them would shrink the hands.
    """
    joints = np.zeros(N_JOINTS, dtype=bool)
    joints[np.concatenate([np.ravel(edges) for edges in EDGES.values()])] = True
    joints[PARTS["body"].start + 25 :] = False
    return joints


JOINTS = _drawn_joints()


def clip_strip(
    rows: Sequence[tuple[str, np.ndarray, int]],
    present: np.ndarray | None = None,
    phases: Sequence[tuple[int, int, str]] | None = None,
    max_frames: int = 15,
    order: Sequence[Sequence[int] | None] | None = None,
) -> Figure:
    """Each row a clip as a strip of skeletons, left to right: a clip and its augmented views.

    All rows share one scale, so that a view that is larger or shifted looks so.

    Args:
        rows: name, keypoints (T, 75, 2) with y down and NaN for missing, and valid frames <= T.
        present: (75,) bool, joints that the data set has at all; None draws all.
        phases: (start, end, label) with `end` exclusive, in frames of the first row; drawn above.
        max_frames: longer clips are thinned evenly.
        order: per row the original frame at every position, or None where nothing moved. The
            number below a skeleton is its original frame; a tint marks those that moved.

    Raises:
        ValueError: no row, a wrong shape, or a length outside 1..T.
    """
    clips = [_checked(*row) for row in rows]
    if not clips:
        raise ValueError("no clip to draw")
    orders = list(order) if order is not None else [None] * len(clips)
    if len(orders) != len(clips):
        raise ValueError(f"{len(clips)} rows but {len(orders)} orders")
    drawn = JOINTS if present is None else JOINTS & np.asarray(present, dtype=bool)
    shown = [_thinned(length, max_frames) for _, _, length in clips]
    low, high = _box([k[where][:, drawn] for (_, k, _), where in zip(clips, shown, strict=True)])
    cells = max(map(len, shown))
    cell = (high - low) * (1.12, 1.06)
    rise = 0.26 * cell[0]  # room for the frame numbers, in keypoint units
    with matplotlib.rc_context(STYLE):
        scale = (WIDTH - 0.9) / (cells * cell[0])  # inches a unit
        head = 0.24 if phases else 0.05
        height = len(clips) * (cell[1] + rise) * scale + head + 0.3
        figure = Figure(figsize=(WIDTH, height))
        for i, (name, keypoints, _) in enumerate(clips):
            share = (cell[1] + rise) * scale / height
            top = 1 - head / height - i * share
            axes = figure.add_axes((0.85 / WIDTH, top - share, 1 - 0.9 / WIDTH, share))
            axes.set(xlim=(0, cells * cell[0]), ylim=(cell[1] + rise, 0))
            axes.set_axis_off()
            axes.text(-0.05 / scale, cell[1] / 2, name, ha="right", va="center", wrap=True,
                      parse_math=False)  # fmt: skip
            _tint_and_number(axes, shown[i], orders[i], cell)
            _skeletons(axes, np.where(drawn[:, None], keypoints, np.nan)[shown[i]], low, high, cell)
            if i == 0:
                _phase_brackets(axes, shown[0], phases or [], cell[0])
        parts = [part for part, where in PARTS.items() if drawn[where].any()]
        _part_legend(figure, parts, any(order is not None for order in orders))
        moving = (_as_bytes(k, drawn, n, low, high) for _, k, n in clips)
        figure.strips = list(zip(figure.axes, moving, strict=True))  # type: ignore[attr-defined]
        return figure


def moving(figure: Figure) -> str | None:
    """The strips of a figure as JSON, for a page that plays them; None of a figure without strips.

    `edges` names joints of `frames`, a part each; a strip is base64 of bytes (frames, joints, 2), 0 to
    254 from one corner of the box to the other and 255 where a joint is missing.
    """
    strips = getattr(figure, "strips", None)
    if not strips:
        return None
    places = np.cumsum(JOINTS) - 1
    edges = {
        part: [[int(places[a]), int(places[b])] for a, b in of if JOINTS[a] and JOINTS[b]]
        for part, of in EDGES.items()
    }
    named = [
        {
            "name": " ".join(f"{axes.get_title(loc='left')}\n{axes.texts[0].get_text()}".split()),
            "frames": base64.b64encode(frames.tobytes()).decode("ascii"),
        }
        for axes, frames in strips
    ]
    return json.dumps({"edges": edges, "joints": int(JOINTS.sum()), "strips": named})


def _as_bytes(
    keypoints: np.ndarray, drawn: np.ndarray, length: int, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """uint8 (length, joints that are ever drawn, 2), in a square box around `low` and `high`."""
    shown = np.where(drawn[:, None], keypoints, np.nan)[:length, JOINTS]
    placed = (shown - (low + high) / 2) / (high - low).max() + 0.5
    return np.where(np.isfinite(placed), np.clip(254 * placed, 0, 254).round(), 255).astype(
        np.uint8
    )


def in_two_columns(figure: Figure, title_space: float = 0.0) -> Figure:
    """The strips of a figure side by side, down the left column first, in their own proportions.

    Args:
        title_space: inches left free above each strip.
    """
    width, height = figure.get_size_inches()
    strip = width / 2 - LABEL - 0.05
    old = figure.axes[0].get_position()
    tall = old.height * height * strip / (old.width * width)
    per_column = -(-len(figure.axes) // 2)
    height = per_column * (tall + title_space) + LEGEND
    figure.set_size_inches(width, height)
    for i, axes in enumerate(figure.axes):
        column, row = divmod(i, per_column)
        left = column * width / 2 + LABEL
        bottom = LEGEND + (per_column - 1 - row) * (tall + title_space)
        axes.set_position((left / width, bottom / height, strip / width, tall / height))
    return figure


def _checked(name: str, keypoints: np.ndarray, length: int) -> tuple[str, np.ndarray, int]:
    keypoints = np.asarray(keypoints, dtype=float)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (N_JOINTS, 2):
        raise ValueError(f"{name}: expected (T, {N_JOINTS}, 2), found {keypoints.shape}")
    if not 1 <= length <= len(keypoints):
        raise ValueError(f"{name}: length {length} is not in 1..{len(keypoints)}")
    return name, keypoints, int(length)


def _thinned(length: int, max_frames: int) -> np.ndarray:
    return np.unique(np.linspace(0, length - 1, min(length, max_frames)).round().astype(int))


def _box(frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Corners around every joint that is drawn; a unit box where there is none."""
    points = np.concatenate([part.reshape(-1, 2) for part in frames])
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return np.zeros(2), np.ones(2)
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, np.maximum(high - low, 1e-6) / 2
    half = np.maximum(half, half.max() / 3)  # a strip of standing lines would have no height
    return middle - half, middle + half


def _tint_and_number(
    axes: Axes, shown: np.ndarray, order: Sequence[int] | None, cell: np.ndarray
) -> None:
    for place, position in enumerate(shown):
        origin = position if order is None else int(order[position])
        tint = CELL if origin == position else MOVED
        corner = ((place + 0.02) * cell[0], 0)
        axes.add_patch(Rectangle(corner, 0.96 * cell[0], cell[1], facecolor=tint, zorder=0))
        centre = (place + 0.5) * cell[0]
        axes.text(centre, cell[1] * 1.01, str(origin), ha="center", va="top", fontsize=6)


def _skeletons(
    axes: Axes, frames: np.ndarray, low: np.ndarray, high: np.ndarray, cell: np.ndarray
) -> None:
    """All frames of a row at once, one collection of lines a part."""
    across = np.arange(len(frames)) * cell[0]
    placed = frames - (low + high) / 2 + cell / 2
    placed[..., 0] += across[:, None]
    for part in ("body", "left_hand", "right_hand"):
        edges = np.array(EDGES[part])
        segments = placed[:, edges].reshape(-1, 2, 2)
        segments = segments[np.isfinite(segments).all(axis=(1, 2))]
        width = 0.8 if part == "body" else 0.6
        lines = LineCollection(segments, colors=PART_COLOURS[part], linewidths=width)
        lines.set_capstyle("round")
        axes.add_collection(lines, autolim=False)


def _phase_brackets(
    axes: Axes, shown: np.ndarray, phases: Sequence[tuple[int, int, str]], width: float
) -> None:
    for start, end, label in phases:
        inside = np.flatnonzero((shown >= start) & (shown < end))
        if len(inside):
            left, right = (inside[0] + 0.06) * width, (inside[-1] + 0.94) * width
            axes.plot([left, right], [0, 0], color=PHASE_COLOUR, linewidth=1.2, clip_on=False)
            axes.annotate(
                label, ((left + right) / 2, 0), (0, 2.5), textcoords="offset points",
                ha="center", va="bottom", fontsize=7, color=PHASE_COLOUR, annotation_clip=False,
            )  # fmt: skip


def _part_legend(figure: Figure, parts: Sequence[str], moved: bool) -> None:
    entries: list[Any] = [
        Line2D([], [], color=PART_COLOURS[part], label=part.replace("_", " ")) for part in parts
    ]
    if moved:
        entries.append(Rectangle((0, 0), 1, 1, facecolor=MOVED, label="frame moved"))
    figure.legend(handles=entries, loc="lower center", ncols=4, borderaxespad=0.1)
