"""The headline numbers that DVC compares: of each target the best of its kind, of the study the mean."""

import json

import numpy as np
import pandas as pd
import pytest

from sslslr.report.summary import of_target


def row(method="sl_fpn", protocol="linear", top1=0.5, pretrain_dataset="asl", dataset="asl"):
    return {"dataset": dataset, "method": method, "pretrain_dataset": pretrain_dataset,
            "protocol": protocol, "top1_mean": top1}  # fmt: skip


UNTRAINED = [
    row("random", "linear", 0.1, "none"),
    row("random", "logistic", 0.3, "none"),
    row("raw_keypoints", "logistic", 0.4, "none"),
    row("supervised", "fine_tune", 0.9, "none"),
]


@pytest.mark.parametrize(
    ("rows", "numbers"),
    [
        ([row(top1=0.51239)], {"best": 0.512}),
        ([row(), row("byol", "logistic", 0.7), row(dataset="lsf", top1=0.8)], {"best": 0.7}),
        # Fine-tuned is not frozen; what was not pretrained is not the best frozen encoder.
        ([row(), row(protocol="fine_tune", top1=0.95), *UNTRAINED],
         {"best": 0.5, "random": 0.3, "raw": 0.4, "supervised": 0.9}),
        # What was not measured is absent: NaN is no JSON.
        ([row(top1=np.nan), row("random", "linear", 0.2, "none")], {"random": 0.2}),
    ],
)  # fmt: skip
def test_a_target_has_the_best_top1_of_each_kind(rows, numbers):
    found = of_target(pd.DataFrame(rows), "asl")
    assert found == numbers
    assert "NaN" not in json.dumps(found)
