"""What every transform promises, whatever its name and the clips."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sslslr.augment import TRANSFORMS, compose
from sslslr.data.batch import Batch
from sslslr.utils.errors import UserError
from toys import random_batch

EVERY = set(TRANSFORMS.names())
STRONG = [
    {"name": "temporal_crop", "low": 0.5},
    {"name": "rotation", "degrees": 15},
    {"name": "scale"},
    {"name": "translation"},
    {"name": "gaussian_noise"},
    {"name": "joint_masking", "share": "1/5"},
    {"name": "hand_masking", "share": "1/10"},
]


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same(a: Batch, b: Batch) -> bool:
    return all(torch.equal(getattr(a, key), getattr(b, key)) for key in vars(a))


@pytest.mark.parametrize("name", [*sorted(EVERY), "strong"])
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    clips=st.integers(0, 9),
    frames=st.integers(1, 33),
    probability=st.sampled_from([0, 0.5, 1]),
)
def test_promises_of_every_transform(name, seed, clips, frames, probability):
    batch = random_batch(clips, frames, seed)
    before = Batch(batch.keypoints.clone(), batch.lengths.clone(), batch.present.clone())
    steps = STRONG if name == "strong" else [{"name": name}]
    transform = compose([{**step, "probability": probability} for step in steps])
    view = transform(batch, draws(seed))
    assert same(batch, before), "the input is not modified"
    assert same(view, transform(batch, draws(seed))), "the same generator, the same view"
    for key, value in vars(batch).items():
        assert getattr(view, key).shape == value.shape
        assert getattr(view, key).dtype == value.dtype
    assert (view.lengths >= 1).all()
    assert (view.lengths <= frames).all()
    assert view.keypoints.isfinite().all()
    assert (view.keypoints[~view.valid()] == 0).all(), "padding and absent joints stay zero"
    if probability == 0:
        assert same(view, batch)


def test_transforms_of_one_kind_applied_together_are_those_applied_one_after_the_other():
    plane = ["rotation", "translation", "scale", "aspect", "shear", "translation"]
    hands = ["hand_rotation", "hand_scale", "hand_noise", "wrist_shift", "finger_masking"]
    steps = [{"name": n, "probability": 1 - i % 2 / 2} for i, n in enumerate(plane + hands)]
    batch = random_batch(clips=40, frames=12, seed=6)
    batch.keypoints[3, 2:5, :21] = 0
    batch.present[:, [0, 21]] = (
        True  # a wrist that is missing stays where it is between two transforms
    )
    at_once, in_turn = compose(steps)(batch, draws()), batch
    one_by_one = draws()
    for step in steps:
        in_turn = compose([step])(in_turn, one_by_one)
    torch.testing.assert_close(at_once.keypoints, in_turn.keypoints, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(EVERY - {"horizontal_flip", "vertical_flip"}))
def test_clips_are_drawn_for_one_by_one(name):
    one = random_batch(clips=1, frames=20, seed=1, shortest=20)
    batch = one[torch.zeros(16, dtype=torch.int64)]
    view = compose([{"name": name}])(batch, draws())
    distinct = view.keypoints.flatten(1).unique(dim=0)
    assert len(distinct) > 2  # hand_masking has 3 outcomes, speed few lengths


@pytest.mark.parametrize("name", sorted(EVERY))
def test_probability_is_the_share_of_clips(name):
    # Settings under which every clip that is chosen changes.
    always = {
        "temporal_permutation": {"begin": 1, "end": 0},
        "temporal_crop": {"high": 0.5},
        "speed": {"low": 1.5, "high": 2},
        "hand_masking": {"share": 1},
        "finger_masking": {"finger": 1},
    }
    batch = random_batch(clips=1000, frames=20, seed=2, shortest=10)
    view = compose([{"name": name, "probability": 0.3, **always.get(name, {})}])(batch, draws())
    changed = (view.keypoints != batch.keypoints).flatten(1).any(dim=1)
    assert abs(int(changed.sum()) - 300) < 5 * (1000 * 0.3 * 0.7) ** 0.5


@pytest.mark.parametrize("name", sorted(EVERY))
def test_the_amount_of_random_numbers_does_not_depend_on_the_clips(name):
    transform = TRANSFORMS.get(name)(probability=0.5)
    states = []
    for seed in (1, 2):
        generator = draws(9)
        transform(random_batch(seed=seed), generator)
        states.append(generator.get_state())
    assert torch.equal(*states)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"name": "rotate"}, r"unknown transform 'rotate'. Did you mean 'rotation'"),
        ({"name": "rotation", "degree": 3}, r"unknown key 'degree'. Did you mean 'degrees'"),
        ({"name": "rotation", "degrees": -3}, r"degrees.*greater than or equal to 0"),
        ({"name": "rotation", "degrees": "nan"}, r"degrees.*finite"),
        ({"name": "shear", "degrees": 45}, r"degrees.*less than 45"),
        ({"name": "scale", "low": 1.3}, r"low 1.3 is above high 1.2"),
        ({"name": "speed", "low": 0}, r"low.*greater than 0"),
        ({"name": "temporal_crop", "low": 0.9, "high": 0.6}, r"low 0.9 is above high 0.6"),
        ({"name": "temporal_crop", "fit": "pad"}, r"fit.*'resample' or 'shorten'"),
        ({"name": "joint_masking", "share": 1.2}, r"share.*not between 0 and 1"),
        ({"name": "gaussian_noise", "probability": 2}, r"probability.*less than or equal to 1"),
    ],
)
def test_wrong_settings_are_named(step, message):
    with pytest.raises(UserError, match=message):
        compose([step])
