"""Nearest neighbours in standardised features."""

import numpy as np
import pytest

from sslslr.report.figures.neighbours import nearest, read_features
from sslslr.utils.errors import UserError


def test_the_nearest_is_by_direction_after_standardising():
    rng = np.random.default_rng(0)
    learnt = rng.normal(size=(6, 4)) * (1, 1000, 1, 1) + 5  # one channel would decide alone
    asked = learnt[[4, 1]] + rng.normal(scale=0.01, size=(2, 4))
    features = np.concatenate([asked, learnt])
    assert nearest(features, np.arange(2), np.arange(2, 8)).tolist() == [4, 1]


def test_features_that_are_absent_are_named(tmp_path):
    with pytest.raises(UserError, match="Evaluate the run again"):
        read_features(tmp_path)
