"""A sheet of all augmentations: the same real clip under every transform and composition."""

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Drawing

from sslslr.augment import TRANSFORMS, compose
from sslslr.config.study import PreprocessConfig
from sslslr.data.batch import Batch
from sslslr.data.preprocess import preprocess
from sslslr.data.store import ClipStore
from sslslr.report.figures import register
from sslslr.report.figures._base import Figure
from sslslr.report.figures._skeletons import clip_strip, in_two_columns
from sslslr.report.figures.clip import drawable, typical_clip
from sslslr.report.results import Results
from sslslr.utils.seeds import generator

DRAWS = 24  # views drawn for a row; the one that differs most is shown
MAX_FRAMES = 6


@register
class Augmentations(Figure):
    title = "All augmentations"
    caption = (
        "One clip, and of a few random views by every augmentation the one that differs most. The "
        "numbers below are the clip's frames; tinted frames moved."
    )
    alt = "Strips of skeletons in two columns: the original clip, then one for each augmentation."
    reads = ("clips",)
    place = 40

    def draw(self, results: Results) -> Drawing:
        study = results.study
        return augmentation_sheet(results.store(), study.preprocess, study.augmentations)


def augmentation_sheet(
    store: ClipStore,
    preprocess_config: PreprocessConfig,
    augmentations: dict[str, list[dict[str, Any]]],
) -> Drawing:
    """One clip as the encoder gets it, and one view of it by every augmentation.

    A row is titled with the transform's name (and the study's settings), or with the composition's
    name, and with the length where that changed. Of a few random views the one that
    differs most from the clip is drawn. The numbers below are the clip's frames where a view only
    moves frames.

    Args:
        augmentations: the study's compositions. One that has a transform's name takes its row.

    Raises:
        UserError: preprocessing leaves nothing of the chosen clip.
    """
    row = typical_clip(store)
    clip = preprocess(store, preprocess_config, np.array([row])).batch
    steps_of = {name: [{"name": name}] for name in TRANSFORMS.names()}
    rows, orders = [(f"original\n{int(clip.lengths[0])} frames", *drawable(clip, 0))], [None]
    for name, steps in {**steps_of, **augmentations}.items():
        view, order = _view(clip, name, steps)
        changed = f"\n{view[1]} frames" if view[1] != int(clip.lengths[0]) else ""
        rows.append((_title(name, steps) + changed, *view))
        orders.append(order)
    # Of all views: a flip makes a right hand of the left one.
    present = np.any([np.isfinite(view[:n, :, 0]).any(axis=0) for _, view, n in rows], axis=0)
    figure = clip_strip(rows, present=present, max_frames=MAX_FRAMES, order=orders)
    return in_two_columns(figure)


def _view(
    clip: Batch, name: str, steps: list[dict[str, Any]]
) -> tuple[tuple[np.ndarray, int], list[int] | None]:
    """The view to draw, its length, and which frame of the clip comes at each time if known."""
    transform = compose(steps, f"augmentations.{name}")
    copies = clip[torch.zeros(DRAWS, dtype=torch.int64)]
    views = transform(copies, generator(0, "augmentation_sheet", name))
    most = int((views.keypoints - copies.keypoints).abs().flatten(1).sum(dim=1).argmax())
    # The same draws on a clip whose coordinates are its frame numbers tell what went where.
    time = torch.arange(1, copies.keypoints.shape[1] + 1).float()[:, None, None]  # 0 is missing
    everywhere = torch.ones_like(copies.present)
    numbered = Batch(time.expand_as(copies.keypoints).contiguous(), copies.lengths, everywhere)
    moved = transform(numbered, generator(0, "augmentation_sheet", name))
    length = int(moved.lengths[most])
    frames = moved.keypoints[most, :length]
    if not torch.equal(frames, frames[:, :1, :1].expand_as(frames)):
        return drawable(views, most), None  # it moves joints, not only frames
    order = (frames[:, 0, 0] - 1).round().int()
    return drawable(views, most), order.clamp(0, int(clip.lengths[0]) - 1).tolist()


def _title(name: str, steps: list[dict[str, Any]]) -> str:
    """The name over its settings, where one transform alone is shown."""
    words = name.replace("_", "\n") if len(name) > 13 else name.replace("_", " ")
    if len(steps) != 1:
        return words
    settings = [f"{key} {value}" for key, value in steps[0].items() if key != "name"]
    return "\n".join([words, *settings])
