"""Spread and effective rank against their definitions and known values."""

import math

import pytest
import torch

from sslslr.training.collapse import effective_rank, figures, has_collapsed, spread


def test_known_values():
    draws = torch.Generator().manual_seed(0)
    sphere = torch.randn(20_000, 16, generator=draws)
    assert effective_rank(sphere) == pytest.approx(16, rel=0.01)
    assert spread(sphere) == pytest.approx(1, rel=0.01)
    line = torch.randn(500, 1, generator=draws) * torch.randn(1, 16, generator=draws)
    assert effective_rank(line + 3) == pytest.approx(1, abs=1e-5)
    point = torch.full((500, 16), 0.7)
    assert (effective_rank(point), spread(point)) == (0.0, 0.0)


def test_rank_is_the_exponential_of_the_entropy_of_the_singular_values():
    embedding = torch.randn(50, 6, generator=torch.Generator().manual_seed(1)).double()
    values = torch.linalg.svdvals(embedding - embedding.mean(0)).tolist()
    shares = [value / sum(values) for value in values]
    expected = math.exp(-sum(share * math.log(share) for share in shares))
    assert effective_rank(embedding) == pytest.approx(expected)


def test_verdict_names_the_reason():
    draws = torch.Generator().manual_seed(0)
    start = figures(torch.randn(99, 8, generator=draws), torch.randn(99, 8, generator=draws))
    assert has_collapsed(start, start, 0.1, 2.0) == ""
    shrunk = {**start, "projection_spread": start["projection_spread"] * 0.05}
    assert "spread" in has_collapsed(shrunk, start, 0.1, 2.0)
    flat = {**start, "projection_rank": 1.3}
    assert "effective rank is 1.30" in has_collapsed(flat, start, 0.1, 2.0)
