"""The numbers that DVC compares: those of the table, each under its own name."""

import json

import numpy as np
import pandas as pd

from sslslr.report import summary


def row(**values):
    shared = {
        "dataset": "wlasl_100",
        "method": "sl_fpn",
        "augmentation": "strong",
        "variant": "paper",
        "tag": "",
        "pretrain_dataset": "wlasl_2000",
        "protocol": "linear",
        "top1_mean": 0.5,
    }
    return {**shared, **values}


def test_each_row_has_its_place_and_the_name_of_its_runs(tmp_path):
    rows = [
        row(top1_mean=0.123456),
        row(tag="no_original", top1_mean=0.25),
        row(protocol="logistic", top1_mean=0.75),
        row(method="random", augmentation="none", pretrain_dataset="none", dataset="indian"),
    ]
    path = summary.write(pd.DataFrame(rows), tmp_path / "summary.json")
    assert json.loads(path.read_text()) == {
        "wlasl_100": {
            "linear": {
                "sl_fpn.strong.paper.wlasl_2000": 0.123456,
                "sl_fpn.strong.paper.wlasl_2000.no_original": 0.25,
            },
            "logistic": {"sl_fpn.strong.paper.wlasl_2000": 0.75},
        },
        "indian": {"linear": {"random.none.paper.none": 0.5}},
    }


def test_what_was_not_measured_is_absent_and_the_file_is_valid_json(tmp_path):
    path = summary.write(
        pd.DataFrame([row(), row(method="byol", top1_mean=np.nan)]), tmp_path / "s"
    )
    assert list(json.loads(path.read_text())["wlasl_100"]["linear"]) == [
        "sl_fpn.strong.paper.wlasl_2000"
    ]
    assert "NaN" not in path.read_text()
