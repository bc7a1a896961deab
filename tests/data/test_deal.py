"""Splits that are dealt out: no signer is on two sides, pretraining included."""

import numpy as np
import pandas as pd
import pytest

from sslslr.data import datasets
from sslslr.data.store import ClipStore, writing
from sslslr.utils.errors import UserError

SIGNERS = 6


@pytest.fixture
def folder(tmp_path):
    """72 clips of 4 glosses by 6 signers, without splits."""
    rng = np.random.default_rng(0)
    with writing(tmp_path / "own", {"dataset": "own"}) as writer:
        for number in range(72):
            frames = rng.normal(size=(4, 75, 2))
            signer = f"s{number % SIGNERS}"
            writer.add(f"c{number}", frames, gloss=f"g{number // 6 % 4}", signer=signer)
    return tmp_path / "own"


def built(folder, said=None, **options):
    out = folder.parent / "dealt"
    say = (said if said is not None else []).append
    datasets.build("dealt", "store", {"folder": str(folder), **options}, out, say=say)
    return ClipStore.open(out)


def sides(store, column="split"):
    return set(store.clips.groupby("signer")[column].agg(lambda sides: len(set(sides))))


def test_signers_are_dealt_out_whole_and_the_same_every_time(folder):
    said = []
    store = built(folder, said, split_by="signers")
    assert sides(store) == {1}
    assert set(store.clips["split"]) == {"train", "val", "test"}
    assert store.card["split_rule"] == "dealt out by signers"
    assert {row["split"]: row["kept"] for row in store.card["counts"]} == {
        "train": 48,
        "val": 12,
        "test": 12,
    }
    assert any("dealt out by signers: 48 train" in line for line in said)
    assert (built(folder, split_by="signers").clips["split"] == store.clips["split"]).all()


def test_clips_are_dealt_out_within_each_gloss(folder):
    clips = built(folder, split_by="clips").clips
    for _, own in clips.groupby("gloss"):
        assert own["split"].value_counts().to_dict() == {"train": 12, "test": 4, "val": 2}


@pytest.mark.parametrize("fold", range(SIGNERS))
def test_one_signer_is_left_out_and_pretraining_never_sees_them(folder, fold):
    from sslslr.config.study import PretrainConfig

    store = built(folder, split_by="folds", folds="signers", fold=fold)
    tested = set(store.clips["signer"].iloc[store.indices("test")])
    assert tested == {f"s{fold}"}
    # What sslslr.training.pretrain.clips takes: the splits of the settings, which are train's by default.
    seen = [row for split in PretrainConfig(epochs=1).splits for row in store.indices(split)]
    assert set(store.clips["signer"].iloc[seen]) == {f"s{n}" for n in range(SIGNERS)} - tested
    assert (store.clips["fold"] == store.clips["signer"].str[1:].astype(int)).all()


def test_folds_hold_whole_signers_where_they_are_known_and_copies_where_not(folder, tmp_path):
    assert sides(built(folder, split_by="folds", folds=3), "fold") == {1}
    with writing(tmp_path / "unknown", {"dataset": "own"}) as writer:
        for number in range(24):
            frames = np.random.default_rng(number // 2).normal(size=(4, 75, 2))
            writer.add(f"c{number}", frames, gloss=f"g{number // 2 % 3}")
    store = built(tmp_path / "unknown", split_by="folds", folds=4, fold=1)
    assert store.clips["fold"].value_counts().tolist() == [6] * 4
    assert store.check() == []  # each clip is there twice, always on one side
    assert "warnings" not in store.card


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split_by": "signers"}, "signer of 1 of 3 clips is not known"),
        ({"split_by": "folds", "folds": "signers"}, "signer of 1 of 3 clips is not known"),
        ({"split_by": "folds", "folds": 4}, "3 clips give no 4 folds"),
        ({"split_by": "folds", "folds": 3, "fold": 3}, "fold 3 of 3"),
        ({"folds": 3}, "split_by: folds"),
        ({"split_by": "folds", "folds": 1}, "at least 2"),
    ],
)
def test_what_cannot_be_dealt_out_is_said(tmp_path, options, message):
    with writing(tmp_path / "few", {"dataset": "few"}) as writer:
        for number, signer in enumerate(("a", "b", None)):
            frames = np.random.default_rng(number).normal(size=(4, 75, 2))
            writer.add(f"c{number}", frames, gloss="g", signer=signer)
    with pytest.raises(UserError, match=message):
        built(tmp_path / "few", **options)


def test_copies_and_untrained_glosses_are_said_when_a_store_is_made(tmp_path):
    """And again by pretraining, which reads them from the card."""
    with writing(tmp_path / "s", {"dataset": "s"}) as writer:
        for number in range(10):
            frames = np.random.default_rng(number // 2).normal(size=(4, 75, 2))
            split = ("train", "test")[number % 2]
            writer.add(f"c{number}", frames, gloss="new" if number == 9 else "g", split=split)
    first, second, third, *_ = writer.summary()
    assert first.startswith("s: WARNING: 5 groups of clips have the same keypoints")
    assert "'c0' (train) = 'c1' (test)" in first
    assert first.endswith("and 2 more).")
    assert "1 gloss of test has no training clip ('new')" in second
    assert "1 group of equal clips with different glosses: 'c8' (g) = 'c9' (new)" in third
    assert len(ClipStore.open(tmp_path / "s").card["warnings"]) == 3
    assert pd.isna(ClipStore.open(tmp_path / "s").clips["signer"]).all()
