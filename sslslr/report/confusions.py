"""Which signs an encoder confuses, and what they look like side by side."""

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sslslr.clips import ClipStore
from sslslr.config import PreprocessConfig, TargetConfig
from sslslr.errors import UserError
from sslslr.preprocess import preprocess
from sslslr.report.picture import drawable, typical_clip
from sslslr.report.strips import clip_strip, headed, in_two_columns
from sslslr.report.style import STYLE, message, shown
from sslslr.report.tables import PROTOCOLS
from sslslr.splitting import splits_of

PAIR = ["label", "predicted", "count", "n_label", "clips"]
ONE_OF = ("run_id", "dataset", "protocol")
MAX_FRAMES = 6
TITLE_SPACE = 0.19  # inches above a strip
ROOM = {"test clip": 44, "training clip": 34}  # letters of a title above a strip


def worst_pairs(predictions: pd.DataFrame, k: int = 5) -> pd.DataFrame:
    """The `k` most frequent confusions: a sign, and what it was taken for.

    Args:
        predictions: of :func:`sslslr.report.collect.read_predictions`, of one run, data set and
            protocol. Only scores with all labels count; of several probe seeds a clip's most
            frequent guess does.

    Returns:
        Columns label, predicted, count (test clips of `label` taken for `predicted`), n_label (test
        clips of `label`), clips (their ids, sorted). Most frequent first, then by the share of the
        label's clips, then by name; empty where nothing was mistaken.

    Raises:
        UserError: no row, or several runs, data sets or protocols.
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


def of_one_protocol(predictions: pd.DataFrame, dataset: str, protocol: str = "") -> pd.DataFrame:
    """Rows of a target and a protocol; without one of the first that learnt from all labels.

    A study may have `semi_supervised` as its first protocol, or others on other targets.
    """
    found = predictions[predictions["dataset"] == dataset]
    full = found[(found["label_fraction"] == 1) & (found["shots"] == 0)]
    protocol = protocol or next(iter(full["protocol"]), "")
    return found[found["protocol"] == protocol]


def _guesses(predictions: pd.DataFrame) -> pd.DataFrame:
    """clip_id, label and predicted, one row a clip."""
    full = predictions
    for column, value in (("label_fraction", 1), ("shots", 0)):
        full = full[full[column] == value] if column in full else full
    if full.empty:
        raise UserError("predictions: no prediction with all labels. Evaluate the run again.")
    for column in ONE_OF:
        if column in full and len(found := sorted(full[column].unique())) > 1:
            raise UserError(
                f"predictions: several values of {column} ({', '.join(found[:3])}); choose one."
            )
    full = full.assign(predicted=[str(best[0]) for best in full["best"]])
    votes = full.groupby(["clip_id", "label", "predicted"]).size().rename("votes").reset_index()
    votes = votes.sort_values(["clip_id", "votes", "predicted"], ascending=[True, False, True])
    return votes.drop_duplicates("clip_id")[["clip_id", "label", "predicted"]]


def confusion_figure(
    predictions: pd.DataFrame,
    store: ClipStore,
    preprocess_config: PreprocessConfig,
    k: int = 4,
    target: TargetConfig | None = None,
) -> Figure:
    """The worst pairs, a row each: a clip that was mistaken, and what it was taken for.

    To the left a test clip of the true sign, to the right a training clip of the predicted one,
    both as the encoder gets them and in one scale.

    Args:
        target: settings of the target that was scored: which clips the probe learnt from. Without
            them the data set's own training clips are taken.

    Raises:
        UserError: as :func:`worst_pairs`; or the store is not the one that was scored.
    """
    if predictions.empty:
        with matplotlib.rc_context(STYLE):
            return message(
                "No protocol learnt from all labels, so there are no confusions to show."
            )
    pairs = worst_pairs(predictions, k)
    with matplotlib.rc_context(STYLE):
        if pairs.empty:
            return message("No test clip was mistaken for another sign.")
        learnt = _learnt_from(predictions, store, target or TargetConfig())
        chosen = [_clips_of(pair, store, learnt) for pair in pairs.to_dict("records")]
        rows = np.array([mistaken for mistaken, _ in chosen] + [model for _, model in chosen])
        order, inverse = np.unique(rows, return_inverse=True)
        prepared = preprocess(store, preprocess_config, order)
        if len(prepared.batch) < len(order):
            lost = ", ".join(drop["clip_id"] for drop in prepared.dropped[:3])
            raise UserError(
                f"{store.path}: this preprocessing leaves nothing of clip {lost}. Give the settings "
                "that the run was scored with."
            )
        names = ["test clip"] * len(chosen) + ["training clip"] * len(chosen)
        strips = [
            (name, *drawable(prepared.batch, clip))
            for name, clip in zip(names, inverse, strict=True)
        ]
        present = prepared.batch.present.any(dim=0).numpy()
        figure = in_two_columns(clip_strip(strips, present, max_frames=MAX_FRAMES), TITLE_SPACE)
        titles = [_title(pair) for pair in pairs.to_dict("records")]
        titles += [shown(str(predicted), ROOM["training clip"]) for predicted in pairs["predicted"]]
        for axes, title in zip(figure.axes, titles, strict=True):
            axes.set_title(title, loc="left", fontweight="bold", pad=2, parse_math=False)
        return headed(figure, _of_what(predictions))


def _of_what(predictions: pd.DataFrame) -> str:
    """Run, target, protocol and n, as far as they are known: the figure may stand alone."""
    run, dataset, protocol = (
        str(predictions[name].iloc[0]) if name in predictions else "" for name in ONE_OF
    )
    said = [f"{run} on {dataset}" if run and dataset else run or dataset]
    said += [PROTOCOLS.get(protocol, protocol)]
    return ", ".join([*filter(None, said), f"n = {predictions['clip_id'].nunique()} test clips"])


def _title(pair: dict[str, Any]) -> str:
    """`a taken for b: 3 of 4`; of long names both are cut, or the one that is long."""
    label, predicted = str(pair["label"]), str(pair["predicted"])
    counted = f"{pair['count']} of {pair['n_label']}"
    room = ROOM["test clip"] - len(" taken for : ") - len(counted)
    most = [max(room // 2, room - len(other)) for other in (predicted, label)]
    return f"{shown(label, most[0])} taken for {shown(predicted, most[1])}: {counted}"


def _learnt_from(predictions: pd.DataFrame, store: ClipStore, target: TargetConfig) -> np.ndarray:
    """Which clips of the store the probe learnt from, (clips,) of bool."""
    scored = str(predictions["dataset"].iloc[0]) if "dataset" in predictions else ""
    return np.isin(splits_of(store.clips, target, target.dataset or scored), target.train)


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
