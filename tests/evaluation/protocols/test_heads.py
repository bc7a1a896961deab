"""Stacked heads against torch's own modules, fitted one by one."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from sslslr.evaluation.protocols._heads import StackedHeads, fit_heads, linear_decay_with_warmup
from sslslr.utils.seeds import generator


def plain_head(widths, seed):
    """nn.LayerNorm and nn.Linear with the weights that StackedHeads draws for `seed`."""
    draw, layers = generator(seed, "head"), [nn.LayerNorm(widths[0])]
    for n_in, n_out in itertools.pairwise(widths):
        bound = 1 / math.sqrt(n_in)
        layer = nn.Linear(n_in, n_out)
        weight = torch.empty(n_in, n_out).uniform_(-bound, bound, generator=draw)
        bias = torch.empty(1, n_out).uniform_(-bound, bound, generator=draw)
        layer.weight.data, layer.bias.data = weight.T.clone(), bias[0].clone()
        layers.append(layer)
    return nn.Sequential(*layers)


def test_fitting_many_heads_equals_fitting_each_alone_with_torch():
    draws = torch.Generator().manual_seed(0)
    features, labels = (
        torch.randn(40, 6, generator=draws),
        torch.randint(0, 3, (40,), generator=draws),
    )
    seeds, epochs, batch = [3, 4, 5], 12, 8
    # Label fractions: the heads learn from different numbers of clips.
    rows = [torch.arange(40), torch.arange(0, 40, 2), torch.arange(11)]

    def rate(epoch: int) -> float:
        return 0.5 * linear_decay_with_warmup(epoch, 2, epochs)

    heads = StackedHeads([6, 10, 7, 3], seeds)
    fit_heads(heads, features, labels, rows, seeds, epochs, batch, rate)
    for head, seed in enumerate(seeds):
        plain, order = plain_head([6, 10, 7, 3], seed), generator(seed, "head order")
        optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
        for epoch in range(epochs):
            optimizer.param_groups[0]["lr"] = rate(epoch)
            for chosen in rows[head][torch.randperm(len(rows[head]), generator=order)].split(batch):
                optimizer.zero_grad()
                nn.functional.cross_entropy(plain(features[chosen]), labels[chosen]).backward()
                optimizer.step()
        with torch.no_grad():
            torch.testing.assert_close(
                heads(features.expand(3, -1, -1))[head], plain(features), atol=1e-4, rtol=1e-4
            )
        accuracy, gradient = heads.fit(head, features, labels, rows[head])
        logits = plain(features[rows[head]])
        assert accuracy == (logits.argmax(dim=1) == labels[rows[head]]).float().mean()
        plain.zero_grad()
        nn.functional.cross_entropy(logits, labels[rows[head]]).backward()
        largest = max(parameter.grad.abs().max() for parameter in plain.parameters())
        assert gradient == pytest.approx(largest.item(), rel=1e-2)


def test_schedule_warms_up_then_falls_linearly():
    factors = [linear_decay_with_warmup(epoch, 20, 1000) for epoch in range(1000)]
    assert factors[0] == pytest.approx(1 / 20)
    assert factors[19] == factors[20] == 1
    np.testing.assert_allclose(np.diff(factors[20:]), -1 / 980)
    assert factors[-1] == pytest.approx(1 / 980)
