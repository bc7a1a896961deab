"""Targets: splits that are absent or learnt from, labels that nobody learnt, one set under two names."""

import numpy as np
import pandas as pd
import pytest
from studies import make_study, run

from sslslr.evaluation.evaluate import evaluate
from sslslr.evaluation.features import embed
from sslslr.training.pretrain import pretrain
from sslslr.utils.errors import UserError
from sslslr.workflow import grid
from toys import toy_clips


def stranger_store(make_store):
    clips = toy_clips()
    keypoints, columns = clips["clip_47"]
    clips["clip_47"] = (keypoints, {**columns, "gloss": "stranger"})
    return make_store(clips)


def test_a_label_in_test_that_train_lacks_is_an_error_and_nothing_is_written(make_store, tmp_path):
    with pytest.raises(
        UserError,
        match=r"clip 'clip_47': 1 test clips have a gloss that no training clip.*'stranger'",
    ):
        run(make_study(), stranger_store(make_store), tmp_path)
    assert not (tmp_path / "metrics").exists()


def test_or_it_is_dropped_on_request_and_counted(make_store, tmp_path):
    study = make_study(targets={"toy": {"unseen_labels": "drop"}})
    metrics, _ = run(study, stranger_store(make_store), tmp_path)
    assert (metrics["n_test"] == 11).all()


def test_a_test_split_of_unseen_glosses_alone_is_named(make_store, tmp_path):
    clips = {
        name: (keypoints, {**about, "gloss": "x" if about["split"] == "test" else about["gloss"]})
        for name, (keypoints, about) in toy_clips().items()
    }
    study = make_study(targets={"toy": {"unseen_labels": "drop"}})
    with pytest.raises(UserError, match=r"12 test clips have a gloss.*no other test clip is left"):
        run(study, make_store(clips), tmp_path)


def test_a_split_that_is_learnt_from_is_not_scored():
    with pytest.raises(UserError, match=r"evaluate.targets.toy: split 'val' is both in `train`"):
        make_study(targets={"toy": {"train": ["train", "val"], "test": "val"}})


def test_an_empty_split_is_named(make_store, tmp_path):
    study = make_study(targets={"toy": {"test": "val"}})
    with pytest.raises(
        UserError,
        match=r"no clip in split val; there is train and test\. Name .* `evaluate.targets.toy`",
    ):
        run(study, make_store(toy_clips()), tmp_path)


def test_a_target_can_be_a_data_set_under_another_name_with_signers_on_both_sides(
    toy_store, tmp_path
):
    study = make_study(
        targets={
            "toy": {},
            "toy_mixed": {"dataset": "toy", "split_by": "clips", "protocols": ["logistic"]},
        }
    )
    (spec,) = grid.runs(study).values()
    assert list(grid.targets(study, spec)) == ["toy", "toy_mixed"]
    pretrain(spec, toy_store, tmp_path / "encoder", tmp_path / "c", "code", say=lambda text: None)
    stores = {"toy": toy_store.path, "toy_mixed": toy_store.path}
    evaluation = grid.evaluate_spec(study, spec)
    evaluate(evaluation, tmp_path / "encoder", stores, tmp_path / "metrics", tmp_path / "features")
    predictions = pd.read_parquet(tmp_path / "metrics" / "predictions.parquet")
    assert set(predictions.query("dataset == 'toy_mixed'")["protocol"]) == {"logistic"}
    tested = predictions.query("protocol == 'logistic'").groupby("dataset")["clip_id"].agg(set)
    assert len(tested["toy"]) == len(tested["toy_mixed"])
    assert tested["toy"] != tested["toy_mixed"]


def test_clips_that_preprocessing_drops_do_not_move_the_others_to_another_split(
    make_store, tmp_path
):
    """Else encoders of two preprocessings would be scored on clips that the other learnt from."""
    clips = toy_clips()
    for number in range(0, 48, 5):  # without a left hand, which `as_released` wants
        clips[f"clip_{number}"][0][:, :21] = np.nan
    store = make_store(clips)
    tested = {}
    for variant in ("ours", "as_released"):
        study = make_study(
            "random",
            targets={"mixed": {"dataset": "toy", "split_by": "clips"}},
            protocols={"retrieval": {}},
        )
        study = study.model_copy(
            update={"preprocess": study.preprocess.model_copy(update={"variant": variant})}
        )
        (spec,) = grid.runs(study).values()
        folder = tmp_path / variant
        pretrain(spec, None, folder / "encoder", folder / "c", "code", say=lambda text: None)
        evaluation = grid.evaluate_spec(study, spec)
        stores = {"mixed": store.path}
        evaluate(evaluation, folder / "encoder", stores, folder / "metrics", folder / "features")
        predictions = pd.read_parquet(folder / "metrics" / "predictions.parquet")
        tested[variant] = set(predictions["clip_id"])
    assert tested["as_released"] < tested["ours"]
    assert all(
        int(name.removeprefix("clip_")) % 5 == 0 for name in tested["ours"] - tested["as_released"]
    )


@pytest.mark.parametrize(("variant", "passes"), [("transformer", 1), ("as_released", 2)])
def test_clips_that_two_targets_share_are_embedded_once(
    toy_store, tmp_path, monkeypatch, variant, passes
):
    """But not by the encoder that draws noise: each target has its own."""
    calls: list[int] = []

    def counted(*arguments):
        calls.append(1)
        return embed(*arguments)

    monkeypatch.setattr("sslslr.evaluation.task.embed", counted)
    targets = {"toy": {}, "again": {"dataset": "toy", "split_by": "clips"}}
    study = make_study(variant=variant, targets=targets, protocols={"logistic": {}})
    (spec,) = grid.runs(study).values()
    pretrain(spec, toy_store, tmp_path / "encoder", tmp_path / "ckpt", "code", say=str)
    stores = dict.fromkeys(targets, toy_store.path)
    folders = tmp_path / "encoder", stores, tmp_path / "metrics", tmp_path / "features"
    evaluate(grid.evaluate_spec(study, spec), *folders, say=str)
    assert len(calls) == passes
    found = [np.load(tmp_path / "features" / name / "features.npy") for name in targets]
    assert np.array_equal(*found) == (passes == 1)
    metrics = pd.read_csv(tmp_path / "metrics" / "metrics.csv")
    assert set(metrics["dataset"]) == set(targets)
    assert set(metrics["target_dataset"]) == {"toy"}
