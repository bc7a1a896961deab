"""Masked keypoints: hide joints and stretches of time, and reconstruct them from the rest.

After SignBERT+ (Hu et al., TPAMI 2023), which hides joints and frames of hand poses, and MAE (He et
al., CVPR 2022). Of each clip, some joints are hidden throughout (a joint hidden in one frame could
be read off its neighbours) and, in some spans of frames, all joints. Hidden coordinates are replaced
by a learned value; the encoder's token of each frame is decoded to the frame's coordinates:

    L = mean of (reconstruction - x)^2 over the hidden coordinates that exist (no padding, no absent joints)

It uses the un-augmented clip and ignores both views: which frames a permuted view has where is
chance, and cannot be reconstructed. The frames' tokens are what is trained, so features are their
mean, where a study says class token (`encoder_settings`): that would get no gradient from the last block.

What keeps it from collapsing: the target is data. A constant encoder reconstructs the mean pose
alone and pays the variance of the hidden coordinates.

    method = MaskedKeypoints(encoder, MaskedKeypoints.Options())
    loss, terms = method(clip, view_a, view_b, generator)
"""

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Generator, Tensor, nn

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch
from sslslr.encoders._base import Encoder
from sslslr.methods import register
from sslslr.methods._base import Method, MethodOutput, full, mlp
from sslslr.pose.skeleton import N_JOINTS
from sslslr.utils.errors import UserError


def need_tokens(method: str, encoder: Encoder) -> None:
    """Raise UserError for an encoder without tokens: nothing of a frame could be predicted from it."""
    if not hasattr(encoder, "tokens"):
        raise UserError(
            f"methods: {method} needs an encoder with a token a frame; set `encoder.variant` to transformer or "
            "two_hands."
        )


def by_frame(decoded: Tensor, encoder: Encoder, frames: int) -> Tensor:
    """(B, T, n) of what was decoded from tokens, (B, tokens, frames_per_token * n)."""
    return decoded.unflatten(2, (encoder.frames_per_token, -1)).flatten(1, 2)[:, :frames]


def draw_hidden(
    batch: Batch, joint_share: float, frame_share: float, span: int, generator: Generator
) -> Tensor:
    """bool (B, T, J): what is hidden, among the coordinates that exist.

    Args:
        joint_share: chance of a joint to be hidden in all frames.
        frame_share: chance of a frame to be within a hidden span.
        span: length of a hidden span; spans may overlap, and be cut by the clip's ends.
    """
    b, t, j = batch.keypoints.shape[:3]
    device = batch.keypoints.device
    joints = torch.rand(b, 1, j, generator=generator, device=device) < joint_share
    # A frame is seen if none of the `span` possible starts at or before it is one.
    start = 1 - (1 - frame_share) ** (1 / span)
    starts = torch.rand(b, t + span - 1, generator=generator, device=device) < start
    frames = starts.unfold(1, span, 1).any(dim=2)  # (B, T)
    return (joints | frames[:, :, None]) & batch.valid()


def hidden_mse(reconstruction: Tensor, keypoints: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared error of (B, T, J, 2) over hidden (B, T, J) coordinates; 0 if none is hidden."""
    error = (full(reconstruction) - keypoints).square().mean(dim=3)
    # Multiplying keeps the shapes fixed: picking the hidden ones would wait for their number.
    return (error * hidden).sum() / hidden.sum().clamp_min(1)


@register
class MaskedKeypoints(Method):
    """Generative: learns from one clip at a time, with neither pairs nor augmentation."""

    title = "masked keypoints"
    line = (4, 0)
    encoder_settings: ClassVar[dict[str, Any]] = {"pooling": {"class_token": "mean"}}

    class Options(Settings):
        joint_share: float = Field(
            0.3,
            ge=0,
            lt=1,
            description="Share of the joints that are hidden. With frame_share 0.3 half of all coordinates are.",
        )
        frame_share: float = Field(
            0.3, ge=0, lt=1, description="Share of the frames that are hidden."
        )
        span: int = Field(
            5, ge=1, description="Frames in a hidden span; 1/6 of 30, too far to interpolate over."
        )
        decoder_hidden: int = Field(
            512,
            ge=1,
            description="Hidden width of the decoder; light, so that the encoder does the work (MAE).",
        )

    def __init__(self, encoder: Encoder, options: "MaskedKeypoints.Options"):
        need_tokens("masked_keypoints", encoder)
        super().__init__(encoder, options)
        self.unseen = nn.Parameter(torch.zeros(N_JOINTS, 2))  # stands for a hidden coordinate
        outputs = encoder.frames_per_token * N_JOINTS * 2
        self.decoder = mlp(encoder.token_width, options.decoder_hidden, outputs)

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        options = self.options
        hidden = draw_hidden(
            clip, options.joint_share, options.frame_share, options.span, generator
        )
        seen = torch.where(hidden[..., None], self.unseen, clip.keypoints)
        tokens = self.encoder.tokens(seen, clip.lengths, generator)
        decoded = by_frame(self.decoder(tokens), self.encoder, clip.keypoints.shape[1])
        reconstruction = decoded.unflatten(2, (N_JOINTS, 2))
        loss = hidden_mse(reconstruction, clip.keypoints, hidden)
        return MethodOutput(loss, {"reconstruction": loss.detach()})
