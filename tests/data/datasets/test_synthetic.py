"""The synthetic set keeps its contract: only the stroke carries the sign."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sslslr.data.datasets import build, options_of
from sslslr.data.datasets.synthetic import BLOCK, draw_signers, draw_signs, make_block
from sslslr.data.store import ClipStore
from sslslr.pose.skeleton import LEFT_HAND, PARTS, RIGHT_HAND
from sslslr.utils.errors import UserError

SMALL = {"signs": 10, "signers": 8, "clips": 2000, "val_signers": 1, "test_signers": 2}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("synthetic") / "clips"
    build("toy", "synthetic", SMALL, path, say=lambda text: None)
    return ClipStore.open(path)


def test_any_seed_that_torch_takes_is_one():
    assert options_of("synthetic", {**SMALL, "seed": 20_261_129_000}, "toy").seed == 20_261_129_000
    with pytest.raises(UserError, match="seed"):
        options_of("synthetic", {**SMALL, "seed": 2**63}, "toy")


def clip_phases(store):
    clips = store.clips
    return (clips[name].to_numpy() for name in ("n_frames", "stroke_start", "stroke_end"))


def test_store_is_sound_and_named(store):
    assert store.check() == []
    assert len(store) == 2000
    assert store.card["licence"] == "CC0-1.0"
    assert "Generated" in store.card["origin"]
    assert store.card["dropped"]["count"] == 0


def test_phases_leave_the_permuted_ends_free_of_the_stroke(store):
    n, start, end = clip_phases(store)
    assert (start >= n // 3).all()
    assert (n - end >= n // 4).all()
    assert (end - start >= 3).all()
    assert ((start > n // 3) | (n - end > n // 4)).any()  # the extra frames


def test_split_is_by_signer_and_has_every_gloss(store):
    clips = store.clips
    assert (clips.groupby("signer")["split"].nunique() == 1).all()
    signers = clips.groupby("split")["signer"].nunique()
    assert signers.to_dict() == {"train": 5, "val": 1, "test": 2}
    assert (clips.groupby("split")["gloss"].nunique() == 10).all()


def test_every_split_has_every_gloss_at_the_fewest_clips(tmp_path):
    build("toy", "synthetic", {**SMALL, "clips": 30}, tmp_path / "s", say=lambda text: None)
    clips = ClipStore.open(tmp_path / "s").clips
    assert (clips.groupby("split")["gloss"].nunique() == 10).all()


def test_lengths_follow_lsfb():
    """Median 18, p10 10, p90 35, mean 20.4, 86 % <= 30 (docs/paper.md)."""
    options = options_of("synthetic", {"clips": 10_000})
    signs, signers = draw_signs(options), draw_signers(options)
    n = np.concatenate([make_block(options, signs, signers, i * BLOCK)["length"] for i in range(6)])
    assert abs(np.median(n) - 18) <= 1
    assert abs(n.mean() - 20.4) <= 1
    assert abs(np.percentile(n, 10) - 10) <= 1
    assert abs(np.percentile(n, 90) - 35) <= 2
    assert abs((n <= 30).mean() - 0.86) <= 0.03
    assert n.min() >= options.min_frames
    assert n.max() <= options.max_frames


def test_missing_parts(store):
    joints = store.card["joints"]
    assert abs(joints["left_hand"] - 0.92) < 0.015
    assert abs(joints["right_hand"] - 0.92) < 0.015
    keypoints = store.keypoints
    for hand in (LEFT_HAND, RIGHT_HAND):  # a hand is there as a whole or not at all
        lost = np.isnan(keypoints[:, hand, 0]).sum(axis=1)
        assert set(np.unique(lost)) == {0, 21}
    body = np.isnan(keypoints[:, PARTS["body"], 0])
    assert body[:, 25:].all()  # legs
    assert not body[:, :25].any()


def test_the_signer_stays_in_the_image(store):
    seen = store.keypoints[np.isfinite(store.keypoints)].astype(np.float32)
    assert np.quantile(seen, 0.001) > 0
    assert np.quantile(seen, 0.999) < 1


def test_same_seed_same_bytes_other_seed_others(tmp_path):
    def make(name, **options):
        path = tmp_path / name
        build("toy", "synthetic", {**SMALL, "clips": 300, **options}, path, say=lambda text: None)
        return ClipStore.open(path)

    one, two, other = make("one"), make("two"), make("other", seed=1)
    assert one.data_hash == two.data_hash
    assert one.data_hash != other.data_hash


def test_more_clips_only_extend_the_set(store, tmp_path):
    build("toy", "synthetic", {**SMALL, "clips": 300}, tmp_path / "s", say=lambda text: None)
    few = ClipStore.open(tmp_path / "s")
    np.testing.assert_array_equal(few.keypoints, store.keypoints[: len(few.keypoints)])


def means(store, of_stroke):
    """Per clip, mean and spread of the coordinates in the stroke or outside, and what is lost."""
    rows = []
    for i, (n, start, end) in enumerate(zip(*clip_phases(store), strict=True)):
        inside = (np.arange(n) >= start) & (np.arange(n) < end)
        frames = store.frames(i).astype(np.float32)[inside if of_stroke else ~inside]
        frames = frames[:, np.r_[0:42, 42 + np.r_[0:25]]]
        lost = np.isnan(frames[..., 0]).mean(axis=0)
        seen = np.where(np.isnan(frames), 0.5, frames)
        lengths = [len(frames), start, n - end]
        rows.append(np.concatenate([seen.mean(0).ravel(), seen.std(0).ravel(), lost, lengths]))
    return np.array(rows)


@pytest.fixture(scope="module")
def probe(store):
    train, test = store.indices("train"), store.indices("test")
    labels = store.clips["gloss"].to_numpy()

    def correct(of_stroke):
        features = means(store, of_stroke)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200, C=0.1))
        model.fit(features[train], labels[train])
        return int((model.predict(features[test]) == labels[test]).sum()), len(test)

    return correct


def test_preparation_and_retraction_tell_nothing_of_the_sign(probe):
    correct, n = probe(of_stroke=False)
    low, high = binom.interval(0.999, n, 1 / SMALL["signs"])
    assert low <= correct <= high


def test_the_stroke_tells_the_sign(probe):
    correct, n = probe(of_stroke=True)
    assert correct / n > 0.8


def test_outside_the_stroke_the_sign_changes_nothing_at_all():
    """The same clip with another vocabulary differs in the stroke alone, to the last bit."""
    options = options_of("synthetic", SMALL)
    signs, signers = draw_signs(options), draw_signers(options)
    other = draw_signs(options.model_copy(update={"seed": 9, "two_handed": 1.0}))
    a, b = (make_block(options, vocabulary, signers, 0) for vocabulary in (signs, other))
    frame = np.arange(a["keypoints"].shape[1])
    start, end, n = (a[key][:, None] for key in ("stroke_start", "stroke_end", "length"))
    outside = ((frame < start) | (frame >= end)) & (frame < n)
    inside = (frame >= start) & (frame < end)
    np.testing.assert_array_equal(a["keypoints"][outside], b["keypoints"][outside])
    changed = ~np.isclose(a["keypoints"], b["keypoints"], equal_nan=True).all(axis=(2, 3))
    assert changed[inside].mean() > 0.95


def test_options_say_what_cannot_be():
    with pytest.raises(
        UserError, match=r"20 clips are too few for 10 signs in 3 splits; at least 30"
    ):
        options_of("synthetic", {**SMALL, "clips": 20})
    with pytest.raises(UserError, match="must leave a signer to train on"):
        options_of("synthetic", {**SMALL, "test_signers": 7})
    with pytest.raises(UserError, match="unknown key 'sign'. Did you mean 'signs'"):
        options_of("synthetic", {"sign": 3})
