"""The logistic probe against scikit-learn used plainly."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sslslr.config import LogisticConfig
from sslslr.protocols import Task
from sslslr.protocols.logistic import Logistic


@pytest.mark.parametrize(("width", "classes"), [(5, 3), (200, 3), (5, 2)])
def test_scores_are_those_of_scikit_learn_also_with_more_features_than_clips(width, classes):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, width)).astype(np.float32)
    labels = rng.integers(0, classes, 60)
    features[:, 0] += labels
    train, test = np.arange(40), np.arange(40, 60)
    names = [f"sign_{i}" for i in range(classes)]
    task = Task("toy", features, None, labels, names, train, test, None, 0, "cpu")
    (found,) = Logistic().run(task, LogisticConfig(), print)
    scaler = StandardScaler().fit(features[train])
    plain = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8)
    plain.fit(scaler.transform(features[train]), labels[train])
    expected = plain.predict_proba(scaler.transform(features[test]))
    scores = np.exp(found.scores - found.scores.max(axis=1, keepdims=True))
    if classes == 2:  # the two margins are m and -m, so their difference is twice the logit
        scores = np.sqrt(scores)
    np.testing.assert_allclose(scores / scores.sum(axis=1, keepdims=True), expected, atol=0.02)
    assert found.n_train == 40
