"""Joints that one side of a transfer lacks are masked on the other, and it is counted."""

import numpy as np
import pandas as pd
import pytest
import torch

from sslslr.config.settings import parse
from sslslr.config.study import PreprocessConfig, StudyConfig, TargetConfig
from sslslr.data.preprocess import preprocess
from sslslr.evaluation.evaluate import evaluate
from sslslr.evaluation.joints import joint_counts, joints_seen
from sslslr.pose.skeleton import BODY, LEFT_HAND, LEFT_SHOULDER, N_JOINTS
from sslslr.training.pretrain import pretrain
from sslslr.workflow import grid
from toys import toy_clips


def hands_only(clips: dict) -> dict:
    masked = {}
    for clip_id, (keypoints, columns) in clips.items():
        keypoints = keypoints.copy()
        keypoints[:, BODY] = np.nan
        masked[clip_id] = (keypoints, columns)
    return masked


def with_body(clips: dict) -> dict:
    """The same clips with two shoulders, so that the body decides how a clip is normalised."""
    made = {}
    for clip_id, (keypoints, columns) in clips.items():
        keypoints = keypoints.copy()
        keypoints[:, BODY] = np.nan
        keypoints[:, LEFT_SHOULDER] = (0.9, 0.3)
        keypoints[:, LEFT_SHOULDER + 1] = (0.2, 0.3)
        made[clip_id] = (keypoints, columns)
    return made


def test_masked_joints_are_as_if_the_store_never_had_them(make_store):
    whole = make_store(with_body(toy_clips()), "whole")
    hands = make_store(hands_only(toy_clips()), "hands")
    seen = np.zeros(N_JOINTS, dtype=bool)
    seen[: BODY.start] = True
    masked = preprocess(whole, PreprocessConfig(), joints=seen).batch
    plain = preprocess(hands, PreprocessConfig()).batch
    assert torch.equal(masked.keypoints, plain.keypoints)
    assert torch.equal(masked.present, plain.present)
    unmasked = preprocess(whole, PreprocessConfig()).batch
    assert not torch.allclose(unmasked.keypoints[:, :, LEFT_HAND], plain.keypoints[:, :, LEFT_HAND])


def test_what_is_seen_and_counted(make_store):
    store = make_store(with_body(toy_clips()))
    hands = {"joints": [*range(BODY.start)]}
    assert joint_counts(store, joints_seen(hands, TargetConfig())) == {
        "n_joints": 42, "n_joints_masked": 2,
    }  # fmt: skip
    everything = joints_seen({"joints": None}, TargetConfig())
    assert everything.all()
    assert joint_counts(store, everything) == {"n_joints": 44, "n_joints_masked": 0}
    one = joints_seen({"joints": None}, TargetConfig(parts=["left_hand"]))
    assert one.sum() == 21
    assert one[LEFT_HAND].all()


@pytest.mark.parametrize("method", ["sl_fpn", "random"])
def test_an_encoder_of_hands_gives_the_same_features_with_and_without_the_targets_body(
    make_store, tmp_path, method
):
    hands = make_store(hands_only(toy_clips()), "hands")
    whole = make_store(with_body(toy_clips()), "whole")
    study = parse(
        StudyConfig,
        {
            "datasets": {"hands": {"source": "synthetic"}, "whole": {"source": "synthetic"}},
            "encoder": {"depth": 1, "width": 16, "heads": 2},
            "preprocess": {"frames": 8},
            "methods": {"sl_fpn": {}, "random": {}},
            "pretrain": {"epochs": 1, "batch_size": 16},
            "runs": [{"methods": [method], "datasets": ["hands"]}],
            "evaluate": {
                "transfer": True,
                "protocols": {"logistic": {}},
                "targets": {"hands": {}, "whole": {"parts": ["left_hand", "right_hand"]}},
            },
        },
        "test",
    )
    (spec,) = grid.runs(study).values()
    said = []
    silent = lambda text: None  # noqa: E731
    pretrain(spec, hands, tmp_path / "encoder", tmp_path / "ckpt", "code", say=silent)
    evaluate(
        grid.evaluate_spec(study, spec), tmp_path / "encoder",
        {"hands": hands.path, "whole": whole.path},
        tmp_path / "metrics", tmp_path / "features", say=said.append,
    )  # fmt: skip
    ours, other = (
        np.load(tmp_path / f"features/{name}/features.npy") for name in ("hands", "whole")
    )
    assert np.array_equal(ours, other)
    metrics = pd.read_csv(tmp_path / "metrics/metrics.csv").groupby("dataset")
    assert metrics["n_joints"].unique().map(list).to_dict() == {"hands": [42], "whole": [42]}
    assert metrics["n_joints_masked"].unique().map(list).to_dict() == {"hands": [0], "whole": [2]}
    assert any("2 joints of this target are masked" in line for line in said)
