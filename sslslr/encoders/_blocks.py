"""Transformer blocks over tokens, shared by the encoders."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslslr.encoders._base import Encoder, TransformerOptions

FEW_TOKENS = 64  # that attention may have whose scores (B, heads, N, N) are held in memory


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
        q, k, v = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        half_on_cpu = q.dtype == torch.bfloat16 and q.device.type == "cpu"
        attention = _by_products if half_on_cpu and q.shape[2] <= FEW_TOKENS else _by_kernel
        mixed = attention(q, k, v, mask, dropout)
        return self.out(mixed.transpose(1, 2).flatten(2))


def _by_kernel(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)


def _by_products(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    """The same in bfloat16 on a CPU, where torch's kernel is slow for few tokens (docs/performance.md)."""
    scores = k @ q.transpose(-1, -2)  # (B, heads, keys, queries): softmax runs along the queries
    hidden = scores.new_zeros((), dtype=torch.float32)
    if mask is not None:
        hidden = torch.zeros_like(mask, dtype=torch.float32).masked_fill_(~mask, float("-inf"))
        hidden = hidden.transpose(-1, -2)
    scores = torch.add(hidden, scores, alpha=1 / math.sqrt(q.shape[-1]))
    shares = F.dropout(scores.softmax(dim=-2).to(v.dtype), dropout)
    return shares.transpose(-1, -2) @ v


class TransformerEncoder(Encoder):
    """Base of the encoders with several blocks over tokens that have sinusoidal positions."""

    positions: Tensor

    def add_blocks(self, config: TransformerOptions, tokens: int) -> None:
        """Positions of so many tokens, the blocks, and the layer norm behind them."""
        table = sinusoidal_positions(tokens, config.width)
        self.register_buffer("positions", table, persistent=False)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.feedforward, config.dropout)
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width)


def attended(tokens: int, counts: Tensor) -> Tensor:
    """bool (B, 1, 1, tokens): the first of them, `counts` (B,) of each clip."""
    return (torch.arange(tokens, device=counts.device) < counts[:, None])[:, None, None, :]


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """(length, width) sines and cosines (Vaswani et al. 2017, section 3.5)."""
    time = torch.arange(length, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10_000.0) / width))
    table = torch.zeros(length, width)
    table[:, 0::2] = torch.sin(time * rate)
    table[:, 1::2] = torch.cos(time * rate[: width // 2])
    return table
