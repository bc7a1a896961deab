"""The pretraining loop: same bytes, resume after a kill, NaN, collapse, records."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from sslslr.config.run import RunSpec
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.data.batch import Batch
from sslslr.encoders import artifact
from sslslr.methods import METHODS
from sslslr.methods._base import Method, MethodOutput
from sslslr.training.checkpoint import TrainingState
from sslslr.training.collapse import watched_clips
from sslslr.training.pretrain import pretrain
from sslslr.utils.errors import UserError
from sslslr.workflow import grid
from toys import add_entry, toy_clips


def make_spec(**changes) -> RunSpec:
    study = {
        "datasets": {"toy": {"source": "synthetic"}},
        "encoder": {"depth": 1, "width": 32, "heads": 4},
        "preprocess": {"frames": 12},
        "methods": {"sl_fpn": {}, "random": {}, **changes.pop("methods", {})},
        "pretrain": {
            "epochs": 4,
            "batch_size": 16,
            "checkpoint_every": 1,
            **changes.pop("pretrain", {}),
        },
        "runs": [{"methods": [changes.pop("method", "sl_fpn")], "datasets": ["toy"], **changes}],
    }
    return next(iter(grid.runs(parse(StudyConfig, study, "test")).values()))


def run(spec, store, folder, **settings) -> dict:
    said: list[str] = []
    pretrain(
        spec, store, folder / "encoder", folder / "run.ckpt", "code", say=said.append, **settings
    )
    weights = (folder / "encoder" / "encoder.safetensors").read_bytes()
    history = (folder / "encoder" / "history.csv").read_text()
    return {
        "weights": weights,
        "history": history,
        "said": said,
        "run": json.loads((folder / "encoder" / "run.json").read_text()),
    }


def test_same_settings_and_seed_give_the_same_bytes(toy_store, tmp_path):
    spec = make_spec()
    first, second = run(spec, toy_store, tmp_path / "a"), run(spec, toy_store, tmp_path / "b")
    assert first["weights"] == second["weights"]
    assert first["history"] == second["history"]
    other = run(make_spec(seeds=[1]), toy_store, tmp_path / "c")
    assert other["weights"] != first["weights"]


def test_replaced_keypoints_are_noticed(toy_store, tmp_path):
    """The card's hashes were recorded without a look at the files."""
    from sslslr.data.store import ClipStore

    shutil.copytree(toy_store.path, tmp_path / "clips")
    spec = make_spec(pretrain={"epochs": 1, "checkpoint_every": 1})
    store = ClipStore.open(tmp_path / "clips")
    assert run(spec, store, tmp_path)["run"]["data_hash"] == store.data_hash
    keypoints = np.load(tmp_path / "clips/keypoints.npy")
    np.save(tmp_path / "clips/keypoints.npy", keypoints[::-1])  # of the same size
    for folder in ("a", "b"):  # the second time from what is known of the file
        with pytest.raises(
            UserError, match="keypoints.npy.*its sha256 is not the one in card.json"
        ):
            run(spec, ClipStore.open(tmp_path / "clips"), tmp_path / folder)


class Killed(BaseException):
    """Stands for a kill: nothing in the package catches it."""


@pytest.mark.parametrize("variant", ["paper", "as_released"])
def test_a_run_that_is_killed_and_resumed_ends_with_the_same_bytes(toy_store, tmp_path, variant):
    spec = make_spec(method_options={"variant": variant}, encoder={"dropout": 0.2})
    undisturbed = run(spec, toy_store, tmp_path / "whole")

    def kill_in_third_epoch(done: int, total: int) -> None:
        if done == total // 4 * 2 + 1:
            raise Killed

    with pytest.raises(Killed):
        run(spec, toy_store, tmp_path / "cut", progress=kill_in_third_epoch)
    assert not (tmp_path / "cut" / "encoder" / "run.json").exists()
    resumed = run(spec, toy_store, tmp_path / "cut")
    assert any("resumed after epoch 2" in line for line in resumed["said"])
    assert resumed["weights"] == undisturbed["weights"]
    assert resumed["history"] == undisturbed["history"]
    assert not (tmp_path / "cut" / "run.ckpt").exists()


def test_what_a_resumed_run_cost_is_that_of_all_its_processes(toy_store, tmp_path):
    """GPU-hours of the report are made of it; a run that was preempted costs more than its end."""

    def kill(done: int, total: int) -> None:
        if done == total // 2 + 1:
            raise Killed

    spec, file = make_spec(), tmp_path / "run.ckpt"
    with pytest.raises(Killed):
        run(spec, toy_store, tmp_path, progress=kill)
    state = torch.load(file, weights_only=True)
    assert 0 < state["seconds"] < 60
    torch.save(state | {"seconds": 1000.0}, file)
    cost = run(spec, toy_store, tmp_path)["run"]["cost"]
    assert 1000 < cost["wall_seconds"] < 1060


def test_an_epoch_that_another_process_began_counts_for_its_rest_alone():
    training = TrainingState(None, None, None, "", epoch=4, step=12)
    assert training.epochs_since(4) == pytest.approx(8 / 3)
    assert TrainingState(None, None, None, "").epochs_since(0) == 0


def test_a_checkpoint_of_other_settings_or_a_cut_one_is_not_resumed(toy_store, tmp_path):
    spec = make_spec()
    expected = run(spec, toy_store, tmp_path / "a")["weights"]
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "run.ckpt").write_bytes(b"cut")
    found = run(spec, toy_store, tmp_path / "b")
    assert found["weights"] == expected
    assert "cannot be read" in found["run"]["warnings"][0]
    torch.save({"identity": "another"}, tmp_path / "b" / "run.ckpt")
    found = run(spec, toy_store, tmp_path / "b")
    assert found["weights"] == expected
    assert "other settings" in found["run"]["warnings"][0]


def test_history_and_run_say_what_was_done(toy_store, tmp_path):
    found = run(make_spec(), toy_store, tmp_path)
    history = pd.read_csv(tmp_path / "encoder" / "history.csv")
    assert history["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert history["step"].tolist() == [0, 3, 6, 9, 12]  # 36 training clips in batches of 16
    assert np.isnan(history["loss"][0])
    terms = history[["loss_views", "loss_original", "loss_predictor"]].sum(axis=1)[1:]
    np.testing.assert_allclose(terms, history["loss"][1:], rtol=0.02)  # w_o = w_p = 1
    assert history["loss"][4] < history["loss"][1]
    assert (history[["projection_spread", "embedding_rank"]] > 0).all(axis=None)
    record = found["run"]
    assert record["n_clips"] == 36
    assert record["data_hash"] == toy_store.data_hash
    assert record["cost"]["clips_per_second"] > 0
    assert RunSpec.model_validate(record["spec"]) == make_spec()
    assert sum("epoch" in line for line in found["said"]) == 4
    cost = record["cost"]
    assert found["said"][-1] == (
        f"{make_spec().run_id} done: {cost['clips_per_second']:,.0f} clips/s, {cost['wall_seconds']:,.1f} s, "
        f"peak memory {cost['peak_memory_mb']:,.0f} MB, on cpu"
    )


def test_the_record_has_the_options_that_were_left_to_the_method(toy_store, tmp_path):
    """The defaults are the code's and may change; what a run was made with must not."""
    found = run(make_spec(), toy_store, tmp_path)["run"]
    assert found["spec"]["method_options"] == {}
    assert found["method_options"] == {
        **{"variant": "paper", "w_o": 1, "w_p": 1, "target": "b", "predictor": "trained"},
        **{"predictor_hidden": 1024, "stop_gradient": True},
        **{"projector_hidden": 512, "projection": 128},
    }


def test_a_share_of_the_clips_is_drawn_by_the_seed(toy_store, tmp_path):
    found = run(make_spec(pretrain={"epochs": 1, "share": "1/3"}), toy_store, tmp_path / "a")
    assert found["run"]["n_clips"] == 12
    other = run(
        make_spec(pretrain={"epochs": 1, "share": "1/3"}, seeds=[1]), toy_store, tmp_path / "b"
    )
    assert other["weights"] != found["weights"]


class Exploding(Method):
    """A loss that is NaN at the fifth step."""

    def __init__(self, encoder, options):
        super().__init__(encoder, options)
        self.calls = 0

    def forward(self, clip, view_a, view_b, generator):
        self.calls += 1
        loss = self.encoder(clip.keypoints, clip.lengths).mean()
        return MethodOutput(loss * (float("nan") if self.calls == 5 else 1.0), {})


class Constant(Method):
    """Pulls everything to one point: the plainest collapse."""

    def forward(self, clip, view_a, view_b, generator):
        return MethodOutput(self.encoder(clip.keypoints, clip.lengths).square().mean(), {})


@pytest.fixture
def extra_method():
    undo = []

    def add(name: str, entry: type) -> None:
        undo.append(add_entry(METHODS, name, entry))

    yield add
    for function in undo:
        function()


def test_a_loss_that_is_nan_stops_with_epoch_step_and_last_finite_value(
    toy_store, tmp_path, extra_method
):
    extra_method("exploding", Exploding)
    spec = make_spec(method="exploding", methods={"exploding": {}})
    with pytest.raises(
        UserError, match=r"loss is nan in epoch 2, step 5; last finite loss: [-\d.e]+ at step 4"
    ):
        run(spec, toy_store, tmp_path)
    assert not (tmp_path / "encoder").exists()


class Diverging(Method):
    """A finite loss whose step makes the weights infinite."""

    def forward(self, clip, view_a, view_b, generator):
        return MethodOutput(self.encoder(clip.keypoints, clip.lengths).mean(), {})

    def after_step(self, progress):
        if progress == 1.0:
            for weight in self.encoder.parameters():
                weight.data.fill_(float("nan"))


def test_weights_that_go_bad_in_the_last_step_are_named(toy_store, tmp_path, extra_method):
    extra_method("diverging", Diverging)
    spec = make_spec(method="diverging", methods={"diverging": {}})
    message = r"embedding is not finite after epoch 4, step 12; last finite loss: [-\d.e]+"
    with pytest.raises(UserError, match=message):
        run(spec, toy_store, tmp_path)
    assert not (tmp_path / "encoder").exists()


def test_a_full_disk_is_a_sentence_and_leaves_no_artifact(toy_store, tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sslslr.utils.files.os.fsync", full)
    with pytest.raises(UserError, match=r"run.ckpt: no space left on the device"):
        run(make_spec(), toy_store, tmp_path)
    with pytest.raises(UserError, match=r"encoder.safetensors: no space left on the device"):
        run(make_spec(method="random"), None, tmp_path)
    assert [
        path.name for path in tmp_path.rglob("*") if path.is_file() and "toy" not in str(path)
    ] == []


def test_one_clip_left_by_preprocessing_is_named(make_store, tmp_path):
    clips = toy_clips(n=4)
    for name in list(clips)[1:]:
        clips[name][0][:, :21] = np.nan  # as_released drops a clip that lacks one hand
    spec = make_spec(preprocess={"variant": "as_released"})
    with pytest.raises(UserError, match=r"`as_released` left 1 clip of 3 .*one hand is missing"):
        run(spec, make_store(clips), tmp_path)


def test_a_gpu_that_is_not_there_is_named(toy_store, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match=r"accelerator is cuda, but torch sees no CUDA GPU"):
        run(make_spec(pretrain={"accelerator": "cuda"}), toy_store, tmp_path)


@pytest.mark.parametrize(("n", "watched"), [(36, 36), (200, 64), (400, 100), (50_000, 512)])
def test_watched_clips_are_few_and_from_all_over_the_set(n, watched):
    data = Batch(torch.arange(n).float().expand(2, n).T, torch.arange(n), torch.ones(n, 75))
    rows = watched_clips(data).lengths
    assert len(rows) == watched
    assert len(rows.unique()) == watched
    assert rows.diff().max() <= n // watched + 1
    assert rows[0] < n / watched
    assert rows[-1] >= n - n / watched - 1


def test_collapse_is_warned_of_and_recorded(toy_store, tmp_path, extra_method):
    extra_method("constant", Constant)
    spec = make_spec(
        method="constant",
        methods={"constant": {}},
        pretrain={"epochs": 30, "learning_rate": 0.01},
        encoder={"dropout": 0.0},
    )
    found = run(spec, toy_store, tmp_path)
    assert found["run"]["collapsed"]
    assert any(line.startswith("WARNING") and "collapsed" in line for line in found["said"])
    assert pd.read_csv(tmp_path / "encoder" / "history.csv")["collapsed"].iloc[-1] == 1


def test_a_method_that_does_not_pretrain_keeps_its_initialisation(tmp_path):
    spec = make_spec(method="random")
    found = run(spec, None, tmp_path)
    assert found["run"]["n_clips"] == 0
    encoder, _ = artifact.load(tmp_path / "encoder")
    assert not any(p.requires_grad for p in encoder.parameters())
    assert not encoder.training


def test_a_damaged_artifact_is_refused_by_name(tmp_path):
    run(make_spec(method="random"), None, tmp_path)
    weights = tmp_path / "encoder" / "encoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match=r"encoder.safetensors: these weights cannot be used"):
        artifact.load(tmp_path / "encoder")
    (tmp_path / "encoder" / "run.json").write_text("[]")
    with pytest.raises(UserError, match=r"run.json: states no settings"):
        artifact.load(tmp_path / "encoder")
    assert not artifact.is_made(tmp_path / "encoder", make_spec(), "code", None)


def test_mixed_precision_takes_batches_as_they_are(toy_store, tmp_path, monkeypatch):
    """Fabric rebuilds a module's arguments under mixed precision; a frozen batch would stop it."""
    monkeypatch.setattr("sslslr.training.pretrain.choose_precision", lambda *_: ("bf16-mixed", ""))
    found = run(make_spec(), toy_store, tmp_path)
    assert found["run"]["cost"]["precision"] == "bf16-mixed"
    assert pd.read_csv(tmp_path / "encoder" / "history.csv")["loss"][1:].notna().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_mixed_precision_on_a_gpu_trains(toy_store, tmp_path):
    found = run(
        make_spec(pretrain={"precision": "auto", "accelerator": "auto"}), toy_store, tmp_path
    )
    assert found["run"]["cost"]["precision"] == "bf16-mixed"
    assert found["run"]["cost"]["device"] != "cpu"
