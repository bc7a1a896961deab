"""Read-outs: from one token a frame to one feature vector a clip.

With n the clip's true length and h_t its tokens:

    class_token         a learned token that attends to the frames (the paper's)
    mean                mean of h_t
    halves, thirds      means over each half or third of the clip, in order
    mean_max_deviation  mean, maximum and standard deviation of h_t, by channel

A comparison of encoders is fair within one read-out only: a random encoder gains several points by
`halves` in place of `mean`.
"""

from typing import Literal

import torch
from torch import Tensor

Pooling = Literal["class_token", "mean", "halves", "thirds", "mean_max_deviation"]
WIDTHS = {"class_token": 1, "mean": 1, "halves": 2, "thirds": 3, "mean_max_deviation": 3}
PARTS = {"mean": 1, "halves": 2, "thirds": 3}


def read_out(tokens: Tensor, lengths: Tensor, pooling: str) -> Tensor:
    """Features (B, WIDTHS[pooling] * width) of tokens (B, T, width) with true lengths (B,).

    `class_token` is the encoder's own affair: it has no token of a frame.
    """
    if pooling == "mean_max_deviation":
        return _mean_max_deviation(tokens, lengths)
    return _means_of_parts(tokens, lengths, PARTS[pooling])


def _means_of_parts(tokens: Tensor, lengths: Tensor, parts: int) -> Tensor:
    """Part p of k has the frames floor(p n / k) to ceil((p + 1) n / k), so none is ever empty."""
    time = torch.arange(tokens.shape[1], device=tokens.device)
    n = lengths[:, None]
    means = []
    for part in range(parts):
        first, end = part * n // parts, -(-(part + 1) * n // parts)
        weights = ((time >= first) & (time < end))[..., None].to(tokens.dtype)
        means.append((tokens * weights).sum(dim=1) / weights.sum(dim=1))
    return torch.cat(means, dim=1)


def _mean_max_deviation(tokens: Tensor, lengths: Tensor) -> Tensor:
    tokens = tokens.float() if tokens.dtype in (torch.bfloat16, torch.float16) else tokens
    inside = (torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None])[..., None]
    n = lengths[:, None].to(tokens.dtype)
    mean = (tokens * inside).sum(dim=1) / n
    largest = tokens.masked_fill(~inside, float("-inf")).amax(dim=1)
    variance = ((tokens - mean[:, None]).square() * inside).sum(dim=1) / n
    return torch.cat([mean, largest, (variance + 1e-4).sqrt()], dim=1)
