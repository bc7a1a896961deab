"""A picture of what pretraining sees: one real clip and two temporally permuted views of it."""

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Drawing

from sslslr.augment import TemporalPermutation, permutation_order, share_of
from sslslr.config.settings import parse
from sslslr.config.study import PreprocessConfig
from sslslr.data.batch import Batch
from sslslr.data.preprocess import preprocess
from sslslr.data.store import ClipStore
from sslslr.report.figures import register
from sslslr.report.figures._base import Figure
from sslslr.report.figures._skeletons import clip_strip
from sslslr.report.figures._style import shown
from sslslr.report.results import Results
from sslslr.utils.errors import UserError
from sslslr.utils.seeds import generator

BESIDE = 14  # letters that stand beside a strip


@register
class Clip(Figure):
    title = "Temporal permutation"
    caption = (
        "One clip as the encoder gets it, and two views whose beginning and end are shuffled while the "
        "middle stays in order. The number below a skeleton is its original frame."
    )
    alt = "Three strips of skeletons: the original clip in order, and two views with shuffled ends."
    reads = ("clips",)
    place = 30

    def draw(self, results: Results) -> Drawing:
        steps = next(iter(results.study.augmentations.values()), [])
        permutation = first_permutation(steps)
        return permuted_views(results.store(), results.study.preprocess, permutation)


def typical_clip(store: ClipStore, rows: np.ndarray | None = None) -> int:
    """Row of a clip of median length whose hands were found most often.

    Args:
        rows: clips to choose from; None stands for the training clips, or all without a split.
    """
    if rows is None:
        rows = store.indices("train")
        rows = rows if len(rows) else store.indices()
    lengths = store.clips["n_frames"].to_numpy()[rows]
    near = rows[np.abs(lengths - np.median(lengths)).argsort(kind="stable")[:20]]
    seen = [np.isfinite(store.frames(row)[:, :42, 0]).mean() for row in near]
    return int(near[int(np.argmax(seen))])


def drawable(batch: Batch, clip: int) -> tuple[np.ndarray, int]:
    """(T, 75, 2) with NaN for what the clip lacks, and its length."""
    valid = batch.valid()[clip, :, :, None]
    return torch.where(valid, batch.keypoints[clip], torch.nan).numpy(), int(batch.lengths[clip])


def first_permutation(steps: list[dict[str, Any]]) -> TemporalPermutation:
    """The temporal permutation within a composition; the paper's where there is none."""
    for step in steps:
        if step.get("name") == "temporal_permutation":
            settings = {key: value for key, value in step.items() if key != "name"}
            return parse(TemporalPermutation, settings, "augmentations")
    return TemporalPermutation()


def permuted_views(
    store: ClipStore, config: PreprocessConfig, permutation: TemporalPermutation
) -> Drawing:
    """The clip as the encoder gets it, and two views with beginning and end shuffled.

    Raises:
        UserError: preprocessing leaves nothing of the chosen clip.
    """
    row = typical_clip(store)
    prepared = preprocess(store, config, np.array([row]))
    if len(prepared.batch) == 0:
        raise UserError(f"{store.path}: clip {store.clips['clip_id'].iloc[row]!r} cannot be drawn.")
    clip = prepared.batch
    n, frames = int(clip.lengths[0]), clip.keypoints.shape[1]
    draws = generator(0, "picture")
    orders = [
        permutation_order(clip.lengths, frames, permutation.begin, permutation.end, draws)[0]
        for _ in range(2)
    ]
    keypoints = clip.keypoints[0].numpy()
    gloss, language = store.clips["gloss"].iloc[row], store.clips["language"].iloc[row]
    about = shown(str(gloss), BESIDE)
    if isinstance(language, str):
        about += f"\n({shown(language, BESIDE)})"
    rows = [(f"original\n{about}", keypoints, n)]
    rows += [
        (f"view {name}", keypoints[order.numpy()], n)
        for name, order in zip("ab", orders, strict=True)
    ]
    length = torch.tensor(n)
    n_begin, n_end = (
        int(share_of(length, permutation.begin)),
        int(share_of(length, permutation.end)),
    )
    phases = [
        (0, n_begin, "beginning: shuffled"),
        (n_begin, n - n_end, "middle: in order"),
        (n - n_end, n, "end: shuffled"),
    ]
    return clip_strip(
        rows,
        present=clip.present[0].numpy(),
        phases=[phase for phase in phases if phase[1] > phase[0]],
        order=[None, *(order.tolist() for order in orders)],
    )
