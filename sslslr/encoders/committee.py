"""Several encoders of one kind that are trained apart, and whose features stand side by side."""

import torch
from pydantic import Field, field_validator
from torch import Generator, Tensor, nn

from sslslr.config.settings import Settings
from sslslr.config.study import EncoderConfig
from sslslr.encoders import ENCODERS, register
from sslslr.encoders._base import Encoder
from sslslr.encoders.build import encoder_options


@register
class Committee(Encoder):
    """`members` encoders; the features are theirs, one after the other.

    Each member differs from the others in its first weights. Under a method each has a loss of its own
    (`sslslr/methods/_members_apart.py`), so nothing makes one learn what another has learnt.
    """

    class Options(Settings):
        members: int = Field(4, ge=1, le=32, description="How many encoders.")
        member: EncoderConfig = Field(
            EncoderConfig(variant="hand_geometry"),
            validate_default=True,
            description="What each is: an `encoder`.",
        )

        @field_validator("member")
        @classmethod
        def _one_encoder(cls, member: EncoderConfig) -> EncoderConfig:
            if member.variant == "committee":
                raise ValueError(
                    "a committee of committees; name one encoder, hand_geometry for one"
                )
            kind = ENCODERS.get(member.variant)
            if not kind.trains:
                raise ValueError(
                    f"members that train nothing: {member.variant}; name an encoder that learns"
                )
            if hasattr(kind, "draw_noise"):
                raise ValueError(
                    f"members that draw noise: {member.variant}; name the encoder without noise"
                )
            options = encoder_options(member, "encoder.member", most=1).model_dump(mode="json")
            # With its defaults: the page knows none.
            return EncoderConfig(variant=member.variant, **options)

    def __init__(self, config: "Committee.Options", frames: int):
        super().__init__(config, frames)
        kind, options = ENCODERS.get(config.member.variant), encoder_options(config.member)
        members: list[Encoder] = [kind(options, frames) for _ in range(config.members)]
        self.members = nn.ModuleList(members)
        self.width = sum(member.width for member in members)

    def forward(
        self, keypoints: Tensor, lengths: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """Features (B, width) of keypoints (B, T, 75, 2) with true lengths (B,)."""
        return torch.cat([member(keypoints, lengths, generator) for member in self.members], dim=1)
