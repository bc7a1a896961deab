"""The data sets of `../shared/data`: counts and splits; skipped where they are absent."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sslslr.data.datasets import DATASETS, build
from sslslr.data.datasets.indian_holistic import split_by_repetition
from sslslr.data.store import ClipStore
from sslslr.utils.errors import UserError

REPOSITORY = Path(__file__).parents[3]
SHARED = Path(os.environ.get("SSLSLR_SHARED_DATA") or REPOSITORY.parent / "shared" / "data")


def needs(name):
    return pytest.mark.skipif(
        not (SHARED / name / "clips.npz").is_file(),
        reason=f"{name} is not in {SHARED} (set SSLSLR_SHARED_DATA)",
    )


def make(source, tmp_path, **options):
    values = {"folder": str(SHARED / source), **options}
    build("toy", source, values, tmp_path / "s", say=lambda text: None)
    return ClipStore.open(tmp_path / "s")


@needs("wlasl_hands")
@pytest.mark.parametrize(("subset", "train", "val"), [(100, 748, 165), (300, 1897, 446)])
def test_wlasl_subsets(tmp_path, subset, train, val):
    store = make("wlasl_hands", tmp_path, subset=subset)
    assert store.clips["split"].value_counts().to_dict() == {"train": train, "val": val}
    assert store.clips["gloss"].nunique() == subset
    assert store.card["dropped"]["count"] == 0
    assert store.card["licence"].startswith("C-UDA")
    assert store.card["joints"]["body"] == 0
    assert all(len(clip_id) == 5 for clip_id in store.clips["clip_id"])  # zeros are kept


def test_an_estimate_counts_the_rows_of_a_table_that_is_not_built_yet(tmp_path):
    (tmp_path / "clips.npz").touch()
    table = "clip_id,split,wlasl100,wlasl300\na,train,,val\nb,val,,\nc,train,train,train\n"
    (tmp_path / "instances.csv").write_text(table)
    hands = DATASETS.get("wlasl_hands")
    counts = {
        subset: hands.published(hands.Options(subset=subset, folder=str(tmp_path)))
        for subset in (100, 300, 1000, 2000)
    }
    assert counts == {100: 1, 300: 2, 1000: None, 2000: 3}  # without its column unknown
    absent = hands.Options(folder=str(tmp_path / "absent"))
    assert hands.published(absent) is None, "building it says what is wrong"


@pytest.mark.slow
@needs("wlasl_hands")
@pytest.mark.parametrize(("subset", "train", "val"), [(1000, 5001, 1290), (2000, 8313, 2253)])
def test_large_wlasl_subsets(tmp_path, subset, train, val):
    store = make("wlasl_hands", tmp_path, subset=subset)
    assert store.clips["split"].value_counts().to_dict() == {"train": train, "val": val}
    assert store.clips["gloss"].nunique() == subset
    assert make("wlasl_hands", tmp_path, subset=subset, copies="drop").check() == []


@needs("wlasl_hands")
def test_wlasl_copies_across_the_split(tmp_path):
    (finding,) = make("wlasl_hands", tmp_path, subset=100).check()
    assert "have the same keypoints and lie in several splits" in finding
    store = make("wlasl_hands", tmp_path, subset=100, copies="drop")
    assert store.check() == []
    assert store.card["dropped"]["by_reason"] == {"same keypoints as a clip of another split": 1}


@needs("indian_holistic")
def test_indian(tmp_path):
    store = make("indian_holistic", tmp_path)
    assert store.clips["split"].value_counts().to_dict() == {"train": 414, "val": 138, "test": 138}
    assert (store.clips.groupby("split")["gloss"].nunique() == 22).all()
    assert store.clips["signer"].nunique() == 2
    assert store.check() == []


def test_split_by_repetition_goes_by_number_within_signer_and_gloss():
    rows = pd.DataFrame(
        {
            "signer": ["a"] * 10 + ["b"] * 5,
            "gloss": "g",
            "repetition": [str(i) for i in reversed(range(10))] + ["7", "8", "9", "10", "11"],
        }
    )
    split = split_by_repetition(rows)
    assert split[:10].tolist() == ["test"] * 2 + ["val"] * 2 + ["train"] * 6
    assert split[10:].tolist() == ["train"] * 3 + ["val", "test"]  # 10 comes after 9


@pytest.mark.parametrize("source", ["wlasl_hands", "indian_holistic"])
def test_absent_files_say_where_it_looked(tmp_path, monkeypatch, source):
    monkeypatch.setenv("SSLSLR_SHARED_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=rf"nowhere/{source}\. Set options\.folder"):
        build("toy", source, {}, tmp_path / "s", say=lambda text: None)
    monkeypatch.delenv("SSLSLR_SHARED_DATA")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"shared/data/{source}"):
        build("toy", source, {}, tmp_path / "s", say=lambda text: None)
    assert os.listdir(tmp_path) == []


def test_a_set_made_here_in_wlasls_form(tmp_path):
    """Runs everywhere: a clip without a split is no part of the subset, nor dropped."""
    xy = np.random.default_rng(0).random((12, 42, 2)).astype(np.float16)
    xy[9:12] = xy[0:3]
    offsets, ids = np.array([0, 3, 6, 9, 12]), ["00001", "00002", "00003", "00004"]
    np.savez(tmp_path / "clips.npz", xy=xy, offsets=offsets, clip_id=ids)
    columns = {"clip_id": ids, "gloss": list("aabb"), "wlasl100": ["train", "", "train", "val"]}
    pd.DataFrame(columns).to_csv(tmp_path / "instances.csv", index=False)
    for copies, expected in (("keep", ["00001", "00003", "00004"]), ("drop", ["00003", "00004"])):
        options = {"subset": 100, "folder": str(tmp_path), "copies": copies}
        build("toy", "wlasl_hands", options, tmp_path / "s", say=lambda text: None)
        store = ClipStore.open(tmp_path / "s")
        assert store.clips["clip_id"].tolist() == expected
    assert store.card["dropped"]["clips"][0]["clip_id"] == "00001"
    with pytest.raises(UserError, match="column 'wlasl300' is missing"):
        build("toy", "wlasl_hands", {**options, "subset": 300}, tmp_path / "s")
