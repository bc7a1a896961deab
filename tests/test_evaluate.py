"""Evaluation: the frozen encoder stays, numbers are those of a plain count, bad splits are named."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from sslslr import artifacts, grid
from sslslr.config import EncoderConfig, StudyConfig
from sslslr.encoder import build_encoder
from sslslr.errors import UserError
from sslslr.evaluate import _ranked, embed, evaluate, weights_hash
from sslslr.pretrain import pretrain
from sslslr.report import collect, tables
from sslslr.strict import parse
from toys import random_batch, toy_clips

PROTOCOLS = {
    "linear": {"epochs": 30, "warmup_epochs": 2, "seeds": [0, 1]},
    "logistic": {},
    "fine_tune": {"epochs": 30, "batch_size": 16, "learning_rate": 0.003},
}


def make_study(method: str = "sl_fpn", variant: str = "paper", **evaluate_settings) -> StudyConfig:
    return parse(
        StudyConfig,
        {
            "datasets": {"toy": {"source": "synthetic"}},
            "encoder": {"depth": 1, "width": 32, "heads": 4, "variant": variant},
            "preprocess": {"frames": 12},
            "methods": {"sl_fpn": {}, "random": {}, "raw_keypoints": {}, "supervised": {}},
            "pretrain": {"epochs": 1, "batch_size": 16},
            "runs": [{"methods": [method], "datasets": ["toy"]}],
            "evaluate": {"protocols": PROTOCOLS, **evaluate_settings},
        },
        "test",
    )


def run(study: StudyConfig, store, folder) -> tuple[pd.DataFrame, pd.DataFrame]:
    (spec,) = grid.runs(study).values()
    pretrain(spec, store, folder / "encoder", folder / "ckpt", "code", say=lambda text: None)
    evaluate(
        grid.evaluate_spec(study, spec),
        folder / "encoder",
        {"toy": store.path},
        folder / "metrics",
        folder / "features",
        say=lambda text: None,
    )
    metrics = pd.read_csv(folder / "metrics" / "metrics.csv")
    return metrics, pd.read_parquet(folder / "metrics" / "predictions.parquet")


def test_metrics_are_plain_counts_over_the_predictions(toy_store, tmp_path):
    metrics, predictions = run(make_study(), toy_store, tmp_path)
    keys = ["dataset", "protocol", "label_fraction", "shots", "probe_seed"]
    assert set(metrics["protocol"]) == {"linear", "logistic", "fine_tune"}
    assert sorted(metrics.query("protocol == 'linear'")["probe_seed"].unique()) == [0, 1]
    for key, group in predictions.groupby(keys):
        rows = metrics.set_index(keys).loc[[key]].set_index("metric")
        assert len(group) == 12
        assert (rows["n_test"] == 12).all()
        for k in (1, 3, 5, 10):
            hits = sum(
                label in list(best)[:k]
                for label, best in zip(group["label"], group["best"], strict=True)
            )
            assert rows.loc[f"top{k}", "value"] == pytest.approx(hits / len(group), abs=1e-6)
        expected = balanced_accuracy_score(group["label"], [best[0] for best in group["best"]])
        assert rows.loc["balanced_accuracy", "value"] == pytest.approx(expected, abs=1e-6)
        assert (rows["low"] <= rows["value"] + 1e-9).all()
        assert (rows["high"] >= rows["value"] - 1e-9).all()


def test_ties_are_ranked_in_the_order_of_the_classes():
    """As between glosses that no neighbour voted for: else the ten best would be a matter of luck."""
    scores = np.random.default_rng(0).integers(0, 2, (20, 300)).astype(np.float32)
    for row, best in zip(scores, _ranked(scores), strict=True):
        assert best.tolist() == sorted(range(300), key=lambda label: -row[label])[:10]


@pytest.mark.parametrize("method", ["random", "raw_keypoints", "supervised"])
def test_every_baseline_learns_the_toy_set(toy_store, tmp_path, method):
    metrics, _ = run(make_study(method), toy_store, tmp_path)
    protocols = {
        "random": {"linear", "logistic"},
        "raw_keypoints": {"linear", "logistic"},
        "supervised": {"fine_tune"},
    }
    assert set(metrics["protocol"]) == protocols[method]
    best = metrics.query("metric == 'top1'")["value"].max()
    assert best > 0.6  # chance is 0.25, n = 12: 0.6 is out of its 99 % range


@pytest.mark.parametrize("variant", ["paper", "as_released"])
def test_a_frozen_encoder_is_bit_identical_before_and_after(toy_store, tmp_path, variant):
    study = make_study(variant=variant)
    (spec,) = grid.runs(study).values()
    pretrain(
        spec, toy_store, tmp_path / "encoder", tmp_path / "ckpt", "code", say=lambda text: None
    )
    file = tmp_path / "encoder" / "encoder.safetensors"
    before, bytes_before = weights_hash(artifacts.load(tmp_path / "encoder")[0]), file.read_bytes()
    run(study, toy_store, tmp_path)
    assert weights_hash(artifacts.load(tmp_path / "encoder")[0]) == before
    assert file.read_bytes() == bytes_before


def test_a_protocol_that_moves_the_encoder_is_caught(toy_store, tmp_path, monkeypatch):
    from sslslr.protocols.logistic import Logistic

    plain = Logistic.run

    def moving(self, task, options, say):
        frozen = [
            c.cell_contents
            for c in task.fresh_encoder.__closure__
            if isinstance(c.cell_contents, torch.nn.Module)
        ]
        next(frozen[0].parameters()).data.add_(1e-6)
        return plain(self, task, options, say)

    monkeypatch.setattr(Logistic, "run", moving)
    with pytest.raises(RuntimeError, match="changed the frozen encoder"):
        run(make_study(), toy_store, tmp_path)
    assert not (tmp_path / "metrics" / "metrics.csv").exists()


def test_features_are_computed_in_evaluation_mode_and_do_not_depend_on_the_batching(monkeypatch):
    batch = random_batch(clips=21, frames=12)
    encoder = build_encoder(EncoderConfig(depth=1, width=32, heads=4, dropout=0.5), 12, 0).train()
    together = embed(encoder, batch, 0)
    monkeypatch.setattr("sslslr.evaluate.EMBED_BATCH", 5)
    np.testing.assert_allclose(embed(encoder, batch, 0), together, atol=1e-5)


def test_features_file_has_a_row_a_clip(toy_store, tmp_path):
    run(make_study(), toy_store, tmp_path)
    features = np.load(tmp_path / "features" / "toy" / "features.npy")
    clips = pd.read_csv(tmp_path / "features" / "toy" / "clips.csv")
    assert features.shape == (48, 32)
    assert features.dtype == np.float32
    assert clips["clip_id"].tolist() == toy_store.clips["clip_id"].tolist()


def test_few_labels_neighbours_and_look_up_reach_the_files(toy_store, tmp_path):
    protocols = {
        "semi_supervised": {"fractions": [0.3], "shots": [1, 2], "draws": 2},
        "knn": {},
        "retrieval": {},
        "fine_tune": {"epochs": 1, "label_fractions": [0.3, 1.0]},
    }
    run(make_study(protocols=protocols), toy_store, tmp_path)
    metrics = collect.read_metrics([tmp_path / "metrics" / "metrics.csv"])
    predictions = collect.read_predictions([tmp_path / "metrics" / "predictions.parquet"])
    for frame in (metrics, predictions):
        assert frame.columns.get_loc("shots") == frame.columns.get_loc("label_fraction") + 1
    amounts = metrics[metrics["metric"] == "top1"].set_index("protocol")
    few = amounts.loc["semi_supervised"]
    # 36 training clips of 4 classes: round(0.3 * 9) = 3 clips a class.
    assert sorted(zip(few["label_fraction"], few["shots"], few["n_train"], strict=True)) == [
        (0.0, 1, 4), (0.0, 1, 4), (0.0, 2, 8), (0.0, 2, 8), (0.3, 0, 12), (0.3, 0, 12)
    ]  # fmt: skip
    assert sorted(few["probe_seed"]) == [0, 0, 0, 1, 1, 1]
    assert amounts.loc["fine_tune"]["n_train"].tolist() == [12, 36]
    assert amounts.loc[["knn", "retrieval"], "value"].min() > 0.5  # chance is 0.25, n = 12
    shown = tables.linear_table(metrics, predictions)
    assert shown["protocol"].tolist() == ["knn", "retrieval", "fine_tune"]
    assert shown["n_train"].tolist() == [36, 36, 36]


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


def test_an_encoder_of_other_settings_is_refused(toy_store, tmp_path):
    study = make_study()
    run(study, toy_store, tmp_path)
    (spec,) = grid.runs(study).values()
    changed = grid.evaluate_spec(study, spec.model_copy(update={"seed": 9}))
    with pytest.raises(UserError, match="made with other settings"):
        evaluate(
            changed, tmp_path / "encoder", {"toy": toy_store.path}, tmp_path / "m", tmp_path / "f"
        )


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


@pytest.mark.parametrize(("variant", "passes"), [("paper", 1), ("as_released", 2)])
def test_clips_that_two_targets_share_are_embedded_once(
    toy_store, tmp_path, monkeypatch, variant, passes
):
    """But not by the encoder that draws noise: each target has its own."""
    calls: list[int] = []

    def counted(*arguments):
        calls.append(1)
        return embed(*arguments)

    monkeypatch.setattr("sslslr.evaluate.embed", counted)
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
