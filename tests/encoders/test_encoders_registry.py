"""Encoders by name."""

import pytest

from sslslr.config.study import EncoderConfig, StudyConfig
from sslslr.encoders import ENCODERS
from sslslr.encoders._base import Encoder
from sslslr.encoders.build import build_encoder
from sslslr.statistics.claims.schema import Selector
from sslslr.utils.errors import UserError
from sslslr.workflow.grid import runs


def test_every_encoder_is_one_and_says_its_width():
    for name in ENCODERS.names():
        known = ENCODERS.get(name).Options.model_fields
        small = {key: n for key, n in {"depth": 1, "width": 16, "heads": 2}.items() if key in known}
        encoder = build_encoder(EncoderConfig(variant=name, **small), 5, 0)
        assert isinstance(encoder, Encoder)
        assert encoder.width > 0


def test_an_unknown_encoder_is_named_with_the_nearest():
    with pytest.raises(
        UserError, match=r"unknown encoder 'transfomer'. Did you mean 'transformer'\?"
    ):
        build_encoder(EncoderConfig(variant="transfomer"), 5, 0)


def test_the_former_name_of_the_paper_s_encoder_is_read():
    """In a study, in a block of its grid, in a claim and in an encoder's record."""
    base = {"datasets": {"d": {"source": "synthetic"}}}
    old, new = (
        runs(
            StudyConfig(
                **base,
                encoder={"variant": name},
                runs=[
                    {"methods": ["random"], "encoder": {"depth": 2}},
                    {"methods": ["random"], "encoder": {"variant": name}, "tag": "t"},
                ],
            )
        )
        for name in ("paper", "transformer")
    )
    assert old == new
    assert list(old) == ["random.none.transformer.none.s0", "random.none.transformer.none.t.s0"]
    assert Selector(method="m", variant="paper") == Selector(method="m")
