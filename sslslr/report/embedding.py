"""A map of a data set's features: does the encoder put signs together, or people?"""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from sslslr.clips import ClipStore
from sslslr.errors import UserError
from sslslr.report.style import PALETTE, STYLE, WIDTH, message, shown

FEWEST_TEST = 100  # with fewer test clips all clips are drawn
FEWEST = 5
OTHER, OTHER_NAME, UNKNOWN = "#C8C8C8", "other", "not stated"
LONGEST = 16  # letters of a name in the legend
COLUMNS = 3  # of the legend
ROW = 0.16  # inches
MARKERS = ("o", "^", "s", "D")  # with the colours: enough for 28 names
# What the second panel shows: the first of these columns that says anything.
SECOND = ("signer", "language")


def read_features(folder: str | Path) -> tuple[np.ndarray, pd.DataFrame]:
    """features.npy and clips.csv of a folder that `sslslr evaluate` wrote.

    Raises:
        UserError: a file is absent or cannot be read.
    """
    folder = Path(folder)
    try:
        features = np.load(folder / "features.npy", allow_pickle=False)
        clips = pd.read_csv(folder / "clips.csv", dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename}: there is no such file. Evaluate the run first."
        ) from None
    except (ValueError, EOFError) as error:
        raise UserError(f"{folder}: cannot be read ({error}). Evaluate the run again.") from None
    if absent := [name for name in ("clip_id", "gloss", "signer", "split") if name not in clips]:
        raise UserError(
            f"{folder / 'clips.csv'}: column {absent[0]!r} is missing. Evaluate the run again."
        )
    return features, clips


def with_languages(clips: pd.DataFrame, store: ClipStore) -> pd.DataFrame:
    """`clips` with each clip's language, as the store has it."""
    languages = store.clips.set_index("clip_id")["language"]
    return clips.assign(language=clips["clip_id"].map(languages))


def embedding_map(
    features: np.ndarray,
    clips: pd.DataFrame,
    title: str,
    max_clips: int = 1500,
    max_glosses: int = 12,
) -> Figure:
    """t-SNE of an encoder's features, coloured by gloss and by signer.

    Test clips are drawn, or all clips where there are fewer than 100 of them. Where there are not two
    signers, the second panel shows the languages; where there are not two of them either, there is
    one panel, and the title says so. Distances
    between far points, and sizes of clusters, mean nothing in such a map.

    Args:
        features: float (clips, width), rows as in `clips`.
        clips: columns gloss, signer, split, and perhaps language.
        max_clips: more are thinned at random, always to the same ones.
        max_glosses: this many of the most frequent have a colour; others are grey.

    Raises:
        UserError: not one row a clip, or features that are not finite.
    """
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or len(features) != len(clips):
        raise UserError(
            f"features of shape {features.shape} do not fit {len(clips)} clips. Evaluate the run again."
        )
    if not np.isfinite(features).all():
        raise UserError("features hold NaN or infinity. Evaluate the run again.")
    rows, what = _chosen(clips, max_clips)
    features, clips = features[rows], clips.iloc[rows]
    with matplotlib.rc_context(STYLE):
        spread = features.std()
        if len(rows) < FEWEST or spread < 1e-12 or np.ptp(features, axis=0).max() < 1e-9:
            return message(f"{title}: fewer than {FEWEST} clips, or all features equal; no map.")
        places = _places(features)
        # Square maps, titles above, and the longer of the two legends below.
        second = next((name for name in SECOND if _says(clips, name)), None)
        if not second:
            title = f"{title} (no two signers or languages known)"
        names = [clips[name].nunique() for name in ("gloss", second) if name]
        rows_below = -(-(min(max(names), max_glosses) + 2) // COLUMNS)
        height = WIDTH / 2 + 0.45 + ROW * rows_below
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        shown_by = ["gloss", second] if second else ["gloss"]
        panels = figure.subplots(1, len(shown_by), squeeze=False)[0]
        figure.suptitle(f"{title}, n = {len(rows)} {what}", fontsize=8, parse_math=False)
        for axes, name in zip(panels, shown_by, strict=True):
            _scatter(axes, places, clips[name], max_glosses, name)
        return figure


def _chosen(clips: pd.DataFrame, max_clips: int) -> tuple[np.ndarray, str]:
    """Rows to draw, in order, and what they are."""
    rows, what = np.flatnonzero((clips["split"] == "test").to_numpy()), "test clips"
    if len(rows) < FEWEST_TEST:
        rows, what = np.arange(len(clips)), "clips"
    if len(rows) > max_clips:
        what = f"of {len(rows)} {what}"
        rows = np.sort(np.random.default_rng(0).choice(rows, max_clips, replace=False))
    return rows, what


def _places(features: np.ndarray) -> np.ndarray:
    """(n, 2); the same on every call, whatever the number of threads."""
    n = len(features)
    # In one unit, so that t-SNE's tolerances mean the same for every encoder.
    scaled = (features - features.mean(axis=0)) / features.std()
    with threadpool_limits(1):  # sums in another order would move the points
        return TSNE(
            init="pca", random_state=0, perplexity=min(30.0, max(1.0, (n - 1) / 3)), n_jobs=1
        ).fit_transform(scaled)


def _says(clips: pd.DataFrame, column: str) -> bool:
    return column in clips and len(set(clips[column][_known(clips[column])])) > 1


def _known(names: pd.Series) -> pd.Series:
    return names.notna() & (names.astype(str) != "")


def _scatter(axes: Axes, places: np.ndarray, names: pd.Series, most: int, what: str) -> None:
    known = _known(names)
    names = names.astype(str).where(known, "")
    counts = names[known].value_counts()
    # Ties by name, so that the colours do not hang on the order of the clips.
    ranked = sorted(counts.index, key=lambda name: (-counts[name], name))[:most]
    rest = ~names.isin(ranked).to_numpy() & known.to_numpy()
    for said, here, marker in ((UNKNOWN, ~known.to_numpy(), "x"), (OTHER_NAME, rest, "o")):
        if here.any():
            axes.scatter(*places[here].T, s=5, color=OTHER, linewidths=0.5 * (marker == "x"),
                         marker=marker, label=f"{said} ({here.sum()})")  # fmt: skip
    for i, name in enumerate(sorted(ranked)):
        here = (names == name).to_numpy()
        colour, marker = PALETTE[i % len(PALETTE)], MARKERS[i // len(PALETTE) % len(MARKERS)]
        axes.scatter(*places[here].T, s=9, color=colour, marker=marker, linewidths=0,
                     label=f"{shown(name, LONGEST)} ({here.sum()})")  # fmt: skip
    axes.set_title(f"by {what}, {len(counts)} in all", loc="left", fontweight="bold")
    axes.set(xticks=[], yticks=[], box_aspect=1, anchor="N")
    axes.grid(False)
    axes.spines[:].set_visible(False)
    legend = axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=COLUMNS, handletextpad=0.1,
                         columnspacing=0.8)  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
