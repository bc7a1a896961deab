"""Dropout on a CPU: masks of 16 random bits a value, drawn one after another, and how they are used.

torch's own mask on a CPU takes a random number of 64 bits for each value, which was a third of the
step of a small encoder. Here a number serves four values. The share that is dropped is the rate to
1 / 131072. On a GPU, and in a compiled encoder, torch's own dropout is left alone.
"""

import contextlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

BITS = 16
VALUES = 64 // BITS  # of a random number


def draw_mask(shape: torch.Size, rate: float, dtype: torch.dtype = torch.float32) -> Tensor:
    """A mask of zeros (a share `rate` of it) and 1 / (1 - rate), from torch's global generator on CPU."""
    n = shape.numel()
    numbers = torch.empty(-(-n // VALUES), dtype=torch.int64).random_(-(2**63), None)
    # Below this one of 16 bits, with their sign; a rate that rounds to 1 would not be one of them.
    dropped = min(round(rate * 2**BITS), 2**BITS - 1) - 2 ** (BITS - 1)
    kept = (numbers.view(torch.int16)[:n] >= dropped).view(shape)
    return kept.to(dtype).mul_(1 / (1 - rate))


def dropout_call(func: Callable, args: tuple, kwargs: dict) -> tuple[torch.Size, float] | None:
    """Of a call that drops something: the shape of its mask, and its rate.

    None for a call that is better left to torch: all is dropped, or :func:`is_plain` does not hold.
    """
    if func is F.dropout:
        p = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
        training = kwargs.get("training", args[2] if len(args) > 2 else True)
        return (args[0].shape, p) if training and 0 < p < 1 else None
    if is_plain(func, args, kwargs) and 0 < kwargs.get("dropout_p", 0.0) < 1:
        q, k = args[0], args[1]
        return torch.Size([*q.shape[:-1], k.shape[-2]]), kwargs["dropout_p"]
    return None


def is_plain(func: Callable, args: tuple, kwargs: dict) -> bool:
    """Is it a call of torch's attention that :func:`attention` can stand for?

    A method may ask for more: a causal mask, one that is added, another scale.
    """
    if func is not F.scaled_dot_product_attention or len(args) != 3:
        return False
    allowed = kwargs.get("attn_mask")
    further = [kwargs[name] for name in kwargs.keys() - {"attn_mask", "dropout_p"}]
    return (allowed is None or allowed.dtype == torch.bool) and all(
        value is None or value is False for value in further
    )


def attention(
    q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None, kept: Tensor | None
) -> Tensor:
    """Attention in plain products, its weights multiplied by the mask `kept`.

    Like torch's own it computes half-precision values in float32: scores of bf16 have three digits.
    """
    scale = math.sqrt(1 / math.sqrt(q.shape[-1]))
    dtype = torch.promote_types(v.dtype, torch.float32)
    with torch.autocast(v.device.type, enabled=False):
        q, k, full = q.to(dtype), k.to(dtype), v.to(dtype)
        scores = (q * scale) @ (k * scale).transpose(-2, -1)
        if allowed is not None:
            scores = scores.masked_fill(~allowed, float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        return ((weights if kept is None else weights * kept) @ full).to(v.dtype)


class DrawnDropout(TorchFunctionMode):
    """Whatever drops something within it does so by :func:`draw_mask`."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        call = dropout_call(func, args, kwargs)
        if call is None:
            return func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            mask = draw_mask(*call, torch.promote_types(args[0].dtype, torch.float32))
            return attention(*args, kwargs.get("attn_mask"), mask)
        return args[0] * draw_mask(*call, args[0].dtype)


def quick_dropout(device: torch.device | str, compiled: bool = False) -> Any:
    """The context of a forward pass in training: :class:`DrawnDropout` on a CPU, or nothing."""
    return (
        DrawnDropout()
        if torch.device(device).type == "cpu" and not compiled
        else contextlib.nullcontext()
    )
