"""The solver against scikit-learn, and at its optimum."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sslslr.evaluation.protocols import _logistic
from sslslr.evaluation.protocols._logistic import (
    TOLERANCE,
    fit_logistic,
    principal_axes,
    standardised,
)


def problem(n: int, d: int, classes: int, noise: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of very different spread before they are standardised, and labels that they tell."""
    draws = torch.Generator().manual_seed(0)
    labels = torch.randint(classes, (n,), generator=draws)
    means = torch.randn(classes, d, generator=draws)
    mix = torch.randn(d, d, generator=draws) * torch.logspace(0, -2, d)
    features = (means[labels] + noise * torch.randn(n, d, generator=draws)) @ mix
    return standardised(features, torch.arange(n)), labels


@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
def test_guesses_and_probabilities_are_those_of_scikit_learn(strength):
    features, labels = problem(n=300, d=24, classes=12, noise=1.5)
    train, test = slice(0, 200), slice(200, None)
    clips, scored = principal_axes(features[train], features[test])
    fitted = fit_logistic(clips, labels[train], 12, strength)
    assert fitted.gradient <= TOLERANCE
    plain = LogisticRegression(C=strength, max_iter=10_000, tol=1e-9)
    plain.fit(features[train], labels[train])
    scores = scored @ fitted.weights + fitted.bias
    np.testing.assert_array_equal(scores.argmax(dim=1), plain.predict(features[test]))
    expected = plain.predict_proba(features[test])
    np.testing.assert_allclose(torch.softmax(scores, dim=1), expected, atol=1e-5)
    assert fitted.accuracy == pytest.approx(plain.score(features[train], labels[train]))


def test_a_start_from_another_strength_ends_at_the_same_optimum():
    features, labels = problem(n=120, d=10, classes=4)
    weak = fit_logistic(features, labels, 4, 0.1)
    warm = fit_logistic(features, labels, 4, 1.0, start=weak)
    cold = fit_logistic(features, labels, 4, 1.0)
    torch.testing.assert_close(warm.weights, cold.weights, atol=1e-5, rtol=0)


@pytest.mark.parametrize("classes", [2, 5])
def test_few_clips_that_any_plane_divides_and_almost_no_penalty_end_at_an_optimum(classes):
    features, labels = problem(n=40, d=60, classes=classes)
    fitted = fit_logistic(features, labels, classes, 1e4)
    assert fitted.gradient <= TOLERANCE
    assert fitted.accuracy == 1


def test_the_clips_that_curve_a_class_most_spare_half_of_the_products(monkeypatch):
    """More features than clips, as raw keypoints have: the diagonal alone says little there."""
    features, labels = problem(n=300, d=500, classes=20, noise=2.0)
    clips, _ = principal_axes(features, features[:1])
    products, plain = [], _logistic._conjugate_gradients

    def counting(product, *arguments, **settings):
        def counted(v):
            products.append(1)
            return product(v)

        return plain(counted, *arguments, **settings)

    monkeypatch.setattr(_logistic, "_conjugate_gradients", counting)
    monkeypatch.setattr(_logistic, "PATIENCE", 0)
    found = fit_logistic(clips, labels, 20, 100.0)
    with_clips, products[:] = len(products), []
    monkeypatch.setattr(_logistic, "OUTSTANDING_VALUES", 0)
    alone = fit_logistic(clips, labels, 20, 100.0)
    assert max(found.gradient, alone.gradient) <= TOLERANCE
    # A gradient of 1e-8 leaves this much open where the penalty is as small.
    torch.testing.assert_close(found.weights, alone.weights, atol=1e-4, rtol=0)
    assert with_clips < len(products) / 2


def test_constant_features_become_zero():
    features = torch.cat([torch.ones(5, 1), torch.arange(5.0)[:, None]], dim=1)
    found = standardised(features, torch.arange(5))
    assert (found[:, 0] == 0).all()
    torch.testing.assert_close(found[:, 1].std(unbiased=False), torch.tensor(1.0).double())


@pytest.mark.parametrize("width", [6, 50])
def test_principal_axes_keep_every_product_of_clips_and_part_their_directions(width):
    features, _ = problem(n=30, d=width, classes=3)
    fitted, scored = principal_axes(features[:20], features[20:])
    assert fitted.shape == (20, min(20, width))
    torch.testing.assert_close(fitted @ fitted.T, features[:20] @ features[:20].T)
    torch.testing.assert_close(scored @ fitted.T, features[20:] @ features[:20].T)
    gram = fitted.T @ fitted
    torch.testing.assert_close(gram, torch.diag(gram.diagonal()), atol=1e-9, rtol=0)
