"""What an encoder finds alike: test clips beside the training clip that is nearest to them."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from sslslr.data.splits import splits_of
from sslslr.report.figures import register
from sslslr.report.figures._base import Figure
from sslslr.report.figures._style import message
from sslslr.report.figures.confusions import in_pairs
from sslslr.report.results import Results
from sslslr.utils.errors import UserError
from sslslr.utils.tables import read_written

SHOWN = 4


@register
class Neighbours(Figure):
    title = "Nearest neighbours"
    caption = (
        "Left a test clip, right the training clip whose features are nearest to its own, by their "
        "cosine after standardising. The test clips are spread evenly over the signs, not chosen."
    )
    alt = (
        "Pairs of skeleton strips: a test clip beside the training clip nearest to it in features."
    )
    reads = ("example",)
    place = 60

    def draw(self, results: Results) -> Drawing:
        run_id, target = results.example
        scored = results.evaluations[run_id]
        settings, dataset = scored.targets[target], results.dataset_of(run_id, target)
        features, clips = read_features(results.folder / "features" / run_id / target)
        store = results.store(dataset)
        clips["row"] = (
            store.clips.reset_index()
            .set_index("clip_id")["index"]
            .reindex(clips["clip_id"])
            .to_numpy()
        )
        splits = splits_of(store.clips, settings, dataset)[clips["row"]]
        learnt = np.flatnonzero(np.isin(splits, settings.train))
        test = np.flatnonzero(splits == settings.test)
        if not len(learnt) or not len(test):
            return message("No test clip or no training clip, so there is no neighbour to show.")
        by_sign = test[np.argsort(clips["gloss"].to_numpy(dtype=str)[test], kind="stable")]
        asked = by_sign[np.linspace(0, len(test) - 1, min(SHOWN, len(test))).round().astype(int)]
        found = learnt[nearest(features, asked, learnt)]
        signs = clips["gloss"].astype(str)
        titles = [
            (signs[a], f"{signs[b]} ({'the same' if signs[a] == signs[b] else 'another'} sign)")
            for a, b in zip(asked, found, strict=True)
        ]
        pairs = list(zip(clips["row"][asked], clips["row"][found], strict=True))
        return in_pairs(store, scored.run.preprocess, pairs, titles, f"{run_id} on {target}")


def read_features(folder: Path) -> tuple[np.ndarray, pd.DataFrame]:
    """features.npy and clips.csv of a folder that `sslslr evaluate` wrote.

    Raises:
        UserError: a file is absent or cannot be read.
    """
    try:
        features = np.load(folder / "features.npy", allow_pickle=False)
        clips = read_written(folder / "clips.csv")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{folder}: cannot be read ({error}). Evaluate the run again.") from None
    return features, clips


def nearest(features: np.ndarray, asked: np.ndarray, learnt: np.ndarray) -> np.ndarray:
    """Of the rows `learnt`, the place of the one that is nearest to each row of `asked`."""
    scaled = (features - features[learnt].mean(axis=0)) / (features[learnt].std(axis=0) + 1e-9)
    scaled /= np.linalg.norm(scaled, axis=1, keepdims=True) + 1e-9
    return (scaled[asked] @ scaled[learnt].T).argmax(axis=1)
