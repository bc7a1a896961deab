"""Dropout of our own on a CPU: the same distribution and products as torch's."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from sslslr.config import EncoderConfig
from sslslr.encoder import build_encoder
from sslslr.training.dropout import DrawnDropout, attention, draw_mask, quick_dropout

CPU = torch.device("cpu")


@given(rate=st.floats(0.01, 0.9), n=st.integers(1, 300), seed=st.integers(0, 2**31))
def test_a_mask_is_zeros_and_the_weight_that_keeps_the_mean(rate, n, seed):
    torch.manual_seed(seed)
    mask = draw_mask(torch.Size([n, 2]), rate)
    assert mask.shape == (n, 2)
    assert set(mask.unique().tolist()) <= {0.0, torch.tensor(1 / (1 - rate)).item()}


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_rate_in_each_of_the_four_values_of_a_number(rate):
    torch.manual_seed(0)
    n = 400_000
    dropped = (draw_mask(torch.Size([n]), rate) == 0).view(-1, 4).double()
    error = (rate * (1 - rate) / (n / 4)) ** 0.5
    assert (dropped.mean(dim=0) - rate).abs().max() < 4 * error
    # Nor do neighbours fall together.
    together = torch.corrcoef(dropped.T) - torch.eye(4)
    assert together.abs().max() < 4 * (4 / n) ** 0.5


def test_the_seed_decides_and_calls_follow_each_other():
    torch.manual_seed(3)
    first, second = (draw_mask(torch.Size([50]), 0.5) for _ in range(2))
    torch.manual_seed(3)
    assert (draw_mask(torch.Size([50]), 0.5) == first).all()
    assert (first != second).any()


def test_attention_without_dropout_equals_torchs():
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 4, 2, 5, 8).unbind()
    allowed = torch.rand(4, 1, 1, 5) < 0.7
    allowed[..., 0] = True
    ours = attention(q, k, v, allowed, None)
    torch.testing.assert_close(ours, F.scaled_dot_product_attention(q, k, v, attn_mask=allowed))


def test_attention_drops_weights_after_the_softmax_as_torch_does():
    """With v the identity the result is the weights: a kept one is its softmax over 1 - rate."""
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 2, 6, 8), torch.randn(1, 2, 6, 8), torch.eye(6).expand(1, 2, 6, 6)
    whole = F.scaled_dot_product_attention(q, k, v)
    with DrawnDropout():
        dropped = F.scaled_dot_product_attention(q, k, v, dropout_p=0.25)
    zero = dropped == 0
    assert 0 < zero.sum() < zero.numel()
    torch.testing.assert_close(dropped[~zero], whole[~zero] / 0.75)


def test_an_encoder_in_training_keeps_the_mean_of_torchs_dropout():
    config = EncoderConfig(depth=1, width=16, heads=2, dropout=0.3)
    encoder = build_encoder(config, 6, 0)
    keypoints = torch.randn(1, 6, 75, 2).expand(3000, -1, -1, -1)
    lengths = torch.full((3000,), 6)
    with torch.no_grad():
        theirs = encoder.train()(keypoints, lengths)
        with quick_dropout(CPU):
            ours = encoder(keypoints, lengths)
        assert (ours[0] != ours[1]).any()
        error = (ours.var(dim=0) / 3000 + theirs.var(dim=0) / 3000).sqrt()
        assert ((ours.mean(dim=0) - theirs.mean(dim=0)).abs() < 5 * error).all()
        torch.testing.assert_close(ours.std(dim=0), theirs.std(dim=0), rtol=0.15, atol=0)
        with quick_dropout(CPU):
            still = encoder.eval()(keypoints[:2], lengths[:2])
    torch.testing.assert_close(still, encoder(keypoints[:2], lengths[:2]), rtol=0, atol=0)


@pytest.mark.parametrize("rate", [1e-6, 0.99, 0.999999, 1.0])
def test_a_rate_at_either_end_drops_next_to_nothing_or_nearly_all(rate):
    torch.manual_seed(0)
    with DrawnDropout():
        dropped = F.dropout(torch.ones(100_000), rate, training=True) == 0
    assert dropped.double().mean().item() == pytest.approx(rate, abs=0.002)


@pytest.mark.parametrize(
    "asked",
    [{"is_causal": True}, {"scale": 0.01}, {"attn_mask": torch.randn(6, 6)}],
    ids=["causal", "scale", "added"],
)
def test_attention_of_another_kind_is_torchs_own(asked):
    """A causal mask and a scale were passed over in silence; an added mask stopped the run."""
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, 2, 6, 8).unbind()
    whole = F.scaled_dot_product_attention(q, k, v, **asked)
    with DrawnDropout():
        dropped = F.scaled_dot_product_attention(q, k, v, dropout_p=1e-9, **asked)
    torch.testing.assert_close(dropped, whole)


@pytest.mark.parametrize("named", [False, True])
def test_attention_takes_its_arguments_as_torchs_own(named):
    q, k, v = torch.randn(3, 1, 2, 6, 8).unbind()
    seen = torch.ones(6, 6, dtype=torch.bool).tril()
    whole = F.scaled_dot_product_attention(q, k, v, seen)
    given = ((), {"query": q, "key": k, "value": v, "attn_mask": seen})
    args, kwargs = given if named else ((q, k, v, seen), {})
    with DrawnDropout():
        dropped = F.scaled_dot_product_attention(*args, **kwargs, dropout_p=1e-9)
    torch.testing.assert_close(dropped, whole)


@pytest.mark.parametrize("autocast", [True, False])
def test_attention_in_bf16_is_as_exact_as_torchs(autocast):
    """Scores that were rounded to bf16 before the softmax gave ten times its error."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(3, 8, 2, 17, 16) * 3).bfloat16().unbind()
    exact = F.scaled_dot_product_attention(q.double(), k.double(), v.double())
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        theirs = F.scaled_dot_product_attention(q, k, v, dropout_p=1e-9)
        with DrawnDropout():
            ours = F.scaled_dot_product_attention(q, k, v, dropout_p=1e-9)
    assert ours.dtype == theirs.dtype == torch.bfloat16
    assert (ours - exact).abs().mean() < 1.1 * (theirs - exact).abs().mean()


def test_gradients_pass_the_mask():
    x = torch.ones(1000, requires_grad=True)
    torch.manual_seed(1)
    with quick_dropout(CPU):
        y = F.dropout(x, 0.4, training=True)
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach())


def test_a_gpu_and_a_compiled_encoder_keep_torchs_own():
    for context in (quick_dropout(torch.device("cuda")), quick_dropout(CPU, compiled=True)):
        assert not isinstance(context, DrawnDropout)
