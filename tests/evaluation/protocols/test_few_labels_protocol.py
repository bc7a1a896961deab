"""Few labels: the subsets' counts and nesting, and each problem against fitting it alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sslslr.config.settings import parse
from sslslr.evaluation.protocols import Task, few_labels
from sslslr.evaluation.protocols._heads import StackedHeads, fit_heads, linear_decay_with_warmup
from sslslr.evaluation.protocols._subsets import stratified_subset
from sslslr.evaluation.protocols.few_labels import (
    FewLabels,
    FewLabelsConfig,
    batches,
    problems,
)
from sslslr.utils.errors import UserError
from sslslr.utils.seeds import derive
from toys import whole

LABELS = st.lists(st.integers(0, 6), min_size=1, max_size=80).map(torch.tensor)
FRACTION = st.floats(0.001, 1)


def drawn(labels, seed, **amount):
    return stratified_subset(labels, torch.Generator().manual_seed(seed), **amount)


@settings(max_examples=60, deadline=None)
@given(LABELS, FRACTION, st.integers(0, 99))
def test_each_class_keeps_its_share_and_at_least_one_clip(labels, fraction, seed):
    mask = drawn(labels, seed, fraction=fraction)
    for label in labels.unique():
        size = int((labels == label).sum())
        assert int(mask[labels == label].sum()) == max(1, round(fraction * size))


@settings(max_examples=60, deadline=None)
@given(LABELS, st.integers(1, 9), st.integers(0, 99))
def test_shots_are_clips_per_class_or_all_there_are(labels, shots, seed):
    mask = drawn(labels, seed, shots=shots)
    for label in labels.unique():
        size = int((labels == label).sum())
        assert int(mask[labels == label].sum()) == min(shots, size)


@settings(max_examples=60, deadline=None)
@given(LABELS, FRACTION, FRACTION, st.integers(0, 99))
def test_a_larger_share_contains_the_smaller_and_a_draw_repeats(labels, one, other, seed):
    small, large = (drawn(labels, seed, fraction=f) for f in sorted([one, other]))
    assert (large | ~small).all()
    assert (drawn(labels, seed, fraction=max(one, other)) == large).all()
    assert (drawn(labels, seed, fraction=1.0)).all()


def test_every_clip_is_as_likely_and_draws_differ():
    labels = torch.tensor([0, 1, 0, 1, 1, 1])
    kept = torch.stack([drawn(labels, seed, shots=1) for seed in range(4000)]).double().mean(dim=0)
    expected = torch.tensor([1 / 2, 1 / 4, 1 / 2, 1 / 4, 1 / 4, 1 / 4]).double()
    torch.testing.assert_close(kept, expected, atol=0.035, rtol=0)  # over 4 standard errors


@pytest.mark.parametrize("amount", [{}, {"fraction": 0.5, "shots": 1}, {"fraction": 0.0},
                                    {"fraction": 1.1}, {"shots": 0}])  # fmt: skip
def test_an_impossible_amount_is_refused(amount):
    with pytest.raises(ValueError, match="fraction"):
        drawn(torch.arange(3), 0, **amount)


def make_task(width: int = 8, clips: int = 90, classes: int = 3) -> Task:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, clips)
    features = (rng.normal(size=(clips, width)) * np.logspace(-1, 1, width)).astype(np.float32)
    features[:, 0] += labels
    train, test = np.arange(60), np.arange(60, clips)
    return Task("toy", features, None, labels, list("abc"[:classes]), train, test, None, 5, "cpu")


AMOUNTS = {"fractions": [0.1, 0.5], "shots": [1, 4], "draws": 2}


@pytest.mark.parametrize(("width", "classes"), [(8, 3), (100, 3), (8, 2)])
def test_logistic_problems_are_those_of_scikit_learn_alone(width, classes):
    task = make_task(width, classes=classes)
    options = FewLabelsConfig(**AMOUNTS)
    found = {(p.label_fraction, p.shots, p.probe_seed): p
             for p in FewLabels().run(task, options, print)}  # fmt: skip
    assert len(found) == 8
    scaler = StandardScaler().fit(task.features[task.train].astype(float))
    x = scaler.transform(task.features.astype(float))
    for problem in problems(task, options):
        rows = task.train[problem.mask.numpy()]
        plain = LogisticRegression(max_iter=10_000, tol=1e-8).fit(x[rows], task.labels[rows])
        prediction = found[problem.fraction, problem.shots, problem.draw]
        ours = torch.softmax(torch.tensor(whole(prediction)), dim=1).numpy()
        np.testing.assert_allclose(ours, plain.predict_proba(x[task.test]), atol=1e-5)
        assert prediction.fit.fitted
        assert prediction.n_train == len(rows)


def test_linear_problems_are_those_fitted_alone():
    task = make_task()
    settings = {"hidden": [6, 5], "epochs": 15, "warmup_epochs": 2, "batch_size": 8}
    options = FewLabelsConfig(**AMOUNTS, probe="linear", linear=settings)
    found = {(p.label_fraction, p.shots, p.probe_seed): whole(p)
             for p in FewLabels().run(task, options, print)}  # fmt: skip
    features, labels = torch.tensor(task.features), torch.tensor(task.labels)
    for problem in problems(task, options):
        seed = derive(task.seed, "semi_supervised", problem.draw)
        head = StackedHeads([8, 6, 5, 3], [seed])
        fit_heads(head, features, labels, [torch.tensor(task.train)[problem.mask]], [seed], 15, 8,
                  lambda epoch: 0.01 * linear_decay_with_warmup(epoch, 2, 15))  # fmt: skip
        with torch.no_grad():
            alone = head(features[60:][None])[0]
        np.testing.assert_allclose(
            found[problem.fraction, problem.shots, problem.draw], alone, atol=1e-5
        )


def test_draws_are_nested_and_do_not_depend_on_the_features():
    options = FewLabelsConfig(fractions=[0.05, 0.1, 0.5], shots=[], draws=2)
    found, other = (problems(make_task(width), options) for width in (8, 20))
    assert all((a.mask == b.mask).all() for a, b in zip(found, other, strict=True))
    masks = [problem.mask for problem in found]
    assert all((masks[i + 1] | ~masks[i]).all() for i in (0, 1, 3, 4))
    assert (masks[2] != masks[5]).any()


def test_batches_bound_memory_and_wasted_work():
    task, options = make_task(), FewLabelsConfig(fractions=[0.05, 0.9], shots=[1], draws=3)
    found = problems(task, options)
    groups = list(batches(found, lambda heads, clips: 0))
    assert sorted(id(p) for group in groups for p in group) == sorted(map(id, found))
    for group in groups:
        union = torch.stack([p.mask for p in group]).any(dim=0).sum()
        assert len(group) * union <= few_labels.MAX_WASTE * sum(p.mask.sum() for p in group)
    assert len(groups) < len(found)
    assert [len(g) for g in batches(found, lambda heads, clips: heads * 10**9)] == [1] * len(found)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shots": [1, 1]}, "twice"),
        ({"shots": [], "fractions": []}, "empty"),
        ({"linear": {"seeds": [1]}}, "set draws instead"),
        ({"fractions": [0.0]}, "greater than 0"),
    ],
)
def test_settings_that_cannot_be_meant_are_errors(values, message):
    with pytest.raises(UserError, match=message):
        parse(FewLabelsConfig, values, "evaluate.protocols.few_labels")
