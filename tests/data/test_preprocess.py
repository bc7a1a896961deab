"""Preprocessing against plain loops over clips, joints and frames."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sslslr.config.settings import parse
from sslslr.config.study import PreprocessConfig
from sslslr.data.preprocess import _chunks, fill_gaps, fit, normalise, preprocess, trim_to_hands
from sslslr.pose.skeleton import BODY, LEFT_HAND, LEFT_SHOULDER, RIGHT_HAND, RIGHT_SHOULDER
from sslslr.utils.errors import UserError


def gappy_clip(frames: int, seed: int, missing: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    clip = rng.uniform(0.2, 0.8, (frames, 75, 2)).astype(np.float32)
    clip[rng.random((frames, 75)) < missing] = np.nan
    return clip


def plain_fill(clip: np.ndarray) -> np.ndarray:
    filled, time = clip.copy(), np.arange(len(clip))
    for joint in range(clip.shape[1]):
        seen = np.isfinite(clip[:, joint, 0])
        if seen.any():
            for axis in range(2):
                filled[:, joint, axis] = np.interp(time, time[seen], clip[seen, joint, axis])
    return filled


def plain_ours(clip: np.ndarray, frames: int, how: str) -> tuple[np.ndarray, int]:
    """The whole of `ours`, one clip, in loops."""
    hand = [np.isfinite(frame[:42, 0]).any() for frame in clip]
    first, last = hand.index(True), len(hand) - 1 - hand[::-1].index(True)
    clip = plain_fill(clip[first : last + 1])
    left, right = clip[:, LEFT_SHOULDER], clip[:, RIGHT_SHOULDER]
    if np.isfinite(left).all() and np.isfinite(right).all():
        centre = ((left + right) / 2).mean(axis=0)
        scale = np.mean([np.hypot(*(a - b)) for a, b in zip(left, right, strict=True)])
    else:
        wrists = [clip[:, j] for j in (0, 21) if np.isfinite(clip[0, j, 0])]
        centre = np.mean([w.mean(axis=0) for w in wrists], axis=0)
        spread = np.sqrt(np.mean([((w - centre) ** 2).sum(axis=1).mean() for w in wrists]))
        palms = [np.linalg.norm(clip[:, j + 9] - clip[:, j], axis=1).mean() for j in (0, 21)]
        scale = max(spread, np.nanmean(palms))
    clip = (clip - centre) / scale
    if how == "truncate":
        out = np.zeros((frames, 75, 2))
        kept = clip[:frames]
        out[: len(kept)] = np.nan_to_num(kept)
        return out, len(kept)
    position = np.linspace(0, len(clip) - 1, frames) if frames > 1 else np.zeros(1)
    out = np.zeros((frames, 75, 2))
    for joint in range(75):
        for axis in range(2):
            values = np.interp(position, np.arange(len(clip)), clip[:, joint, axis])
            out[:, joint, axis] = np.nan_to_num(values)
    return out, frames


@pytest.mark.parametrize("how", ["truncate", "resample"])
@pytest.mark.parametrize("body", [True, False])
def test_ours_equals_a_plain_loop_over_clips(make_store, how, body):
    rng = np.random.default_rng(1)
    clips = {}
    for i, frames in enumerate([2, 3, 7, 12, 29, 30, 31, 64]):
        clip = gappy_clip(frames, seed=i)
        clip[:, RIGHT_HAND][:, [0, 9]] = rng.uniform(
            0.4, 0.6, (frames, 2, 2)
        )  # a palm to measure by
        if not body:
            clip[:, BODY] = np.nan
        else:
            clip[:, [LEFT_SHOULDER, RIGHT_SHOULDER]] = rng.uniform(0.3, 0.7, (frames, 2, 2))
        if i % 3 == 0:
            clip[:, LEFT_HAND] = np.nan  # a hand that never appears
        clips[f"c{i}"] = (clip, {})
    store = make_store(clips)
    found = preprocess(store, PreprocessConfig(fit=how, frames=16))
    for i in range(len(store)):
        expected, length = plain_ours(np.asarray(store.frames(i), dtype=np.float32), 16, how)
        assert found.batch.lengths[i] == length
        np.testing.assert_allclose(found.batch.keypoints[i].numpy(), expected, atol=2e-4)


def test_a_hand_that_never_appears_is_masked_and_stays_zero(make_store):
    clip = gappy_clip(10, seed=0, missing=0)
    clip[:, LEFT_HAND] = np.nan
    batch = preprocess(make_store({"one": (clip, {})}), PreprocessConfig(frames=8)).batch
    assert not batch.present[0, LEFT_HAND].any()
    assert batch.present[0, RIGHT_HAND].all()
    assert (batch.keypoints[0, :, LEFT_HAND] == 0).all()
    assert (batch.keypoints[0, :, RIGHT_HAND] != 0).all()


def test_shoulders_are_one_unit_apart_and_centred(make_store):
    clip = gappy_clip(20, seed=3, missing=0)
    clip[:, LEFT_SHOULDER], clip[:, RIGHT_SHOULDER] = (0.4, 0.5), (0.6, 0.5)
    batch = preprocess(make_store({"one": (clip, {})}), PreprocessConfig(frames=20)).batch
    np.testing.assert_allclose(
        batch.keypoints[0, :, LEFT_SHOULDER].numpy(), [[-0.5, 0]] * 20, atol=2e-3
    )
    np.testing.assert_allclose(
        batch.keypoints[0, :, RIGHT_SHOULDER].numpy(), [[0.5, 0]] * 20, atol=2e-3
    )


def test_result_does_not_depend_on_where_the_signer_stands_or_how_large(make_store):
    clip = gappy_clip(20, seed=4, missing=0)
    moved = clip * 0.5 + 0.2
    both = preprocess(
        make_store({"a": (clip, {}), "b": (moved, {})}), PreprocessConfig(frames=12)
    ).batch
    np.testing.assert_allclose(both.keypoints[0].numpy(), both.keypoints[1].numpy(), atol=2e-2)


def test_a_wide_image_is_brought_to_square_units(make_store):
    square = gappy_clip(9, seed=5, missing=0)
    wide = square.copy()
    wide[..., 0] /= 2  # the same scene, normalised by an image twice as wide as high
    store = make_store({"a": (square, {"aspect": 1.0}), "b": (wide, {"aspect": 2.0})})
    batch = preprocess(store, PreprocessConfig(frames=9)).batch
    np.testing.assert_allclose(batch.keypoints[0].numpy(), batch.keypoints[1].numpy(), atol=1e-2)


def test_trim_keeps_the_span_with_a_hand():
    clip = gappy_clip(10, seed=0, missing=0)
    clip[:3, :42] = np.nan
    clip[5, :42] = np.nan  # a gap inside stays
    clip[8:, :42] = np.nan
    trimmed, lengths, has_hand = trim_to_hands(clip[None])
    assert lengths[0] == 5
    assert has_hand[0]
    np.testing.assert_array_equal(trimmed[0, :5], clip[3:8])
    assert np.isnan(trimmed[0, 5:]).all()


@settings(max_examples=40, deadline=None)
@given(frames=st.integers(1, 25), missing=st.floats(0, 1), seed=st.integers(0, 10_000))
def test_filling_changes_only_what_is_missing_and_stays_within_what_was_seen(frames, missing, seed):
    clip = gappy_clip(frames, seed, missing)
    filled = fill_gaps(clip[None])[0]
    seen = np.isfinite(clip)
    np.testing.assert_array_equal(filled[seen], clip[seen])
    np.testing.assert_allclose(filled, plain_fill(clip), atol=1e-6)
    ever = seen[..., 0].any(axis=0)
    assert np.isfinite(filled[:, ever]).all()
    assert np.isnan(filled[:, ~ever]).all()


def test_a_clip_without_a_length_is_a_fault_and_never_of_scale_one(make_store):
    """Coordinates divided twice by the image's size went through unscaled, and every clip was ruined."""
    still = np.full((1, 1, 75, 2), 0.5, dtype=np.float32)
    assert not normalise(still, np.array([1]))[1].any()
    tiny = gappy_clip(6, 1, 0.0) / 4000
    store = make_store(
        {"tiny": (tiny, {"gloss": "a"}), "fine": (gappy_clip(6, 1, 0.0), {"gloss": "a"})}
    )
    prepared = preprocess(store, PreprocessConfig())
    assert [d["clip_id"] for d in prepared.dropped] == ["tiny"]
    assert "its unit cannot be measured" in prepared.dropped[0]["reason"]
    assert np.isfinite(prepared.batch.keypoints.numpy()).all()


def test_one_frame_is_resampled_to_many():
    still = np.full((1, 1, 75, 2), 0.5, dtype=np.float32)
    fitted, lengths = fit(still, np.array([1]), 30, "resample")
    assert lengths[0] == 30
    assert (fitted == 0.5).all()


def test_as_released_pads_the_first_frames_and_drops_a_clip_without_one_hand(make_store):
    whole, one_handed = gappy_clip(5, seed=1, missing=0), gappy_clip(40, seed=2, missing=0)
    long = gappy_clip(40, seed=3, missing=0)
    one_handed[:, LEFT_HAND] = np.nan
    store = make_store({"short": (whole, {}), "one_hand": (one_handed, {}), "long": (long, {})})
    found = preprocess(store, PreprocessConfig(variant="as_released", fit="truncate"))
    assert [drop["clip_id"] for drop in found.dropped] == ["one_hand"]
    assert "one hand" in found.dropped[0]["reason"]
    np.testing.assert_array_equal(found.indices, [0, 2])
    assert found.batch.lengths.tolist() == [5, 30]
    np.testing.assert_array_equal(
        found.batch.keypoints[0, :5], np.asarray(store.frames(0), np.float32)
    )
    assert (found.batch.keypoints[0, 5:] == 0).all()
    np.testing.assert_array_equal(
        found.batch.keypoints[1], np.asarray(store.frames(2)[:30], np.float32)
    )


def test_clips_without_a_hand_are_dropped_and_none_left_is_an_error(make_store):
    body_only = gappy_clip(6, seed=0, missing=0)
    body_only[:, :42] = np.nan
    with pytest.raises(UserError, match=r"left none of 1 clips.*no hand in any frame"):
        preprocess(make_store({"body": (body_only, {})}), PreprocessConfig())


def test_zero_frames_is_a_configuration_error():
    with pytest.raises(UserError, match=r"preprocess: frames.*greater than or equal to 1.*found 0"):
        parse(PreprocessConfig, {"frames": 0}, "preprocess")


def test_chunks_cover_every_clip_once_and_are_bounded():
    lengths = np.array([5, 40_000, 7, 300, 300, 1])
    groups = _chunks(lengths)
    assert sorted(np.concatenate(groups).tolist()) == list(range(6))
    assert all(len(g) == 1 or len(g) * lengths[g].max() <= 30_000 for g in groups)


@pytest.mark.parametrize("size", [1, 3])
def test_windows_and_drops_give_the_clips_that_one_window_gives(make_store, monkeypatch, size):
    clips = {f"c{i}": (gappy_clip(5 + 3 * i, seed=i), {"gloss": "a"}) for i in range(8)}
    for name in ("c0", "c3", "c4"):
        clips[name][0][:, :42] = np.nan  # no hand: dropped
    store = make_store(clips)
    whole = preprocess(store, PreprocessConfig(frames=10), np.array([7, 0, 3, 2, 1, 4, 6]))
    monkeypatch.setattr("sslslr.data.preprocess.WINDOW", size)
    found = preprocess(store, PreprocessConfig(frames=10), np.array([7, 0, 3, 2, 1, 4, 6]))
    assert found.indices.tolist() == whole.indices.tolist() == [7, 2, 1, 6]
    assert found.dropped == whole.dropped
    assert [entry["clip_id"] for entry in found.dropped] == ["c0", "c3", "c4"]
    np.testing.assert_allclose(found.batch.keypoints, whole.batch.keypoints, atol=1e-6)
    np.testing.assert_array_equal(found.batch.lengths, whole.batch.lengths)
    np.testing.assert_array_equal(found.batch.present, whole.batch.present)
    for row, index in enumerate(found.indices):  # nothing moved to another clip's place
        alone = preprocess(store, PreprocessConfig(frames=10), np.array([index])).batch
        np.testing.assert_allclose(found.batch.keypoints[row], alone.keypoints[0], atol=1e-6)


def test_picture_keeps_place_and_size_where_there_are_no_shoulders(make_store):
    whole, hands = gappy_clip(9, 1, missing=0), gappy_clip(9, 2, missing=0)
    hands[:, BODY] = np.nan
    store = make_store({"whole": (whole, {"aspect": 2.0}), "hands": (hands, {"aspect": 2.0})})
    settings = {"frames": 9, "fit": "resample"}
    ours = preprocess(store, PreprocessConfig(**settings)).batch
    picture = preprocess(store, PreprocessConfig(**settings, variant="picture")).batch
    rows = store.clips["clip_id"].tolist()
    with_body, without = rows.index("whole"), rows.index("hands")
    np.testing.assert_array_equal(ours.keypoints[with_body], picture.keypoints[with_body])
    stored = store.frames(without).astype(np.float32)[:, :42]
    expected = stored * [2.0, 1.0] - [1.0, 0.6]  # x in image heights, from the point (0.5, 0.6)
    np.testing.assert_allclose(picture.keypoints[without, :, :42], expected, atol=1e-6)


@pytest.mark.parametrize("frames", [8, 5])
def test_gaps_can_be_kept_as_zeros_and_a_frame_between_takes_the_side_that_shows_the_hand(
    make_store, frames
):
    clip = gappy_clip(8, 3, missing=0)
    clip[2:4, RIGHT_HAND] = np.nan
    store = make_store({"a": (clip, {})})
    settings = {"frames": frames, "fit": "resample"}
    filled = preprocess(store, PreprocessConfig(**settings)).batch
    kept = preprocess(store, PreprocessConfig(**settings, gaps="keep")).batch
    position = np.linspace(0, 7, frames)
    low, high = np.floor(position).astype(int), np.ceil(position).astype(int)
    shown = [not (a in (2, 3) and b in (2, 3)) for a, b in zip(low, high, strict=True)]
    assert kept.hands_seen()[0, :, 1].tolist() == shown
    assert kept.hands_seen()[0, :, 0].all()
    assert kept.present.equal(filled.present)
    np.testing.assert_allclose(kept.keypoints[:, :, LEFT_HAND], filled.keypoints[:, :, LEFT_HAND])
    whole = [i for i in range(frames) if not {low[i], high[i]} & {2, 3}]
    np.testing.assert_allclose(
        kept.keypoints[0, whole, RIGHT_HAND], filled.keypoints[0, whole, RIGHT_HAND], atol=1e-6
    )
    one_side = [i for i in range(frames) if shown[i] and i not in whole]
    for i in one_side:  # between a frame that shows the hand and one that does not: the former
        side = low[i] if low[i] not in (2, 3) else high[i]
        full = preprocess(store, PreprocessConfig(frames=8, fit="resample")).batch
        np.testing.assert_allclose(
            kept.keypoints[0, i, RIGHT_HAND], full.keypoints[0, side, RIGHT_HAND], atol=1e-6
        )


def test_longer_clips_for_views_need_resampling():
    with pytest.raises(UserError, match="view_frames needs fit: resample"):
        parse(PreprocessConfig, {"view_frames": 64}, "preprocess")
