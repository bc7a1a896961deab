"""Evaluation: the frozen encoder stays, numbers are those of a plain count, bad splits are named."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from studies import make_study, run

from sslslr.augment import TemporalPermutation, at_frames, compose
from sslslr.config.settings import parse
from sslslr.config.study import EncoderConfig, StudyConfig
from sslslr.data.preprocess import preprocess
from sslslr.encoders import artifact
from sslslr.encoders.build import build_encoder
from sslslr.evaluation.evaluate import evaluate
from sslslr.evaluation.features import Averaged, embed, weights_hash
from sslslr.evaluation.scores import best_classes
from sslslr.report import reading
from sslslr.report.tables import linear as tables
from sslslr.training.pretrain import pretrain
from sslslr.use.load import load_encoder
from sslslr.utils.errors import UserError
from sslslr.workflow import grid
from toys import random_batch


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
    for row, best in zip(scores, best_classes(scores), strict=True):
        assert best.tolist() == sorted(range(300), key=lambda label: -row[label])[:10]


@pytest.mark.parametrize("classes", [2, 10, 11, 500])
def test_the_ten_best_are_those_of_a_whole_sort_in_any_blocks(monkeypatch, classes):
    scores = np.random.default_rng(1).normal(size=(30, classes)).round(1)
    sorted_whole = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    np.testing.assert_array_equal(best_classes(scores), sorted_whole)
    monkeypatch.setattr("sslslr.evaluation.scores.MAX_VALUES", 7)
    np.testing.assert_array_equal(best_classes(iter([scores[:13], scores[13:]])), sorted_whole)


@pytest.mark.parametrize("method", ["random", "raw_keypoints", "hand_features", "supervised"])
def test_every_baseline_learns_the_toy_set(toy_store, tmp_path, method):
    metrics, _ = run(make_study(method), toy_store, tmp_path)
    protocols = {
        "random": {"linear", "logistic"},
        "raw_keypoints": {"linear", "logistic"},
        "hand_features": {"linear", "logistic"},
        "supervised": {"fine_tune"},
    }
    assert set(metrics["protocol"]) == protocols[method]
    best = metrics.query("metric == 'top1'")["value"].max()
    assert best > 0.6  # chance is 0.25, n = 12: 0.6 is out of its 99 % range


def test_an_encoder_that_was_not_pretrained_is_measured_by_the_targets_training_clips(
    toy_store, tmp_path
):
    """Standardised by nothing a random encoder would be no fair baseline; its weights stay."""
    study = make_study("random", variant="two_hands")
    run(study, toy_store, tmp_path)
    (spec,) = grid.runs(study).values()
    encoder, _ = artifact.load(tmp_path / "encoder")
    assert not encoder.inputs.measured  # on disk as it was drawn
    prepared = preprocess(toy_store, spec.preprocess)
    train = np.flatnonzero(toy_store.clips["split"].to_numpy(dtype=object) == "train")
    encoder.inputs.measure(prepared.batch[torch.from_numpy(train)])
    features = np.load(tmp_path / "features" / "toy" / "features.npy")
    np.testing.assert_allclose(embed(encoder, prepared.batch, 0), features, atol=1e-5)


@pytest.mark.parametrize("variant", ["transformer", "as_released"])
def test_a_frozen_encoder_is_bit_identical_before_and_after(toy_store, tmp_path, variant):
    study = make_study(variant=variant)
    (spec,) = grid.runs(study).values()
    pretrain(
        spec, toy_store, tmp_path / "encoder", tmp_path / "ckpt", "code", say=lambda text: None
    )
    file = tmp_path / "encoder" / "encoder.safetensors"
    before, bytes_before = weights_hash(artifact.load(tmp_path / "encoder")[0]), file.read_bytes()
    run(study, toy_store, tmp_path)
    assert weights_hash(artifact.load(tmp_path / "encoder")[0]) == before
    assert file.read_bytes() == bytes_before


def test_a_protocol_that_moves_the_encoder_is_caught(toy_store, tmp_path, monkeypatch):
    from sslslr.evaluation.protocols.logistic import Logistic

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
    monkeypatch.setattr("sslslr.evaluation.features.EMBED_BATCH", 5)
    np.testing.assert_allclose(embed(encoder, batch, 0), together, atol=1e-5)


@pytest.mark.parametrize("longer", [12, 30])
def test_features_can_be_averaged_over_the_clip_and_views_of_it(longer):
    encoder = build_encoder(EncoderConfig(depth=1, width=32, heads=4), 12, 0)
    batch, sources = (random_batch(clips=5, frames=n, seed=1) for n in (12, longer))
    drawn = []

    def view(clips, draws):
        drawn.append(compose([{"name": "rotation", "degrees": 40}])(clips, draws))
        return drawn[-1]

    averaged = embed(encoder, batch, 0, "cpu", Averaged(view, 3, sources))
    assert {clips.keypoints.shape[1] for clips in drawn} == {longer}
    each = [embed(encoder, at_frames(clips, 12), 0) for clips in (batch, *drawn)]
    assert len(each) == 4
    np.testing.assert_allclose(averaged, np.mean(each, axis=0), atol=1e-6)
    assert np.abs(averaged - each[0]).max() > 1e-3


def test_views_of_an_evaluation_are_cut_from_as_many_frames_as_those_of_pretraining(
    toy_store, tmp_path, monkeypatch
):
    """Averaged features and fine-tuning: whoever learns from views gets the same ones."""
    seen, plain = [], TemporalPermutation.__call__

    def noting(self, batch, generator):
        seen.append(batch.keypoints.shape[1])
        return plain(self, batch, generator)

    monkeypatch.setattr(TemporalPermutation, "__call__", noting)
    settings = make_study("supervised").model_dump(mode="json", exclude_unset=True)
    settings["preprocess"] = {"frames": 6, "fit": "resample", "view_frames": 15}
    settings["augmentations"] = {"weak": [{"name": "temporal_permutation"}]}
    settings["evaluate"] = {
        "protocols": {"fine_tune": {"epochs": 1, "batch_size": 64, "augmentation": "weak"}},
        "average": {"augmentation": "weak", "views": 2},
    }
    study = parse(StudyConfig, settings, "test")
    run(study, toy_store, tmp_path)
    # What is kept is of the clips alone, what `sslslr embed` gives.
    kept = np.load(tmp_path / "features" / "toy" / "features.npy")
    encode = load_encoder(tmp_path / "encoder")
    np.testing.assert_allclose(
        encode([toy_store.frames(row) for row in range(4)]), kept[:4], atol=1e-5
    )
    assert set(seen) == {15}
    # Two views for the features, one in the epoch, and two each for the scores of train and test.
    assert len(seen) == 7


def test_without_views_clips_are_prepared_once_and_fine_tuning_learns_from_them(
    toy_store, tmp_path, monkeypatch
):
    """Clips as views are cut from them are several times as large."""
    from sslslr.evaluation.protocols.fine_tune import FineTune

    def unwanted(*arguments):
        raise AssertionError("nobody looks at a view")

    monkeypatch.setattr("sslslr.evaluation.task.view_sources", unwanted)
    tuned, plain = [], FineTune.run

    def noting(self, task, options, say):
        tuned.append(task.sources is not None)
        return plain(self, task, options, say)

    monkeypatch.setattr(FineTune, "run", noting)
    settings = make_study("supervised").model_dump(mode="json", exclude_unset=True)
    settings["preprocess"] = {"frames": 6, "fit": "resample", "view_frames": 15}
    settings["evaluate"] = {"protocols": {"fine_tune": {"epochs": 1, "batch_size": 64}}}
    run(parse(StudyConfig, settings, "test"), toy_store, tmp_path)
    assert tuned == [True]


def test_features_file_has_a_row_a_clip(toy_store, tmp_path):
    run(make_study(), toy_store, tmp_path)
    features = np.load(tmp_path / "features" / "toy" / "features.npy")
    clips = pd.read_csv(tmp_path / "features" / "toy" / "clips.csv")
    assert features.shape == (48, 32)
    assert features.dtype == np.float32
    assert clips["clip_id"].tolist() == toy_store.clips["clip_id"].tolist()


def test_few_labels_neighbours_and_look_up_reach_the_files(toy_store, tmp_path):
    protocols = {
        "few_labels": {"fractions": [0.3], "shots": [1, 2], "draws": 2},
        "knn": {},
        "retrieval": {},
        "fine_tune": {"epochs": 1, "label_fractions": [0.3, 1.0]},
    }
    run(make_study(protocols=protocols), toy_store, tmp_path)
    metrics = reading.read_metrics([tmp_path / "metrics" / "metrics.csv"])
    predictions = reading.read_predictions([tmp_path / "metrics" / "predictions.parquet"])
    for frame in (metrics, predictions):
        assert frame.columns.get_loc("shots") == frame.columns.get_loc("label_fraction") + 1
    amounts = metrics[metrics["metric"] == "top1"].set_index("protocol")
    few = amounts.loc["few_labels"]
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


def test_an_encoder_of_other_settings_is_refused(toy_store, tmp_path):
    study = make_study()
    run(study, toy_store, tmp_path)
    (spec,) = grid.runs(study).values()
    more = spec.pretrain.model_copy(update={"epochs": spec.pretrain.epochs + 1})
    other = spec.encoder.model_copy(update={"dropout": 0.25})
    for change, named in (
        ({"seed": 9}, r"seed \d, not 9"),
        ({"pretrain": more}, "pretrain.epochs"),
        ({"encoder": other}, "encoder.dropout .*, not 0.25"),
        ({"method_options": {"w_o": 0.7}}, "method_options.w_o .*, not 0.7"),
    ):
        changed = grid.evaluate_spec(study, spec.model_copy(update=change))
        with pytest.raises(UserError, match=f"made with other settings .*{named}"):
            evaluate(
                changed,
                tmp_path / "encoder",
                {"toy": toy_store.path},
                tmp_path / "m",
                tmp_path / "f",
            )


def test_an_encoder_of_an_older_version_is_evaluated_as_it_is_embedded(toy_store, tmp_path):
    """Its run.json lacks what came later, names the encoder as it was called, and has keys that are gone."""
    study, said = make_study(), []
    run(study, toy_store, tmp_path)
    expected = (tmp_path / "metrics" / "metrics.csv").read_text()
    stated = json.loads((tmp_path / "encoder" / "run.json").read_text())
    for key in ("decayed", "clip_norm", "warmup"):
        del stated["spec"]["pretrain"][key]
    stated["spec"]["pretrain"] |= {"compile": "off", "stack": 4}
    stated["spec"]["method_options"] |= {"stop_early": True}
    del stated["spec"]["preprocess"]["gaps"], stated["spec"]["tag"]
    stated["spec"]["encoder"]["variant"] = "paper"
    stated.pop("method_options", None)
    (tmp_path / "encoder" / "run.json").write_text(json.dumps(stated))
    (spec,) = grid.runs(study).values()
    folders = tmp_path / "m", tmp_path / "f"
    evaluate(
        grid.evaluate_spec(study, spec), tmp_path / "encoder", {"toy": toy_store.path}, *folders,
        say=said.append,
    )  # fmt: skip
    assert (tmp_path / "m" / "metrics.csv").read_text() == expected
    (line,) = [line for line in said if "another version" in line]
    assert "method_options.stop_early, pretrain.compile, pretrain.stack" in line
    clips = [np.asarray(toy_store.frames(row)) for row in range(len(toy_store))]
    features = np.load(tmp_path / "f" / "toy" / "features.npy")
    np.testing.assert_allclose(load_encoder(tmp_path / "encoder")(clips), features, atol=1e-6)
