"""Temporal permutation against a plain loop, and its properties."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sslslr.augment import TemporalPermutation, compose, permutation_order, share_of
from sslslr.config.settings import parse
from sslslr.utils.errors import UserError
from toys import random_batch


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_third_is_exactly_integer_division():
    lengths = torch.arange(0, 2000)
    assert torch.equal(share_of(lengths, Fraction(1, 3)), lengths // 3)
    assert torch.equal(share_of(lengths, Fraction(1, 4)), lengths // 4)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    frames=st.integers(1, 40),
    begin=st.sampled_from(["0", "1/3", "1/2", "1"]),
    end=st.sampled_from(["0", "1/4", "1/3", "1/2"]),
)
def test_order_permutes_both_ends_and_nothing_else(seed, frames, begin, end):
    begin, end = Fraction(begin), Fraction(end)
    if begin + end > 1:
        end = Fraction(0)
    lengths = torch.randint(1, frames + 1, (8,), generator=draws(seed))
    order = permutation_order(lengths, frames, begin, end, draws(seed))
    for row, n in zip(order.tolist(), lengths.tolist(), strict=True):
        n_begin, n_end = int(n * begin), int(n * end)
        assert sorted(row[:n_begin]) == list(range(n_begin))
        assert row[n_begin : n - n_end] == list(range(n_begin, n - n_end))
        assert sorted(row[n - n_end : n]) == list(range(n - n_end, n))
        assert row[n:] == list(range(n, frames))


def test_view_equals_a_plain_loop_with_one_permutation_for_all_joints():
    batch = random_batch(clips=9, frames=30, seed=1)
    view = TemporalPermutation()(batch, draws(5))
    order = permutation_order(batch.lengths, 30, Fraction(1, 3), Fraction(1, 4), draws(5))
    for clip in range(9):
        for time in range(30):
            source = int(order[clip, time])
            assert torch.equal(view.keypoints[clip, time], batch.keypoints[clip, source])
    assert torch.equal(view.lengths, batch.lengths)
    assert (view.keypoints[~view.valid()] == 0).all()


def test_permutations_are_uniform_and_drawn_per_clip():
    lengths = torch.full((6000,), 9)
    order = permutation_order(lengths, 9, Fraction(1, 3), Fraction(0), draws(0))
    counts = torch.unique(order[:, :3], dim=0, return_counts=True)[1]
    assert len(counts) == 6  # all 3! orders occur ...
    assert (counts - 1000).abs().max() < 5 * (6000 * (1 / 6) * (5 / 6)) ** 0.5  # ... equally often


def test_true_length_decides_not_the_padded_one():
    batch = random_batch(clips=50, frames=30, seed=2)
    view = TemporalPermutation(begin="1", end="0")(batch, draws(0))
    padding = ~batch.frame_mask()
    assert (view.keypoints[padding] == 0).all()


def test_same_generator_same_view_and_the_clip_is_not_changed():
    batch = random_batch(seed=3)
    before = batch.keypoints.clone()
    view = compose([{"name": "temporal_permutation", "begin": "1/3"}])
    assert torch.equal(view(batch, draws(7)).keypoints, view(batch, draws(7)).keypoints)
    assert torch.equal(batch.keypoints, before)
    assert torch.equal(compose([])(batch, draws(0)).keypoints, before)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            [{"name": "temporal_permutaton"}],
            r"unknown transform.*Did you mean 'temporal_permutation'",
        ),
        (
            [{"name": "temporal_permutation", "beginn": 0.2}],
            r"unknown key 'beginn'. Did you mean 'begin'",
        ),
        ([{"name": "temporal_permutation", "begin": "2/3", "end": "1/2"}], r"overlap"),
        ([{"name": "temporal_permutation", "begin": "a third"}], r"not a fraction"),
    ],
)
def test_wrong_settings_are_named(steps, message):
    with pytest.raises(UserError, match=message):
        compose(steps)


def test_fractions_survive_a_round_trip_through_json():
    transform = TemporalPermutation(begin="1/3")
    again = parse(TemporalPermutation, transform.model_dump(mode="json"), "x")
    assert again == transform
    assert again.begin == Fraction(1, 3)
