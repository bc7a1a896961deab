"""What an encoder is: a module that maps keypoints to features."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from torch import Generator, Tensor, nn

from sslslr.config.settings import Settings


class Encoder(nn.Module):
    """Base of all encoders.

    One that draws random numbers within its forward pass has a method `draw_noise` (see
    `as_released.py`); one with a token for every frame, or every few, has `tokens`, with the arguments of
    `forward`.

    Args:
        config: an instance of the encoder's `Options`.
        frames: T, frames of a clip, padding included.

    Attributes:
        width: channels of the features.
        token_width: channels of a token, where there are any.
        frames_per_token: successive frames that one token stands for.
    """

    name: ClassVar[str]
    trains: ClassVar[bool] = True  # False: there is nothing that a method could train
    width: int
    token_width: int
    frames_per_token: int = 1
    tokens: Callable[..., Tensor]  # of an encoder that has them

    class Options(Settings):
        """No settings."""

    def __init__(self, config: Any, frames: int):
        super().__init__()

    def forward(
        self, keypoints: Tensor, lengths: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """Features (B, width) of keypoints (B, T, 75, 2) with true lengths (B,)."""
        raise NotImplementedError


Depth = Annotated[int, Field(ge=1, le=64, description="Transformer blocks.")]
Width = Annotated[int, Field(ge=8, le=8192, description="Channels of a token.")]
Heads = Annotated[int, Field(ge=1, le=256, description="Attention heads; divides the width.")]
Feedforward = Annotated[
    int, Field(ge=1, le=16, description="Hidden width of a block's MLP, in widths.")
]
Dropout = Annotated[float, Field(ge=0, lt=1, description="Dropout in the blocks.")]


class TransformerOptions(Settings):
    """Base of the options of an encoder with attention; the paper's defaults."""

    depth: Depth = 12
    width: Width = 512
    heads: Heads = 8
    feedforward: Feedforward = 4
    dropout: Dropout = 0.1

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "TransformerOptions":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self
