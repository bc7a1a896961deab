"""Phonology: signs on one side alone, scores against scikit-learn, labels of columns and of a table."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

from sslslr.data.datasets._vocabulary import PATHS, draw_signs
from sslslr.data.datasets._vocabulary import phonology as phonology_of
from sslslr.data.datasets.synthetic import SyntheticOptions
from sslslr.evaluation.protocols import Task
from sslslr.evaluation.protocols.phonology import Phonology, PhonologyConfig, dealt, values_of
from sslslr.evaluation.scores import score
from sslslr.report.tables.phonology import phonology
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of
from toys import whole

SHAPES = np.array(["fist", "fist", "flat", "flat", "flat", "hook"], object)  # of signs a to f


def make_task(**columns) -> Task:
    """120 clips of 6 signs; features tell the handshape, and more clearly the sign."""
    rng, n = np.random.default_rng(0), 120
    labels = np.arange(n) % 6
    features = rng.normal(size=(n, 12)).astype(np.float32)
    features[np.arange(n), labels] += 3
    features[:, 6:9] += 1.5 * np.eye(3)[np.unique(SHAPES, return_inverse=True)[1][labels]]
    glosses = np.array(list("abcdef"), object)[labels]
    rows = pd.DataFrame(
        {"gloss": glosses, **{key: value[labels] for key, value in columns.items()}}
    )
    at = np.arange(n)
    return Task("toy", features, None, labels, list("abcdef"), at[at % 4 > 0], at[at % 4 == 0], None, 0,
                "cpu", rows=rows)  # fmt: skip


def test_the_signs_of_a_value_are_dealt_and_a_lone_one_is_left_out():
    parts = dealt(SHAPES, 2)
    assert parts[5] == -1
    assert sorted(parts[:2]) == [0, 1]
    assert sorted(parts[2:5]) == [0, 0, 1]


def test_scores_are_those_of_scikit_learn_on_signs_that_the_probe_never_saw():
    task = make_task(handshape=SHAPES)
    (found,) = Phonology().run(task, PhonologyConfig(folds=2), print)
    parts, signs = dealt(SHAPES, 2), np.asarray(task.labels)
    tested, truth, expected = [], [], []
    for fold in range(2):
        learnt = [i for i in task.train if parts[signs[i]] == 1 - fold]
        own = [i for i in task.test if parts[signs[i]] == fold]
        scaler = StandardScaler().fit(task.features[learnt].astype(float))
        plain = LogisticRegression(tol=1e-9, max_iter=5000)
        plain.fit(scaler.transform(task.features[learnt].astype(float)), SHAPES[signs[learnt]])
        tested += own
        truth += list(SHAPES[signs[own]])
        expected += list(plain.predict(scaler.transform(task.features[own].astype(float))))
    assert list(found.task.test) == tested
    names = np.array(found.task.classes, object)
    assert list(names) == ["fist", "flat"]
    assert list(names[whole(found).argmax(axis=1)]) == expected
    assert found.metrics["handshape"] == pytest.approx(balanced_accuracy_score(truth, expected))
    assert found.metrics["handshape_chance"] == 0.5
    assert found.details == {"signs_by_value": {"handshape": {"fist": 2, "flat": 3}}}
    (found,) = Phonology().run(task, PhonologyConfig(folds=2), print)
    rows, _ = score(task, "phonology", found, np.arange(120).astype(str))
    about = {
        "method": "m",
        "augmentation": "v",
        "variant": "t",
        "tag": "",
        "pretrain_dataset": "toy",
        "seed": 0,
    }
    (row,) = phonology(pd.DataFrame([row | about for row in rows])).to_dict("records")
    assert row["handshape"] == found.metrics["handshape"]
    assert row["handshape_chance"] == 0.5
    assert np.isnan(row["movement"])


def test_a_table_of_glosses_takes_the_place_of_columns(tmp_path):
    table = tmp_path / "phonology.csv"
    table.write_text("gloss,location\na,high\nb,high\nc,low\nd,low\nz,low\n")
    options = PhonologyConfig(folds=2, table=str(table), sha256=sha256_of(table))
    (found,) = Phonology().run(make_task(handshape=SHAPES), options, print)
    assert set(found.metrics) == {"location", "location_chance"}
    table.write_text(table.read_text() + "a,low\n")
    with pytest.raises(UserError, match="changed since"):
        values_of(make_task(), options)
    with pytest.raises(UserError, match="'a' has two values of location"):
        values_of(make_task(), PhonologyConfig(table=str(table)))


def test_without_labels_it_is_said_what_to_do():
    said = []
    lone = np.array(["fist", "flat", "hook", "x", "y", "z"], object)
    with pytest.raises(
        UserError, match=r"toy, protocol phonology.*columns handshape.*evaluate.targets.toy"
    ):
        list(Phonology().run(make_task(handshape=lone), PhonologyConfig(), said.append))
    assert said == ["toy phonology: fewer than two values of handshape have two signs; left out"]


def test_the_synthetic_signer_states_what_its_signs_are_made_of():
    signs = draw_signs(SyntheticOptions(signs=200, clips=600))
    found = phonology_of(signs)
    assert set(found) == {"handshape", "location", "movement"}
    assert set(found["movement"]) == set(PATHS)
    assert len(set(found["handshape"])) == 8
    assert len(set(found["location"])) == 6
    bent = [shape[0] == "b" for shape in found["handshape"]]
    assert (signs["start"][bent, 5] > 0.5).all()  # the index finger's curl
    high = [place.startswith("high") for place in found["location"]]
    assert signs["start"][high, 1].max() < signs["start"][~np.array(high), 1].min()
