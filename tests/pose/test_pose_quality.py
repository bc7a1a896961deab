import numpy as np
import pytest

from sslslr.data.quality import clip_quality, exchanged_frames, jitter, measure, summary, worst
from sslslr.pose.skeleton import BODY_LEFT_WRIST, BODY_RIGHT_WRIST, LEFT_HAND, MIRROR, RIGHT_HAND
from sslslr.report.page.quality import write_report
from sslslr.utils.errors import UserError
from toys import toy_clips


def signer(frames=10, aspect=1.0):
    """A signer who stands still: shoulders 0.2 wide, wrists 0.3 apart, both hands at their wrists."""
    clip = np.full((frames, 75, 2), 0.5)
    clip[:, 42 + 11], clip[:, 42 + 12] = (0.6, 0.4), (0.4, 0.4)
    clip[:, BODY_LEFT_WRIST], clip[:, BODY_RIGHT_WRIST] = (0.65, 0.7), (0.35, 0.7)
    clip[:, LEFT_HAND], clip[:, RIGHT_HAND] = (0.66, 0.71), (0.34, 0.71)
    return clip / (aspect, 1.0)


def exchange(clip, frames):
    out = clip.copy()
    out[frames, LEFT_HAND], out[frames, RIGHT_HAND] = (
        clip[frames, RIGHT_HAND],
        clip[frames, LEFT_HAND],
    )
    return out


def test_exchanged_hands_are_counted():
    clip = exchange(signer(), slice(0, 4))
    assert exchanged_frames(signer(), 1.0) == (0, 10)
    assert exchanged_frames(clip, 1.0) == (4, 10)
    assert exchanged_frames(exchange(signer(aspect=1.8), slice(3, 9)), 1.8) == (6, 10)


def test_one_hand_tells_as_well_and_none_does_not():
    clip = exchange(signer(), slice(0, 10))
    clip[:, RIGHT_HAND] = np.nan
    clip[7:, LEFT_HAND] = np.nan
    assert exchanged_frames(clip, 1.0) == (7, 7)


def test_wrists_that_meet_or_are_missing_tell_nothing():
    clip = exchange(signer(), slice(0, 10))
    clip[:3, BODY_LEFT_WRIST] = clip[:3, BODY_RIGHT_WRIST] + 0.01
    clip[3:5, BODY_LEFT_WRIST] = np.nan
    assert exchanged_frames(clip, 1.0) == (5, 5)


def test_a_mirrored_signer_whose_sides_are_named_anew_is_as_good():
    clip = signer()
    mirrored = (clip * (-1, 1) + (1, 0))[:, MIRROR]
    assert exchanged_frames(mirrored, 1.0) == (0, 10)


def test_jitter_is_the_noise_and_not_the_movement():
    clip = signer(200)
    assert jitter(clip, 1.0) == pytest.approx(0, abs=1e-12)
    walk = clip + np.linspace(0, 0.3, 200)[:, None, None]
    assert jitter(walk, 1.0) == pytest.approx(0, abs=1e-9)
    noisy = clip + np.random.default_rng(0).normal(scale=0.004, size=clip.shape)
    # The distance is Rayleigh with scale 0.004 sqrt(1.5); its median 1.177 times that; / 0.2.
    assert jitter(noisy, 1.0) == pytest.approx(0.004 * 1.5**0.5 * 1.1774 / 0.2, rel=0.05)
    assert np.isnan(jitter(clip[:2], 1.0))
    assert np.isnan(jitter(np.full((9, 75, 2), np.nan), 1.0))


def test_rates_are_shares_of_frames():
    clip = signer()
    clip[:3, LEFT_HAND] = np.nan
    clip[:2, RIGHT_HAND] = np.nan
    clip[5, 42 + 11] = np.nan
    found = clip_quality(clip, 1.0)
    assert (found["left_hand"], found["right_hand"], found["any_hand"]) == (0.7, 0.8, 0.8)
    assert found["body"] == pytest.approx(0.9)


def test_the_worst_clips_come_first_and_rates_are_weighted_by_frames(make_store):
    handless = signer(10)
    handless[:, :42] = np.nan
    clips = {
        "good": (signer(30), {}),
        "handless": (handless, {}),
        "exchanged": (exchange(signer(10), slice(0, 10)), {}),
    }
    table = measure(make_store(clips))
    assert list(worst(table)["clip_id"]) == ["handless", "exchanged", "good"]
    found = summary(table)
    assert found["any_hand"] == pytest.approx(40 / 50)
    assert found["hands_exchanged"] == pytest.approx(10 / 40)
    assert found["clips_without_a_hand"] == 1


def test_the_report_is_written_and_the_same_twice(toy_store, tmp_path):
    said = write_report(toy_store.path, tmp_path / "a")
    write_report(toy_store.path, tmp_path / "b")
    assert said[0].startswith(f"{toy_store.name}: {len(toy_clips())} clips")
    for name in ("quality.csv", "quality.md", "quality.png", "worst.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert "hands look exchanged" in (tmp_path / "a/quality.md").read_text()


def test_the_report_replaces_no_other_folder(toy_store, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"chapter\.tex.*would be replaced"):
        write_report(toy_store.path, tmp_path / "thesis")
    assert (tmp_path / "thesis/chapter.tex").read_text() == "years of work"
    with pytest.raises(UserError, match="no part of a report"):
        write_report(toy_store.path, toy_store.path)


def test_hands_alone_can_be_judged(make_store, tmp_path):
    clip = signer()[:, :42]
    write_report(make_store({"a": (clip, {})}).path, tmp_path / "a")
    assert "none" in (tmp_path / "a/quality.md").read_text()
