"""One signer out and who signs: who is on which side, and the scores against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

from sslslr.evaluation.protocols import Task
from sslslr.evaluation.protocols._signers import folds, named_rows
from sslslr.evaluation.protocols.leave_one_signer_out import (
    LeaveOneSignerOut,
    LeaveOneSignerOutConfig,
)
from sslslr.evaluation.protocols.signer_leakage import SignerLeakage, SignerLeakageConfig
from sslslr.evaluation.scores import score
from sslslr.utils.errors import UserError
from toys import whole

SIGNERS, SIGNS = ("ann", "bea", "cyd", "dan"), list("xyz")


def make_task(pretrained=None, signers=SIGNERS) -> Task:
    """96 clips; the signer shifts the features that tell the sign. Clip 0 has no signer, clip 1 no label."""
    rng, n = np.random.default_rng(0), 96
    who, labels = np.arange(n) % len(signers), np.arange(n) // 4 % 3
    features = rng.normal(size=(n, 9)).astype(np.float32)
    features[:, :3] += 1.5 * np.eye(3)[labels]
    features[:, 3:6] += 2 * rng.normal(size=(len(signers), 3))[who]
    names = np.array(signers, object)[who]
    names[0] = None
    labels[1] = -1
    rows = np.arange(n)
    return Task("toy", features, None, labels, SIGNS, rows[who > 1], rows[who <= 1], None, 0, "cpu",
                signers=names, pretrained=pretrained)  # fmt: skip


def test_no_signer_is_on_two_sides_and_each_clip_is_scored_once():
    task = make_task()
    rows, tested = named_rows(task, "any"), []
    assert set(range(96)) - set(rows) == {0, 1}
    for signer, others, own in folds(task, rows):
        assert set(task.signers[own]) == {signer}
        assert set(task.signers[others]) == set(SIGNERS) - {signer}
        tested += list(own)
    assert sorted(tested) == list(rows)


def test_a_sign_that_nobody_else_shows_is_left_out():
    task = make_task()
    task.labels[np.asarray(task.signers) == "ann"] = 2
    task.labels[(np.asarray(task.signers) != "ann") & (task.labels == 2)] = 1
    assert [signer for signer, _, _ in folds(task, named_rows(task, "any"))] == [
        "bea",
        "cyd",
        "dan",
    ]


def test_scores_are_those_of_scikit_learn_for_each_signer_and_their_mean_spread_and_worst_are_told():
    task = make_task(pretrained=np.arange(96) % 4 > 1)
    (found,) = LeaveOneSignerOut().run(task, LeaveOneSignerOutConfig(), lambda text: None)
    guesses, right = whole(found).argmax(axis=1), {}
    for signer in SIGNERS:
        who = np.asarray(task.signers) == signer
        ok = (task.labels >= 0) & (np.arange(96) > 0)
        fitted, own = ok & ~who, ok & who
        scaler = StandardScaler().fit(task.features[fitted].astype(float))
        plain = LogisticRegression(tol=1e-9, max_iter=5000)
        plain.fit(scaler.transform(task.features[fitted].astype(float)), task.labels[fitted])
        expected = plain.predict(scaler.transform(task.features[own].astype(float)))
        np.testing.assert_array_equal(guesses[who[found.task.test]], expected)
        right[signer] = (expected == task.labels[own]).mean()
    assert found.details["top1_by_signer"] == pytest.approx(right)
    values = np.array(list(right.values()))
    assert found.metrics["signer_mean"] == pytest.approx(values.mean())
    assert found.metrics["signer_std"] == pytest.approx(values.std(ddof=1))
    assert found.metrics["signer_worst"] == values.min()
    # Pretraining saw clips of two of the four.
    assert found.metrics["signers_pretrained"] == 0.5
    assert found.details["signers_pretrained"] == ["cyd", "dan"]
    rows, predictions = score(task, "leave_one_signer_out", found, np.arange(96).astype(str))
    assert len(predictions) == rows[0]["n_test"] == 94
    assert {"top1", "signer_mean", "signer_worst"} <= {row["metric"] for row in rows}


def test_of_an_encoder_of_another_set_it_is_not_known_whom_it_has_seen():
    (found,) = LeaveOneSignerOut().run(make_task(), LeaveOneSignerOutConfig(), lambda text: None)
    assert np.isnan(found.metrics["signers_pretrained"])


def test_who_signs_is_told_as_scikit_learn_tells_it_on_clips_that_were_held_out():
    task = make_task()
    (found,) = SignerLeakage().run(task, SignerLeakageConfig(), print)
    who = found.task
    assert who.classes == list(SIGNERS)
    assert not set(who.train) & set(who.test)
    assert {*who.train, *who.test} == set(range(2, 96))
    assert set(who.labels[who.train]) == set(who.labels[who.test]) == set(range(4))
    scaler = StandardScaler().fit(task.features[who.train].astype(float))
    plain = LogisticRegression(tol=1e-9, max_iter=5000)
    plain.fit(scaler.transform(task.features[who.train].astype(float)), who.labels[who.train])
    expected = plain.predict(scaler.transform(task.features[who.test].astype(float)))
    np.testing.assert_array_equal(whole(found).argmax(axis=1), expected)
    (found,) = SignerLeakage().run(task, SignerLeakageConfig(), print)  # blocks are read once
    rows, _ = score(task, "signer_leakage", found, np.arange(96).astype(str))
    (told,) = [row for row in rows if row["metric"] == "balanced_accuracy"]
    assert told["value"] == pytest.approx(balanced_accuracy_score(who.labels[who.test], expected))
    assert told["n_classes"] == 4
    assert told["value"] > 0.6  # the signer shifts the features


@pytest.mark.parametrize("protocol", [LeaveOneSignerOut, SignerLeakage])
def test_without_two_named_signers_it_is_said_what_to_do(protocol):
    with pytest.raises(
        UserError, match=r"toy, protocol \w+: fewer than two signers.*evaluate.targets.toy"
    ):
        list(protocol().run(make_task(signers=("ann",)), protocol.Options(), print))
