"""The encoders: `paper` as described, `as_released` as the authors' code computes, `raw` as none.

An encoder maps keypoints (B, T, 75, 2) and lengths (B,) to features (B, width):

    encoder = build_encoder(EncoderConfig(depth=2, width=128, heads=4), frames=30, seed=0)
    features = encoder(batch.keypoints, batch.lengths)

What the paper leaves open (activation, order of the layer norms) is listed in `docs/deviations.md`.
"""

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from sslslr.config import EncoderConfig
from sslslr.skeleton import BODY, LEFT_HAND, MIDDLE_MCP, N_JOINTS, RIGHT_HAND


class Block(nn.Module):
    """A pre-norm transformer block: attention, then an MLP, each with a residual."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, feedforward * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(feedforward * width, width),
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Tokens (B, N, width); mask bool (B, 1, 1, N), True = attend, or None."""
        tokens = tokens + self.drop(self.attend(self.norm_attention(tokens), mask))
        return tokens + self.drop(self.mlp(self.norm_mlp(tokens)))

    def attend(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        b, n, width = tokens.shape
        q, k, v = (
            self.qkv(tokens).view(b, n, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        )
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        return self.out(mixed.transpose(1, 2).reshape(b, n, width))


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """(length, width) sines and cosines (Vaswani et al. 2017, section 3.5)."""
    time = torch.arange(length, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10_000.0) / width))
    table = torch.zeros(length, width)
    table[:, 0::2] = torch.sin(time * rate)
    table[:, 1::2] = torch.cos(time * rate[: width // 2])
    return table


def hand_shape(keypoints: Tensor, lengths: Tensor) -> Tensor:
    """Each hand's joints relative to its wrist, in palm lengths: (B, T, 42, 2), padding zero.

    Where the hand is and how large it appears are taken out; what is left is the handshape. The
    palm's length is a mean over the clip, so that a hand that turns edge-on does not explode, and
    over its true length, so that padding does not make it shorter. Joints that the clip lacks (zero
    throughout) stay zero. Where a view hides the wrist, what is left is relative to the origin: leaving
    that hand's shape out instead taught less (`docs/decisions.md`).
    """
    keypoints = keypoints * _inside(keypoints, lengths)
    hands = torch.stack([keypoints[:, :, LEFT_HAND], keypoints[:, :, RIGHT_HAND]], dim=2)
    present = hands.abs().sum(dim=(1, 4), keepdim=True) > 0
    local = (hands - hands[:, :, :, :1]) * present
    palm = local[:, :, :, MIDDLE_MCP].norm(dim=-1).sum(dim=1) / lengths[:, None]
    palm = palm[:, None, :, None, None]
    return torch.where(palm > 1e-4, local / palm.clamp_min(1e-4), 0.0).flatten(2, 3)


def velocity(keypoints: Tensor, lengths: Tensor) -> Tensor:
    """Change since the frame before, zero for the first and for padding: (B, T, 75, 2)."""
    change = F.pad(keypoints[:, 1:] - keypoints[:, :-1], (0, 0, 0, 0, 1, 0))
    return change * _inside(keypoints, lengths)


def _inside(keypoints: Tensor, lengths: Tensor) -> Tensor:
    """bool (B, T, 1, 1): True for frames of the clip, False for padding."""
    inside = torch.arange(keypoints.shape[1], device=lengths.device) < lengths[:, None]
    return inside[:, :, None, None]


# Values a frame of each kind of input.
INPUTS = {"position": N_JOINTS * 2, "hand_shape": 42 * 2, "velocity": N_JOINTS * 2}


class PoseTransformer(nn.Module):
    """The encoder as the paper describes it: one token a frame, a learned class token first.

    Padding is masked out of the attention; positions are sinusoidal.
    """

    def __init__(self, config: EncoderConfig, frames: int):
        super().__init__()
        self.width, self.pooling, self.inputs = config.width, config.pooling, config.inputs
        self.embed = nn.Linear(sum(INPUTS[name] for name in config.inputs), config.width)
        self.class_token = nn.Parameter(torch.randn(config.width) * 0.02)
        self.register_buffer(
            "positions", sinusoidal_positions(frames, config.width), persistent=False
        )
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.feedforward, config.dropout)
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(
        self, keypoints: Tensor, lengths: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """Features (B, width) of keypoints (B, T, 75, 2) with true lengths (B,)."""
        del generator  # only `as_released` draws noise
        tokens, valid = self._all_tokens(keypoints, lengths)
        if self.pooling == "class_token":
            return tokens[:, 0]
        weights = valid[..., None].to(tokens.dtype)
        return (tokens[:, 1:] * weights).sum(dim=1) / weights.sum(dim=1)

    def tokens(
        self, keypoints: Tensor, lengths: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """One token a frame (B, T, width), after the last norm; those of padding mean nothing."""
        del generator
        return self._all_tokens(keypoints, lengths)[0][:, 1:]

    def _frame_values(self, keypoints: Tensor, lengths: Tensor) -> Tensor:
        """What the encoder is told of each frame, (B, T, values)."""
        made = {
            "position": lambda: keypoints,
            "hand_shape": lambda: hand_shape(keypoints, lengths),
            "velocity": lambda: velocity(keypoints, lengths),
        }
        return torch.cat([made[name]().flatten(2) for name in self.inputs], dim=2)

    def _all_tokens(self, keypoints: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The class token and the frames' (B, 1 + T, width), and which frames are real (B, T)."""
        b, frames = keypoints.shape[:2]
        tokens = self.embed(self._frame_values(keypoints, lengths)) + self.positions[:frames]
        tokens = torch.cat([self.class_token.expand(b, 1, -1).to(tokens.dtype), tokens], dim=1)
        valid = torch.arange(frames, device=lengths.device) < lengths[:, None]
        mask = F.pad(valid, (1, 0), value=True)[:, None, None, :]
        tokens = self.drop(tokens)
        for block in self.blocks:
            tokens = block(tokens, mask)
        return self.norm(tokens), valid


class AsReleasedEncoder(nn.Module):
    """What the authors' released code computes (`shared/paper.md`, "Encoder", checked numerically).

    - One block applied depth - 1 times to the *same* input: its depth is 1, whatever `depth` says.
    - A one-channel positional encoding, added alike to all channels: layer norm cancels it, so the
      encoder knows no order.
    - A class token of fresh noise at each forward, appended last; the read-out is token 0, which is
      frame 0. Hence permuting any frames but the first changes nothing.
    - Both hands share one projection and are summed: exchanging them changes nothing.
    """

    def __init__(self, config: EncoderConfig, frames: int):
        super().__init__()
        self.width = config.width
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


class RawKeypoints(nn.Module):
    """No encoder: the preprocessed keypoints themselves, flattened to (B, T * 150)."""

    def __init__(self, config: EncoderConfig, frames: int):
        super().__init__()
        self.width = frames * N_JOINTS * 2

    def forward(
        self, keypoints: Tensor, lengths: Tensor, generator: Generator | None = None
    ) -> Tensor:
        del lengths, generator
        return keypoints.flatten(1)


ENCODERS = {"paper": PoseTransformer, "as_released": AsReleasedEncoder, "raw": RawKeypoints}


def build_encoder(config: EncoderConfig, frames: int, seed: int) -> nn.Module:
    """An encoder with weights drawn from `seed`; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ENCODERS[config.variant](config, frames)
