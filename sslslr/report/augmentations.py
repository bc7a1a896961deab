"""A sheet of all augmentations: the same real clip under every transform and composition."""

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from sslslr.augment import TRANSFORMS, compose
from sslslr.batch import Batch
from sslslr.clips import ClipStore
from sslslr.config import PreprocessConfig
from sslslr.preprocess import preprocess
from sslslr.report.picture import drawable, typical_clip
from sslslr.report.strips import clip_strip, in_two_columns
from sslslr.seeds import generator

# The order of the rows, and settings that show in print; a transform that is not here follows
# with its defaults.
VISIBLE: dict[str, dict[str, Any]] = {
    "temporal_permutation": {},
    "temporal_crop": {},
    "speed": {"low": 0.5, "high": 2.0},
    "rotation": {"degrees": 20},
    "translation": {"distance": 0.3},
    "scale": {"low": 0.7, "high": 1.3},
    "shear": {"degrees": 20},
    "horizontal_flip": {},
    "vertical_flip": {},
    "gaussian_noise": {"std": 0.03},
    "joint_masking": {},
    "hand_masking": {"share": 0.5},
}
TEMPORAL = {"temporal_permutation", "temporal_crop", "speed"}
DRAWS = 8  # views drawn for a row; the one that differs most is shown
MAX_FRAMES = 6


def augmentation_sheet(
    store: ClipStore,
    preprocess_config: PreprocessConfig,
    augmentations: dict[str, list[dict[str, Any]]],
) -> Figure:
    """One clip as the encoder gets it, and one view of it by every augmentation.

    A row is titled with the transform's name and the settings it is shown with, or with the
    composition's name, and with the length where that changed. Of a few random views the one that
    differs most from the clip is drawn. The numbers below are the clip's frames where a view only
    moves frames.

    Args:
        augmentations: the study's compositions. One that has a transform's name takes its row.

    Raises:
        UserError: preprocessing leaves nothing of the chosen clip.
    """
    row = typical_clip(store)
    clip = preprocess(store, preprocess_config, np.array([row])).batch
    steps_of = {name: [{"name": name, **VISIBLE.get(name, {})}] for name in [*VISIBLE, *TRANSFORMS]}
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
    if not steps or any(step["name"] not in TEMPORAL for step in steps):
        return drawable(views, most), None
    # The same draws on a clip whose coordinates are its frame numbers tell what went where.
    time = torch.arange(copies.keypoints.shape[1]).float()[:, None, None]
    everywhere = torch.ones_like(copies.present)
    numbered = Batch(time.expand_as(copies.keypoints), copies.lengths, everywhere)
    moved = transform(numbered, generator(0, "augmentation_sheet", name))
    return drawable(views, most), moved.keypoints[most, :, 0, 0].round().int().tolist()


def _title(name: str, steps: list[dict[str, Any]]) -> str:
    """The name over its settings, where one transform alone is shown."""
    words = name.replace("_", "\n") if len(name) > 13 else name.replace("_", " ")
    if len(steps) != 1:
        return words
    settings = [f"{key} {value}" for key, value in steps[0].items() if key != "name"]
    return "\n".join([words, *settings])
