"""Attention of few tokens in bfloat16 on a CPU, by plain products, against a plain computation."""

import math

import pytest
import torch

from sslslr.encoders._blocks import Block, attended


def plain_attention(block: Block, tokens: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Clip by clip, head by head, token by token, in double precision and without the padding."""
    width = tokens.shape[2]
    q, k, v = (tokens @ block.qkv.weight.T + block.qkv.bias).split(width, dim=2)
    mixed = torch.zeros_like(tokens)
    for clip, count in enumerate(counts.tolist()):
        for head in torch.arange(width).chunk(block.heads):
            keys, values = k[clip, :count][:, head], v[clip, :count][:, head]
            for token in range(tokens.shape[1]):
                scores = keys @ q[clip, token, head] / math.sqrt(len(head))
                mixed[clip, token, head] = torch.softmax(scores, dim=0) @ values
    return mixed @ block.out.weight.T + block.out.bias


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(("precision", "atol"), [(torch.bfloat16, 2e-2), (torch.float32, 1e-5)])
def test_attention_is_the_plain_one_in_both_precisions(masked, precision, atol):
    torch.manual_seed(0)
    block, tokens = Block(16, 4, 2, 0.0), torch.randn(3, 5, 16)
    counts = torch.tensor([5, 2, 1]) if masked else torch.full((3,), 5)
    mask = attended(5, counts) if masked else None
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        found = block.attend(tokens, mask)
    assert found.dtype == precision
    expected = plain_attention(block.double(), tokens.double(), counts)
    torch.testing.assert_close(found.double(), expected, atol=atol, rtol=0)


def test_padding_gets_no_gradient_in_bfloat16():
    torch.manual_seed(0)
    block, tokens = Block(16, 4, 2, 0.0), torch.randn(2, 5, 16, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        block.attend(tokens, attended(5, torch.tensor([5, 2])))[:, :2].float().sum().backward()
    assert (tokens.grad[1, 2:] == 0).all()
    assert (tokens.grad[0] != 0).all()
