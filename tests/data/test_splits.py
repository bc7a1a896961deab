"""Splits of a target's clips."""

import numpy as np
import pandas as pd

from sslslr.config.study import TargetConfig
from sslslr.data.splits import dealt_anew, splits_of


def toy_clips():
    rng = np.random.default_rng(0)
    glosses = np.repeat(np.array(["a", "b", "c"], dtype=object), 40)
    split = np.where(rng.random(120) < 0.3, "test", "train").astype(object)
    return pd.DataFrame({"gloss": glosses, "split": split})


def test_dealing_anew_keeps_the_counts_of_every_gloss_and_mixes_the_signers():
    clips = toy_clips()
    glosses, split = clips["gloss"].to_numpy(), clips["split"].to_numpy()
    dealt = dealt_anew(split, glosses, "toy")
    for gloss in "abc":
        assert (dealt[glosses == gloss] == "test").sum() == (
            split[glosses == gloss] == "test"
        ).sum()
    assert (dealt != split).sum() > 20
    assert (dealt == dealt_anew(split, glosses, "toy")).all()


def test_a_target_has_the_split_of_its_data_set_unless_it_is_dealt_anew():
    clips = toy_clips()
    assert (splits_of(clips, TargetConfig(), "toy") == clips["split"]).all()
    dealt = splits_of(clips, TargetConfig(split_by="clips"), "toy")
    assert (dealt == dealt_anew(clips["split"].to_numpy(), clips["gloss"].to_numpy(), "toy")).all()
    other = splits_of(clips, TargetConfig(split_by="clips"), "other")
    assert (dealt != other).any()


def test_clips_without_a_split_belong_to_none(make_store):
    """Their pd.NA stopped every evaluation and figure of such a data set with a TypeError."""
    frames = np.random.default_rng(0).normal(size=(4, 75, 2)).astype(np.float32)
    own = ["train", None, "test"] * 4
    clips = make_store({f"c{i}": (frames, {"split": own[i]}) for i in range(12)}).clips
    assert list(splits_of(clips, TargetConfig(), "toy")) == own
    dealt = splits_of(clips, TargetConfig(split_by="clips"), "toy")
    assert [(dealt == name).sum() for name in ("train", "test")] == [4, 4]
    assert np.isin(dealt, ["train"]).sum() == 4
