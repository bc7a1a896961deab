"""A committee is its members, side by side."""

import pytest
import torch

from sslslr.config.study import EncoderConfig
from sslslr.encoders.build import build_encoder, encoder_options
from sslslr.utils.errors import UserError

MEMBER = {"variant": "hand_geometry", "depth": 1, "width": 16, "heads": 2}


def committee(**settings) -> EncoderConfig:
    return EncoderConfig(variant="committee", **{"members": 3, "member": MEMBER, **settings})


def test_the_features_are_those_of_each_member_and_no_two_members_are_alike():
    draws = torch.Generator().manual_seed(0)
    keypoints, lengths = torch.rand(3, 9, 75, 2, generator=draws), torch.tensor([9, 5, 1])
    encoder = build_encoder(committee(), 9, seed=3).eval()
    features = encoder(keypoints, lengths)
    assert features.shape == (3, encoder.width) == (3, 3 * 3 * 16)
    parts = features.chunk(3, dim=1)
    for member, part in zip(encoder.members, parts, strict=True):
        assert torch.equal(member(keypoints, lengths), part)
    assert not torch.allclose(parts[0], parts[1])
    assert not torch.allclose(parts[1], parts[2])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"members": 0}, "members"),
        ({"members": 10**6}, "members"),
        ({"member": {"variant": "committee"}}, "a committee of committees"),
        ({"member": {"variant": "as_released"}}, "members that draw noise: as_released"),
        ({"member": {"variant": "raw"}}, "members that train nothing: raw"),
        ({"member": {**MEMBER, "heads": 3}}, "width 16 is not a multiple of heads 3"),
        ({"member": {**MEMBER, "wdith": 16}}, "wdith"),
        ({"member": {"variant": "none_such"}}, "none_such"),
    ],
)
def test_what_makes_no_committee_is_refused_in_one_line(settings, said):
    with pytest.raises(UserError, match=said):
        encoder_options(committee(**settings))


def test_a_member_is_stated_with_its_defaults():
    for config in (committee(), EncoderConfig(variant="committee")):
        options = encoder_options(config).model_dump(mode="json")
        assert options["member"]["pooling"] == "mean_max_deviation"
