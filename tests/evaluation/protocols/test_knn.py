"""Nearest neighbours against scikit-learn, look-up by example against a plain loop."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from sslslr.evaluation.protocols import Task, _similarity
from sslslr.evaluation.protocols.knn import Knn, KnnConfig
from sslslr.evaluation.protocols.retrieval import Retrieval, RetrievalConfig
from sslslr.utils.errors import UserError
from toys import whole


@pytest.fixture
def task() -> Task:
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(7), 20)
    features = (rng.normal(size=(140, 6)) + 3).astype(np.float32)
    features[:, 0] += labels
    names = [f"sign_{i}" for i in range(7)]
    order = rng.permutation(140)
    return Task("toy", features, None, labels, names, order[:100], order[100:], None, 0, "cpu")


def centred(task: Task) -> np.ndarray:
    return task.features - task.features[task.train].mean(axis=0)


@pytest.mark.parametrize("k", [1, 5, 100])
@pytest.mark.parametrize("weighting", ["similarity", "uniform"])
def test_votes_are_scikit_learns(task, k, weighting):
    (found,) = Knn().run(task, KnnConfig(k=k, weighting=weighting), print)
    by_similarity = "uniform" if weighting == "uniform" else lambda d: np.exp((1 - d) / 0.07)
    plain = KNeighborsClassifier(k, metric="cosine", algorithm="brute", weights=by_similarity)
    x = centred(task).astype(float)
    plain.fit(x[task.train], task.labels[task.train])
    votes = plain.predict_proba(x[task.test])
    np.testing.assert_allclose(np.clip(whole(found), 0, None), votes, atol=1e-4)
    assert found.n_train == 100


def test_classes_without_a_vote_follow_by_their_most_similar_clip(task):
    (votes,) = Knn().run(task, KnnConfig(k=1), print)
    (similar,) = Retrieval().run(task, RetrievalConfig(), print)
    np.testing.assert_array_equal(
        np.argsort(-whole(votes), axis=1), np.argsort(-whole(similar), axis=1)
    )


def test_retrieval_equals_a_loop_over_queries_and_glosses(task, monkeypatch):
    monkeypatch.setattr(_similarity, "MAX_SIMILARITIES", 700)  # blocks of seven clips
    (found,) = Retrieval().run(task, RetrievalConfig(), print)
    scores, x = whole(found), centred(task)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    for row, query in enumerate(task.test):
        for gloss in range(7):
            examples = [clip for clip in task.train if task.labels[clip] == gloss]
            best = max(float(x[query] @ x[clip]) for clip in examples)
            assert scores[row, gloss] == pytest.approx(best, abs=1e-5)


def test_a_constant_added_to_all_features_changes_nothing(task):
    moved = Task(**{**vars(task), "features": task.features + 10})
    (first,) = Retrieval().run(task, RetrievalConfig(), print)
    (second,) = Retrieval().run(moved, RetrievalConfig(), print)
    np.testing.assert_allclose(whole(first), whole(second), atol=1e-4)


def test_more_neighbours_than_clips_is_an_error(task):
    with pytest.raises(UserError, match=r"101 neighbours.*100 training clips.*knn\.k"):
        list(Knn().run(task, KnnConfig(k=101), print))
