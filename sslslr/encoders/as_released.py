"""The encoder as the authors' released code computes it."""

import torch
from pydantic import Field
from torch import Generator, Tensor, nn

from sslslr.encoders import register
from sslslr.encoders._base import Encoder, TransformerOptions
from sslslr.encoders._blocks import Block
from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND


@register
class AsReleasedEncoder(Encoder):
    """What the authors' released code computes (`docs/paper.md`, "Encoder", checked numerically).

    - One block applied depth - 1 times to the *same* input: its depth is 1, whatever `depth` says.
    - A one-channel positional encoding, added alike to all channels: layer norm cancels it, so the
      encoder knows no order.
    - A class token of fresh noise at each forward, appended last; the read-out is token 0, which is
      frame 0. Hence permuting any frames but the first changes nothing.
    - Both hands share one projection and are summed: exchanging them changes nothing.
    """

    class Options(TransformerOptions):
        depth: int = Field(
            12, ge=1, le=64, description="Without effect: the released code applies one block."
        )

    positions: Tensor

    def __init__(self, config: "AsReleasedEncoder.Options", frames: int):
        super().__init__(config, frames)
        self.width = self.token_width = config.width
        hand_joints = LEFT_HAND.stop - LEFT_HAND.start
        self.embed_hand = nn.Linear(hand_joints * 2, config.width)
        self.embed_body = nn.Linear((BODY.stop - BODY.start) * 2, config.width)
        one_channel = torch.sin(torch.arange(frames + 1, dtype=torch.float32))[:, None]
        self.register_buffer("positions", one_channel, persistent=False)
        self.block = Block(config.width, config.heads, config.feedforward, config.dropout)
        self.norm = nn.LayerNorm(config.width)

    def forward(
        self,
        keypoints: Tensor,
        lengths: Tensor,
        generator: Generator | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Features (B, width); `lengths` is ignored: the released code attends to padding.

        Args:
            noise: (B, 1, width), the class tokens; drawn from `generator` where not given.
        """
        del lengths
        b, frames = keypoints.shape[:2]
        hands = self.embed_hand(keypoints[:, :, LEFT_HAND].flatten(2))
        hands = hands + self.embed_hand(keypoints[:, :, RIGHT_HAND].flatten(2))
        tokens = hands + self.embed_body(keypoints[:, :, BODY].flatten(2))
        noise = self.draw_noise(b, tokens.device, generator) if noise is None else noise
        tokens = torch.cat([tokens, noise.to(tokens.dtype)], dim=1) + self.positions[: frames + 1]
        # The released loop overwrites its result depth - 1 times with block(tokens): once is equal.
        return self.norm(self.block(tokens, None))[:, 0]

    def draw_noise(
        self, clips: int, device: torch.device, generator: Generator | None = None
    ) -> Tensor:
        """The class tokens of one forward, (clips, 1, width)."""
        return torch.randn(clips, 1, self.width, device=device, generator=generator)
