"""The batched solver against scikit-learn, one problem after the other."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from sslslr.protocols._logistic import fit_logistic, standardised


def test_each_problem_is_scikit_learns_on_its_own_clips():
    draws = torch.Generator().manual_seed(0)
    n, d, classes = 90, 12, 4
    labels = torch.arange(n) % classes
    features = torch.randn(n, d, generator=draws)
    features[:, 0] += labels
    features = standardised(features * torch.logspace(-2, 2, d), torch.arange(n))
    weights = torch.ones(3, n)
    weights[1, 40:] = 0  # few labels
    weights[2, ::2] = 3.0  # weighted clips
    strengths = torch.tensor([1.0, 10.0, 0.1])
    w, b = fit_logistic(features, labels, classes, weights, strengths, tolerance=1e-9)
    for head in range(3):
        plain = LogisticRegression(C=float(strengths[head]), max_iter=10_000, tol=1e-10)
        plain.fit(features, labels, sample_weight=weights[head])
        expected = plain.predict_proba(features)
        found = torch.softmax(features @ w[head] + b[head], dim=1)
        np.testing.assert_allclose(found, expected, atol=2e-4)


def test_a_clip_of_weight_zero_is_not_seen():
    features, labels = torch.randn(30, 5, dtype=torch.double), torch.arange(30) % 3
    weights = torch.ones(1, 30)
    weights[0, 20:] = 0
    changed = features.clone()
    changed[20:] = 1e3
    first, second = (
        fit_logistic(x, labels, 3, weights, torch.ones(1))[0] for x in (features, changed)
    )
    torch.testing.assert_close(first, second)


def test_constant_features_become_zero():
    features = torch.cat([torch.ones(5, 1), torch.arange(5.0)[:, None]], dim=1)
    found = standardised(features, torch.arange(5))
    assert (found[:, 0] == 0).all()
    torch.testing.assert_close(found[:, 1].std(unbiased=False), torch.tensor(1.0).double())
