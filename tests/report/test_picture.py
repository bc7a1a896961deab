"""The picture of a clip and its permuted views."""

from fractions import Fraction

from sslslr.augment import TemporalPermutation
from sslslr.config.study import PreprocessConfig
from sslslr.data.store import ClipStore
from sslslr.report.figures import _style as style
from sslslr.report.figures.clip import first_permutation, permuted_views, typical_clip


def test_the_clip_is_a_typical_training_clip(toy_store):
    row = typical_clip(toy_store)
    assert toy_store.clips["split"].iloc[row] == "train"
    lengths = toy_store.clips["n_frames"][toy_store.indices("train")]
    assert lengths.quantile(0.1) <= toy_store.clips["n_frames"].iloc[row] <= lengths.quantile(0.9)


def test_three_rows_are_drawn_and_named(toy_store):
    figure = permuted_views(toy_store, PreprocessConfig(frames=12), TemporalPermutation())
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert len(figure.axes) == 3
    assert any(text.startswith("original") for text in texts)
    assert {"view a", "view b"} <= set(texts)
    assert any("shuffled" in text for text in texts)


def test_a_gloss_is_no_formula(toy_store, tmp_path):
    """`$x^$` ended the job with a traceback: matplotlib took it for mathematics."""
    clips = toy_store.clips.assign(gloss="$x^$")
    store = ClipStore(toy_store.path, toy_store.keypoints, clips, toy_store.card)
    figure = permuted_views(store, PreprocessConfig(frames=12), TemporalPermutation())
    assert "$x^$" in figure.axes[0].texts[0].get_text()
    style.save(figure, tmp_path / "clip")


def test_settings_are_those_of_the_study():
    steps = [{"name": "temporal_permutation", "begin": "1/2", "end": "0"}]
    assert first_permutation(steps).begin == Fraction(1, 2)
    assert first_permutation([]) == TemporalPermutation()
