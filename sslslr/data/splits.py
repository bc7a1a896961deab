"""The split of a target's clips: the data set's own, or dealt anew within each gloss."""

import numpy as np
import pandas as pd
import torch

from sslslr.config.study import TargetConfig
from sslslr.utils.seeds import generator


def splits_of(clips: pd.DataFrame, target: TargetConfig, dataset: str) -> np.ndarray:
    """The split of every clip of a store under a target's settings, (clips,) of str or None.

    Args:
        clips: of the whole store: a clip that preprocessing drops later moves no other.
        dataset: the data set's name.
    """
    split = clips["split"].to_numpy(dtype=object, na_value=None)  # pd.NA cannot be compared
    if target.split_by == "clips":
        return dealt_anew(split, clips["gloss"].to_numpy(dtype=object), dataset)
    return split


def dealt_anew(split: np.ndarray, glosses: np.ndarray, dataset: str) -> np.ndarray:
    """The splits of a data set, exchanged at random between the clips of a gloss.

    Every gloss keeps its number of clips in each split, but the signers of a signer-independent
    split are now on both sides: what a signer-dependent evaluation measures. The draw depends on
    the data set alone, so that all encoders are compared on the same clips.
    """
    dealt, draws = split.copy(), generator(0, "dealt anew", dataset)
    for gloss in sorted(set(glosses)):
        rows = np.flatnonzero(glosses == gloss)
        dealt[rows] = split[rows[torch.randperm(len(rows), generator=draws).numpy()]]
    return dealt
