"""Which signs an encoder confuses, and what they look like side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from sslslr.config.study import PreprocessConfig, TargetConfig
from sslslr.data.preprocess import preprocess
from sslslr.data.splits import splits_of
from sslslr.data.store import ClipStore
from sslslr.report.figures import register
from sslslr.report.figures._base import Figure
from sslslr.report.figures._skeletons import clip_strip, in_two_columns
from sslslr.report.figures._style import message, shown
from sslslr.report.figures.clip import drawable, typical_clip
from sslslr.report.names import protocol_title
from sslslr.report.reading import read_predictions
from sslslr.report.results import Results
from sslslr.statistics.correctness import with_labels
from sslslr.utils.errors import UserError

PAIR = ["label", "predicted", "count", "n_label", "clips"]
MAX_FRAMES = 6
TITLE_SPACE = 0.19  # inches above a strip
ROOM = {"test clip": 44, "training clip": 34}  # letters of a title above a strip


@register
class Confusions(Figure):
    title = "Signs that are confused"
    caption = (
        "The most frequent confusions of one run: left a test clip of the true sign that was mistaken, "
        "right a training clip of the predicted sign. “2 of 4” means 2 of the sign's 4 test clips."
    )
    alt = "Pairs of skeleton strips: a mistaken test clip beside a training clip of the predicted sign."
    reads = ("example",)
    place = 50

    def draw(self, results: Results) -> Drawing:
        run_id, target = results.example
        scored = results.evaluations[run_id]
        predictions = read_predictions(
            [results.folder / "metrics" / run_id / "predictions.parquet"]
        )
        return confusion_figure(
            of_one_protocol(predictions, target),
            results.store(results.dataset_of(run_id, target)),
            scored.run.preprocess,
            target=scored.targets[target],
        )


def worst_pairs(predictions: pd.DataFrame, k: int = 5) -> pd.DataFrame:
    """The `k` most frequent confusions: a sign, and what it was taken for.

    Args:
        predictions: of one run and :func:`of_one_protocol`. Of several probe seeds a clip's most
            frequent guess counts.

    Returns:
        Columns label, predicted, count (test clips of `label` taken for `predicted`), n_label (test
        clips of `label`), clips (their ids, sorted). Most frequent first, then by the share of the
        label's clips, then by name; empty where nothing was mistaken.
    """
    guesses = _guesses(predictions)
    totals = guesses["label"].value_counts()
    wrong = guesses[guesses["label"] != guesses["predicted"]]
    rows = [
        (label, predicted, len(group), int(totals[label]), sorted(group["clip_id"]))
        for (label, predicted), group in wrong.groupby(["label", "predicted"])
    ]
    rows.sort(key=lambda row: (-row[2], -row[2] / row[3], row[0], row[1]))
    return pd.DataFrame(rows[:k], columns=PAIR)


def of_one_protocol(predictions: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Rows of a target and of the first protocol that learnt from all labels; none without one."""
    full = with_labels(predictions[predictions["dataset"] == dataset])
    return full[full["protocol"] == next(iter(full["protocol"]), "")]


def _guesses(predictions: pd.DataFrame) -> pd.DataFrame:
    """clip_id, label and predicted, one row a clip."""
    guesses = predictions.assign(predicted=[str(best[0]) for best in predictions["best"]])
    votes = guesses.groupby(["clip_id", "label", "predicted"]).size().rename("votes").reset_index()
    votes = votes.sort_values(["clip_id", "votes", "predicted"], ascending=[True, False, True])
    return votes.drop_duplicates("clip_id")[["clip_id", "label", "predicted"]]


def confusion_figure(
    predictions: pd.DataFrame,
    store: ClipStore,
    preprocess_config: PreprocessConfig,
    k: int = 4,
    target: TargetConfig | None = None,
) -> Drawing:
    """The worst pairs, a row each: a clip that was mistaken, and what it was taken for.

    To the left a test clip of the true sign, to the right a training clip of the predicted one,
    both as the encoder gets them and in one scale.

    Args:
        target: settings of the target that was scored: which clips the probe learnt from. Without
            them the data set's own training clips are taken.

    Raises:
        UserError: the store is not the one that was scored.
    """
    if predictions.empty:
        return message("No protocol learnt from all labels, so there are no confusions to show.")
    pairs = worst_pairs(predictions, k)
    if pairs.empty:
        return message("No test clip was mistaken for another sign.")
    learnt = _learnt_from(predictions, store, target or TargetConfig())
    chosen = [_clips_of(pair, store, learnt) for pair in pairs.to_dict("records")]
    titles = [(_title(pair), str(pair["predicted"])) for pair in pairs.to_dict("records")]
    return in_pairs(store, preprocess_config, chosen, titles, _of_what(predictions))


def in_pairs(
    store: ClipStore,
    preprocess_config: PreprocessConfig,
    clips: Sequence[tuple[int, int]],
    titles: Sequence[tuple[str, str]],
    about: str,
) -> Drawing:
    """Test clips to the left and training clips to the right, as the encoder gets them, in one scale.

    Args:
        clips: rows of the store, a pair a line; `titles` stand above them, `about` above all.

    Raises:
        UserError: preprocessing leaves nothing of a clip.
    """
    rows = np.array(clips).T.ravel()
    order, inverse = np.unique(rows, return_inverse=True)
    prepared = preprocess(store, preprocess_config, order)
    if len(prepared.batch) < len(order):
        lost = ", ".join(drop["clip_id"] for drop in prepared.dropped[:3])
        raise UserError(
            f"{store.path}: this preprocessing leaves nothing of clip {lost}. Give the settings "
            "that the run was scored with."
        )
    names = ["test clip"] * len(clips) + ["training clip"] * len(clips)
    strips = [
        (name, *drawable(prepared.batch, clip)) for name, clip in zip(names, inverse, strict=True)
    ]
    present = prepared.batch.present.any(dim=0).numpy()
    figure = in_two_columns(clip_strip(strips, present, max_frames=MAX_FRAMES), TITLE_SPACE)
    for axes, name, title in zip(figure.axes, names, np.array(titles).T.ravel(), strict=True):
        cut = shown(str(title), ROOM[name])
        axes.set_title(cut, loc="left", fontweight="bold", pad=2, parse_math=False)
    # Below, where the legend is: the figure may stand alone.
    figure.legends[0].set_title(about, prop={"size": 7})
    figure.legends[0].get_title().set_parse_math(False)
    return figure


def _of_what(predictions: pd.DataFrame) -> str:
    """Run, target, protocol and n: the figure may stand alone."""
    run, dataset, protocol = predictions[["run_id", "dataset", "protocol"]].iloc[0]
    clips = predictions["clip_id"].nunique()
    return f"{run} on {dataset}, {protocol_title(protocol)}, n = {clips} test clips"


def _title(pair: dict[str, Any]) -> str:
    """`a taken for b: 3 of 4`; of long names both are cut, or the one that is long."""
    label, predicted = str(pair["label"]), str(pair["predicted"])
    counted = f"{pair['count']} of {pair['n_label']}"
    room = ROOM["test clip"] - len(" taken for : ") - len(counted)
    most = [max(room // 2, room - len(other)) for other in (predicted, label)]
    return f"{shown(label, most[0])} taken for {shown(predicted, most[1])}: {counted}"


def _learnt_from(predictions: pd.DataFrame, store: ClipStore, target: TargetConfig) -> np.ndarray:
    """Which clips of the store the probe learnt from, (clips,) of bool."""
    dataset = target.dataset or predictions["dataset"].iloc[0]
    return np.isin(splits_of(store.clips, target, dataset), target.train)


def _clips_of(pair: dict[str, Any], store: ClipStore, learnt: np.ndarray) -> tuple[int, int]:
    """Rows of a mistaken test clip and of a typical training clip of the predicted sign."""
    clips = store.clips
    mistaken = np.flatnonzero(clips["clip_id"].astype(str).isin(pair["clips"]).to_numpy())
    models = np.flatnonzero((clips["gloss"].astype(str) == pair["predicted"]).to_numpy() & learnt)
    if not len(mistaken) or not len(models):
        lacking = (
            f"clip {pair['clips'][0]!r}"
            if not len(mistaken)
            else (f"training clip of {pair['predicted']!r}")
        )
        raise UserError(
            f"{store.path}: has no {lacking}. Give the store and the target's settings that the run "
            "was scored with."
        )
    return typical_clip(store, mistaken), typical_clip(store, models)
