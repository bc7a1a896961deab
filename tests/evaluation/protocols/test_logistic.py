"""The logistic probe against scikit-learn used plainly."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sslslr.evaluation.protocols import Task
from sslslr.evaluation.protocols._subsets import stratified_subset
from sslslr.evaluation.protocols.logistic import Logistic, LogisticConfig
from sslslr.utils.errors import UserError
from sslslr.utils.seeds import derive, generator
from toys import whole


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
    features = features.astype(float)
    scaler = StandardScaler().fit(features[train])
    plain = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8)
    plain.fit(scaler.transform(features[train]), labels[train])
    expected = plain.predict_proba(scaler.transform(features[test]))
    scores = whole(found)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(scores / scores.sum(axis=1, keepdims=True), expected, atol=1e-5)
    assert found.n_train == 40
    assert found.fit.fitted
    assert found.fit.train_accuracy == (
        plain.score(scaler.transform(features[train]), labels[train])
    )


def noisy_task(train: int = 60, seed: int = 3) -> Task:
    """Few informative features among many, so that the strength matters."""
    rng = np.random.default_rng(seed)
    labels = np.arange(train + 30) % 3
    features = rng.normal(size=(len(labels), 40)).astype(np.float32)
    features[:, :3] += 0.8 * np.eye(3)[labels]
    rows = np.arange(train), np.arange(train, len(labels))
    return Task("toy", features, None, labels, ["a", "b", "c"], *rows, None, seed, "cpu")


@pytest.mark.parametrize("seed", range(4))
def test_of_several_strengths_the_best_on_held_out_training_clips_is_taken(seed):
    task, candidates, said = noisy_task(seed=seed), [10.0, 0.001, 0.1], []
    (found,) = Logistic().run(task, LogisticConfig(C=candidates), said.append)
    draw = generator(derive(task.seed, "strength"))
    inner = stratified_subset(torch.as_tensor(task.labels[:60]), draw, fraction=0.8).numpy()
    fitted, held_out = np.flatnonzero(inner), np.flatnonzero(~inner)
    assert len(held_out) == 12
    scaler = StandardScaler().fit(task.features[fitted])
    right = {}
    for c in sorted(candidates):
        plain = LogisticRegression(C=c, max_iter=5000, tol=1e-8)
        plain.fit(scaler.transform(task.features[fitted]), task.labels[fitted])
        predicted = plain.predict(scaler.transform(task.features[held_out]))
        right[c] = int((predicted == task.labels[held_out]).sum())
    best = max(right, key=lambda c: (right[c], -c))
    shown = ", ".join(f"{c:g}: {n}" for c, n in right.items())
    assert said == [f"toy logistic: C = {best:g}, by 12 held-out training clips (right at {shown})"]
    (alone,) = Logistic().run(task, LogisticConfig(C=best), print)
    np.testing.assert_array_equal(whole(found), whole(alone))


def test_a_probe_that_stops_early_is_not_fitted():
    (found,) = Logistic().run(noisy_task(), LogisticConfig(max_iter=1), print)
    assert not found.fit.fitted
    assert found.fit.gradient > 1e-6


def test_without_a_clip_to_hold_out_no_strength_is_chosen():
    with pytest.raises(
        UserError, match=r"logistic.C: 'toy' has at most 2 training clips.*Name one"
    ):
        list(Logistic().run(noisy_task(train=6), LogisticConfig(C=[0.1, 1.0]), print))
