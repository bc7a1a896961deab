"""Confused signs against a plain count."""

import collections

import numpy as np
import pandas as pd
import pytest

from sslslr.config.study import PreprocessConfig, TargetConfig
from sslslr.data.splits import splits_of
from sslslr.report.figures import confusions
from sslslr.report.figures.confusions import confusion_figure, worst_pairs
from sslslr.utils.errors import UserError

SETTINGS = PreprocessConfig(frames=12)


def predictions(clip_ids, labels, guesses, **columns):
    shared = {
        "run_id": "r", "dataset": "toy", "protocol": "linear", "label_fraction": 1.0, "shots": 0,
        "probe_seed": 0, **columns,
    }  # fmt: skip
    best = [[guess, "other"] for guess in guesses]
    return pd.DataFrame({"clip_id": clip_ids, "label": labels, "best": best}).assign(**shared)


@pytest.fixture
def scored(toy_store):
    """Test clips of the toy store; every one of a sign is taken for the next sign."""
    clips = toy_store.clips.iloc[toy_store.indices("test")]
    glosses = sorted(toy_store.clips["gloss"].unique())
    wrong = [glosses[(glosses.index(g) + 1) % len(glosses)] for g in clips["gloss"]]
    return predictions(clips["clip_id"].tolist(), clips["gloss"].tolist(), wrong)


def test_pairs_equal_a_plain_count():
    rng = np.random.default_rng(0)
    labels, guesses = rng.choice(list("ABCD"), (2, 200)).tolist()
    ids = [f"c{i:03}" for i in range(200)]
    found = worst_pairs(predictions(ids, labels, guesses), k=20)
    pairs = list(zip(labels, guesses, strict=True))
    counted = collections.Counter(pair for pair in pairs if pair[0] != pair[1])
    for row in found.to_dict("records"):
        pair = (row["label"], row["predicted"])
        assert row["count"] == counted.pop(pair)
        assert row["n_label"] == labels.count(row["label"])
        assert row["clips"] == [c for c, p in zip(ids, pairs, strict=True) if p == pair]
    assert not counted
    assert found["count"].is_monotonic_decreasing


def test_ties_go_to_the_larger_share_then_to_the_name():
    found = worst_pairs(predictions(list("123456"), list("BBAACC"), list("BAABAA")), k=2)
    assert found[["label", "predicted", "count"]].to_numpy().tolist() == [
        ["C", "A", 2],
        ["A", "B", 1],
    ]


def test_of_probe_seeds_the_most_frequent_guess_counts():
    seeds = [predictions(["1"], ["A"], [guess], probe_seed=i) for i, guess in enumerate("BAB")]
    found = worst_pairs(pd.concat(seeds))
    assert found[["predicted", "count", "n_label"]].to_numpy().tolist() == [["B", 1, 1]]


def test_each_pair_is_a_mistaken_clip_beside_a_training_clip(toy_store, scored):
    figure = confusion_figure(scored, toy_store, SETTINGS, k=2)
    pairs = worst_pairs(scored, 2).to_dict("records")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:2] == [
        f"{p['label']} taken for {p['predicted']}: {p['count']} of {p['n_label']}" for p in pairs
    ]
    assert titles[2:] == [p["predicted"] for p in pairs]
    left, right = figure.axes[0].get_position(), figure.axes[2].get_position()
    assert (left.x1 < right.x0, left.y0) == (True, right.y0)


def test_the_clip_beside_is_one_that_the_probe_learnt_from(toy_store, scored, monkeypatch):
    """Of a target that was dealt anew it was a training clip of the data set: maybe a test clip here."""
    drawn = {}
    monkeypatch.setattr(
        confusions, "typical_clip", lambda _, rows: drawn.setdefault(tuple(rows), rows[0])
    )
    target = TargetConfig(split_by="clips", dataset="toy")
    confusion_figure(scored, toy_store, SETTINGS, k=2, target=target)
    split = splits_of(toy_store.clips, target, "toy")
    own = toy_store.clips["split"].to_numpy(dtype=object)
    models = list(drawn)[1::2]
    assert len(models) == 2
    for rows in models:
        assert {split[row] for row in rows} == {"train"}
        assert "test" in {own[row] for row in rows}  # else the data set's own would do as well


def test_long_names_keep_to_their_strip(toy_store, scored):
    """They ran into the next column, over its title."""
    long = {"label": "x" * 90, "predicted": "book", "count": 12, "n_label": 345}
    title = confusions._title(long)
    assert title.startswith("xxxxxxxx")
    assert title.endswith("… taken for book: 12 of 345")
    assert len(title) == 44
    assert len(confusions._title(long | {"predicted": "y" * 90})) <= 44
    assert confusions._title(long | {"label": "a_$b"}) == "a_$b taken for book: 12 of 345"


def test_of_several_protocols_the_first_with_all_labels_is_shown(toy_store, scored):
    """A study whose first protocol was `few_labels` failed at its last figure but one."""
    few = scored.assign(protocol="few_labels", label_fraction=0.5)
    knn = few.assign(protocol="knn")
    both = pd.concat([few, knn, scored.assign(protocol="knn"), scored], ignore_index=True)
    chosen = confusions.of_one_protocol
    assert set(chosen(both, "toy")["protocol"]) == {"knn"}
    assert set(chosen(both, "toy")["label_fraction"]) == {1.0}
    assert chosen(both, "elsewhere").empty
    none = confusion_figure(chosen(few, "toy"), toy_store, SETTINGS)
    assert "No protocol learnt from all labels" in none.texts[0].get_text()


def test_nothing_mistaken_and_a_wrong_store_say_so(toy_store, scored):
    right = scored.assign(best=[[label] for label in scored["label"]])
    assert "mistaken" in confusion_figure(right, toy_store, SETTINGS).texts[0].get_text()
    with pytest.raises(UserError, match="has no clip 'elsewhere'"):
        confusion_figure(predictions(["elsewhere"], ["A"], ["B"]), toy_store, SETTINGS)


def test_the_figure_says_of_what_run_it_is(scored, toy_store):
    figure = confusion_figure(scored, toy_store, SETTINGS)
    about = figure.legends[0].get_title().get_text()
    assert about == f"r on toy, linear, n = {len(scored)} test clips"
