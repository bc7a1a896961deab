"""When a probe is fitted, and what it says of its training."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from sslslr.evaluation.protocols import Task
from sslslr.evaluation.protocols._fit import BEHIND, of_head
from sslslr.evaluation.protocols.linear import Linear, LinearConfig
from sslslr.evaluation.protocols.linear_standardised import LinearStandardised
from sslslr.evaluation.scores import probes, score
from toys import whole

BUDGET = LinearConfig(hidden=[16], epochs=60, warmup_epochs=2, batch_size=16, learning_rate=0.1)


def task(spread: float = 1.0) -> Task:
    """Four signs that two features tell, beside ten that tell nothing and are `1 / spread` larger."""
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 4
    features = rng.normal(size=(80, 12)).astype(np.float32)
    features[:, :2] *= 0.2
    features[:, 0] += labels % 2
    features[:, 1] += labels // 2
    features[:, :2] *= spread
    rows = np.arange(60), np.arange(60, 80)
    return Task("toy", features, None, labels, list("abcd"), *rows, None, 0, "cpu")


def test_the_papers_head_is_not_fitted_where_what_tells_has_a_small_spread():
    (easy,) = Linear().run(task(), BUDGET, print)
    (small,) = Linear().run(task(spread=1e-3), BUDGET, print)
    (standardised,) = LinearStandardised().run(task(spread=1e-3), BUDGET, print)
    assert [found.fit.fitted for found in (easy, small, standardised)] == [True, False, True]
    assert small.fit.train_accuracy < standardised.fit.train_accuracy - BEHIND
    assert small.fit.gradient > 0


def test_the_standardised_head_is_the_papers_on_standardised_features():
    toy = task(spread=1e-3)
    scaled = StandardScaler().fit(toy.features[toy.train]).transform(toy.features)
    by_hand = Task("toy", scaled.astype(np.float32), *[getattr(toy, n) for n in (
        "clips", "labels", "classes", "train", "test", "fresh_encoder", "seed", "device")])  # fmt: skip
    (found,), (plain,) = (
        LinearStandardised().run(toy, BUDGET, print),
        Linear().run(by_hand, BUDGET, print),
    )
    np.testing.assert_allclose(whole(found), whole(plain), atol=1e-3)


@pytest.mark.parametrize(("accuracy", "fitted"), [(0.96, True), (0.9501, True), (0.94, False)])
def test_a_head_may_lack_five_points_of_the_logistic_probe(accuracy, fitted):
    assert of_head(accuracy, 0.1, reference=1.0).fitted is fitted


def test_a_row_of_the_metrics_states_it_and_so_does_the_record():
    toy = task(spread=1e-3)
    (found,) = Linear().run(toy, BUDGET, print)
    rows, _ = score(toy, "linear", found, np.arange(80))
    assert {row["fitted"] for row in rows} == {0}
    (record,) = probes(rows)
    assert record["train_accuracy"] == found.fit.train_accuracy
    assert record["fitted"] == 0
