"""The coding rate against its formula, and the values that theory gives."""

import math

import pytest
import torch
from torch.nn import functional as F

from sslslr.methods.sl_fpn_rate import coding_rate


@pytest.mark.parametrize("shape", [(40, 6), (5, 12)])  # more clips than dimensions, and fewer
def test_rate_is_half_the_log_determinant(shape):
    z = F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(0)).double(), dim=1)
    b, d = shape
    plain = torch.eye(d, dtype=torch.double)
    for row in z:
        plain += d / (b * 0.2) * torch.outer(row, row)
    expected = 0.5 * math.log(torch.det(plain).item())
    assert coding_rate(z, 0.2).item() == pytest.approx(expected)


def test_a_constant_embedding_has_the_rate_of_one_direction_and_an_even_one_the_most():
    d, eps2 = 8, 0.2
    constant = F.normalize(torch.ones(64, d).double(), dim=1)
    assert coding_rate(constant, eps2).item() == pytest.approx(0.5 * math.log(1 + d / eps2))
    even = torch.eye(d).double().repeat(8, 1)
    most = 0.5 * d * math.log(1 + 1 / eps2)
    assert coding_rate(even, eps2).item() == pytest.approx(most)
    some = F.normalize(
        torch.randn(64, d, generator=torch.Generator().manual_seed(1)).double(), dim=1
    )
    assert coding_rate(constant, eps2) < coding_rate(some, eps2) < most
