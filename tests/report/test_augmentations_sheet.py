"""The sheet of all augmentations."""

import shutil

import numpy as np

from sslslr.augment import TRANSFORMS
from sslslr.config.study import PreprocessConfig
from sslslr.data.store import ClipStore
from sslslr.pose.skeleton import PARTS
from sslslr.report.figures.augmentations import augmentation_sheet

STRONG = [{"name": "rotation", "degrees": 15}, {"name": "joint_masking"}]


def titles(figure) -> list[str]:
    return [axes.texts[0].get_text().replace("\n", " ") for axes in figure.axes]


def test_a_row_for_the_clip_every_transform_and_every_composition(toy_store):
    figure = augmentation_sheet(toy_store, PreprocessConfig(frames=12), {"strong_views": STRONG})
    assert len(figure.axes) == 1 + len(TRANSFORMS.names()) + 1
    found = titles(figure)
    assert found[0].startswith("original")
    assert found[0].endswith("frames")
    assert found[-1] == "strong views"
    for name, title in zip(TRANSFORMS.names(), found[1:], strict=False):
        assert title.startswith(name.replace("_", " "))


def test_the_study_s_settings_take_the_row_of_a_transform(toy_store):
    study = {"temporal_permutation": [{"name": "temporal_permutation", "begin": "1/2", "end": 0}]}
    figure = augmentation_sheet(toy_store, PreprocessConfig(frames=12), study)
    assert len(figure.axes) == 1 + len(TRANSFORMS.names())
    assert "temporal permutation begin 1/2 end 0" in titles(figure)


def test_the_strips_do_not_overlap_and_fit_a_page(toy_store):
    figure = augmentation_sheet(toy_store, PreprocessConfig(frames=12), {"strong": STRONG})
    boxes = [axes.get_position() for axes in figure.axes]
    for i, a in enumerate(boxes):
        assert 0 <= a.x0 < a.x1 <= 1
        assert 0 <= a.y0 < a.y1 <= 1.0001
        for b in boxes[:i]:
            assert a.x0 >= b.x1 or a.y1 <= b.y0 + 1e-9
    assert figure.get_size_inches()[1] < 11


def test_temporal_views_show_which_frame_went_where(toy_store):
    figure = augmentation_sheet(toy_store, PreprocessConfig(frames=12), {})
    below = {
        title: [text.get_text() for text in axes.texts[1:]]
        for title, axes in zip(titles(figure), figure.axes, strict=True)
    }
    assert below["temporal permutation"] != next(iter(below.values()))
    assert below["rotation"] == next(iter(below.values()))


def test_a_flip_shows_the_hand_that_it_makes(toy_store, tmp_path):
    """Of a data set with right hands alone it showed none."""
    shutil.copytree(toy_store.path, tmp_path / "store")
    keypoints = np.lib.format.open_memmap(tmp_path / "store" / "keypoints.npy", mode="r+")
    keypoints[:, PARTS["left_hand"]] = np.nan
    keypoints.flush()
    store = ClipStore.open(tmp_path / "store")
    figure = augmentation_sheet(store, PreprocessConfig(frames=12), {})
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"left hand", "right hand"} <= labels
