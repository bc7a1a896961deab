"""The encoder as the paper describes it.

What the paper leaves open (activation, order of the layer norms) is listed in `docs/deviations.md`.
"""

import torch
from pydantic import Field
from torch import Generator, Tensor, nn

from sslslr.encoders import register
from sslslr.encoders._base import TransformerOptions
from sslslr.encoders._blocks import TransformerEncoder, attended
from sslslr.encoders._readout import WIDTHS, Pooling, read_out
from sslslr.encoders.inputs._base import InputNames, Inputs


@register
class PoseTransformer(TransformerEncoder):
    """The encoder as the paper describes it: one token a frame, a learned class token first.

    Padding is masked out of the attention; positions are sinusoidal.
    """

    class Options(TransformerOptions):
        inputs: InputNames = Field(
            ["position"], description="What a frame's token is made of; the paper: position."
        )
        standardise: bool = Field(
            False, description="Inputs by the mean and deviation of the pretraining clips."
        )
        pooling: Pooling = Field(
            "class_token", description="Read-out: class_token (paper) or one of the frames' tokens."
        )

    def __init__(self, config: "PoseTransformer.Options", frames: int):
        super().__init__(config, frames)
        self.token_width, self.pooling = config.width, config.pooling
        self.width = config.width * WIDTHS[config.pooling]
        standardise = config.standardise
        self.inputs = Inputs(
            config.inputs, mirrored=False, standardise=standardise, fill=standardise
        )
        self.embed = nn.Linear(self.inputs.flat_width, config.width)
        self.class_token = nn.Parameter(torch.randn(config.width) * 0.02)
        self.drop = nn.Dropout(config.dropout)
        self.add_blocks(config, frames)

    def forward(
        self, keypoints: Tensor, lengths: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """Features (B, width) of keypoints (B, T, 75, 2) with true lengths (B,)."""
        del generator  # only `as_released` draws noise
        tokens = self._all_tokens(keypoints, lengths)
        if self.pooling == "class_token":
            return tokens[:, 0]
        return read_out(tokens[:, 1:], lengths, self.pooling)

    def tokens(
        self, keypoints: Tensor, lengths: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """One token a frame (B, T, token_width), after the last norm; those of padding mean nothing."""
        del generator
        return self._all_tokens(keypoints, lengths)[:, 1:]

    def _all_tokens(self, keypoints: Tensor, lengths: Tensor) -> Tensor:
        """The class token and the frames', (B, 1 + T, width)."""
        b, frames = keypoints.shape[:2]
        values = torch.cat([part.flatten(2) for part in self.inputs(keypoints, lengths)], dim=2)
        tokens = self.embed(values) + self.positions[:frames]
        tokens = torch.cat([self.class_token.expand(b, 1, -1).to(tokens.dtype), tokens], dim=1)
        tokens, mask = self.drop(tokens), attended(1 + frames, 1 + lengths)  # the class token too
        for block in self.blocks:
            tokens = block(tokens, mask)
        return self.norm(tokens)
