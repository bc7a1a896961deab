"""Two hands read alike: one stem for both, the geometry of each told, a short transformer over time.

    inputs of each hand, the left mirrored -> the same two layers for both hands
    both hands and the inputs of the frame -> one token for every `merge` frames
    transformer blocks over the tokens     -> read-out over time

What it has that the paper's has not: joint angles, distances and directions as inputs, weights that
both hands share, and a read-out of more than the mean. `docs/experiments.md` says what each gave.

    encoder = build_encoder(EncoderConfig(variant="two_hands", width=192), frames=16, seed=0)
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from sslslr.encoders import register
from sslslr.encoders._base import (
    Depth,
    Dropout,
    Feedforward,
    Heads,
    TransformerOptions,
    Width,
)
from sslslr.encoders._blocks import TransformerEncoder, attended
from sslslr.encoders._readout import WIDTHS, read_out
from sslslr.encoders.inputs._base import InputNames, Inputs


@register
class TwoHands(TransformerEncoder):
    """A shared hand stem, blocks of attention over pairs of frames, and a pooled feature."""

    class Options(TransformerOptions):
        depth: Depth = 2
        width: Width = 192
        heads: Heads = 6
        feedforward: Feedforward = 2
        dropout: Dropout = 0.0
        hand_width: int = Field(128, ge=8, le=8192, description="Channels of a hand.")
        merge: int = Field(2, ge=1, le=1000, description="Successive frames that make one token.")
        inputs: InputNames = Field(
            [
                "hand_shape",
                "hand_motion",
                "wrist_motion",
                "wrist_place",
                "joint_angles",
                "bones",
                "fingertip_distances",
                "palm",
                "presence",
                "between_hands",
            ],
            description="What is told of each frame: files in sslslr/encoders/inputs/.",
        )
        pooling: Literal["mean", "halves", "thirds", "mean_max_deviation"] = Field(
            "mean_max_deviation", description="Read-out over time."
        )
        layers: int = Field(
            1, ge=1, description="The last blocks whose read-outs make the feature together."
        )

    def __init__(self, config: "TwoHands.Options", frames: int):
        super().__init__(config, frames)
        self.merge = self.frames_per_token = config.merge
        self.pooling, self.token_width = config.pooling, config.width
        self.layers = min(config.layers, config.depth)
        self.width = config.width * WIDTHS[config.pooling] * self.layers
        self.inputs = Inputs(config.inputs, mirrored=True, standardise=True, fill=True)
        self.hand = nn.Sequential(
            nn.Linear(self.inputs.hand_width, config.hand_width),
            nn.LayerNorm(config.hand_width),
            nn.GELU(),
            nn.Linear(config.hand_width, config.hand_width),
        )
        self.join = nn.Linear(2 * config.hand_width + self.inputs.frame_width, config.width)
        self.shorten = nn.Linear(config.merge * config.width, config.width)
        self.add_blocks(config, -(-frames // config.merge))

    def forward(
        self, keypoints: Tensor, lengths: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """Features (B, width) of keypoints (B, T, 75, 2) with true lengths (B,)."""
        del generator  # draws nothing
        features = [
            read_out(self.norm(tokens).float(), counts, self.pooling)
            for tokens, counts in self._last(keypoints, lengths)
        ]
        return torch.cat(features, dim=1)

    def tokens(
        self, keypoints: Tensor, lengths: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """One token every `merge` frames (B, ceil(T / merge), token_width); those of padding mean nothing."""
        del generator
        return self.norm(self._last(keypoints, lengths)[-1][0])

    def _last(self, keypoints: Tensor, lengths: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Tokens behind each of the last `layers` blocks, and how many each clip has."""
        by_hand, by_frame = self.inputs.joined(keypoints, lengths)
        hands = self.hand(by_hand).flatten(2)
        frames = self.join(torch.cat([hands, by_frame.to(hands.dtype)], dim=-1))
        tokens, counts = self._shortened(frames, lengths)
        mask, found = attended(tokens.shape[1], counts), []
        for block in self.blocks:
            tokens = block(tokens, mask)
            found.append((tokens, counts))
        return found[-self.layers :]

    def _shortened(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """One token for every `merge` frames, and how many each clip has; padding counts as zero."""
        inside = torch.arange(frames.shape[1], device=lengths.device) < lengths[:, None]
        frames = F.pad(frames * inside[..., None], (0, 0, 0, -frames.shape[1] % self.merge))
        tokens = self.shorten(frames.unflatten(1, (-1, self.merge)).flatten(2))
        counts = (lengths + self.merge - 1) // self.merge
        return tokens + self.positions[: tokens.shape[1]].to(tokens.dtype), counts
