"""Stacked runs against the same runs one by one: artifacts, histories, resume, refusals."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file

from sslslr import grid
from sslslr.config import StudyConfig
from sslslr.errors import UserError
from sslslr.groups import stacks
from sslslr.pretrain import pretrain
from sslslr.stacking import pretrain_stack
from sslslr.strict import parse
from sslslr.training.fast import CACHE
from tiny_methods import SMALL

# float32 sums in another order, amplified by AdamW over the steps of the toy runs.
TOLERANCE = 2e-3


def specs(blocks: list[dict], **pretrain_settings) -> list[grid.RunSpec]:
    study = {
        "datasets": {"toy": {"source": "synthetic"}},
        "encoder": {"depth": 2, "width": 16, "heads": 2, "dropout": 0.2},
        "preprocess": {"frames": 10},
        "methods": {
            "simclr": {"temperature": 0.5, "projection": 16},
            "byol": {"projector_hidden": 32, "projection": 8, "predictor_hidden": 32},
            "moco": {},
            "masked_keypoints": {},
            "random": {},
        },
        "augmentations": {
            "temporal_permutation": [{"name": "temporal_permutation"}],
            "noise": [{"name": "gaussian_noise", "std": 0.01}],
        },
        # 36 clips in batches of 16: the last batch of an epoch is a short one.
        "pretrain": {"epochs": 3, "batch_size": 16, "checkpoint_every": 1, **pretrain_settings},
        "runs": [{"datasets": ["toy"], **block} for block in blocks],
    }
    return list(grid.runs(parse(StudyConfig, study, "test")).values())


def compare(runs, store, tmp_path, **settings) -> None:
    """A stack against the same runs one by one, these with other `settings` of pretraining."""
    said: list[str] = []
    pretrain_stack(
        runs, store, tmp_path / "together", tmp_path / "all.ckpt", "code", say=said.append
    )
    assert not list(tmp_path.glob("*.ckpt*"))
    for spec in runs:
        alone, together = tmp_path / "alone" / spec.run_id, tmp_path / "together" / spec.run_id
        single = spec.model_copy(update={"pretrain": spec.pretrain.model_copy(update=settings)})
        pretrain(single, store, alone, tmp_path / "one.ckpt", "code", say=said.append)
        expected, found = (load_file(f / "encoder.safetensors") for f in (alone, together))
        assert expected.keys() == found.keys()
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], atol=TOLERANCE, err_msg=name)
        histories = [pd.read_csv(folder / "history.csv") for folder in (alone, together)]
        pd.testing.assert_frame_equal(*histories, rtol=0.02, atol=1e-3)
        np.testing.assert_allclose(  # before AdamW has amplified anything
            histories[0]["loss"][1], histories[1]["loss"][1], rtol=1e-3
        )
        one, all_ = (json.loads((folder / "run.json").read_text()) for folder in (alone, together))
        others = sorted(other.run_id for other in runs if other is not spec)
        assert sorted(all_.pop("stacked_with")) == others
        assert one.keys() == all_.keys()
        assert one["spec"] == single.model_dump(mode="json")
        assert all_["spec"] == spec.model_dump(mode="json")
        assert one["data_hash"] == all_["data_hash"]


@pytest.mark.parametrize("method", ["simclr", "byol"])
def test_seeds_of_a_stack_equal_the_single_runs_with_dropout(toy_store, tmp_path, method):
    compare(specs([{"methods": [method], "seeds": [0, 1]}]), toy_store, tmp_path)


def test_rates_views_and_real_options_may_differ(toy_store, tmp_path):
    blocks = [
        {"methods": ["simclr"], "tag": "cold", "method_options": {"temperature": 0.1}},
        {"methods": ["simclr"], "tag": "fast", "pretrain": {"learning_rate": 0.003}},
        {"methods": ["simclr"], "augmentations": ["noise"]},
    ]
    runs = specs(blocks, schedule="cosine")
    assert [len(group) for group in stacks(runs)] == [3]
    compare(runs, toy_store, tmp_path)


NARROW = {"projector_hidden": 64, "projection": 32}


@pytest.mark.parametrize(
    ("method", "weight"), [("sl_fpn_vc", "w_p"), ("sl_fpn_rate", "w_features")]
)
def test_weights_may_differ_but_one_of_zero_is_another_program(toy_store, tmp_path, method, weight):
    blocks = [
        {"methods": [method], "tag": f"at_{i}", "method_options": {**NARROW, weight: value}}
        for i, value in enumerate([0.5, 0.0, 1.5])
    ]
    groups = stacks(specs(blocks))
    assert [[spec.tag for spec in group] for group in groups] == [["at_0", "at_2"], ["at_1"]]
    compare(groups[0], toy_store, tmp_path)


class Killed(BaseException):
    """Stands for a kill: nothing in the package catches it."""


def test_a_stack_that_is_killed_and_resumed_ends_with_the_same_bytes(toy_store, tmp_path):
    runs = specs([{"methods": ["byol"], "seeds": [0, 1]}])

    def kill(done: int, total: int) -> None:
        if done == total // 3 * 2 + 1:
            raise Killed

    def train(folder, **settings) -> list[str]:
        said: list[str] = []
        pretrain_stack(
            runs, toy_store, folder, folder / "all.ckpt", "code", say=said.append, **settings
        )
        return said

    train(tmp_path / "whole")
    with pytest.raises(Killed):
        train(tmp_path / "cut", progress=kill)
    assert any("resumed after epoch 2" in line for line in train(tmp_path / "cut"))
    for spec in runs:
        for name in ("encoder.safetensors", "history.csv"):
            first, second = (tmp_path / f / spec.run_id / name for f in ("whole", "cut"))
            assert first.read_bytes() == second.read_bytes()


def test_a_stack_of_another_precision_begins_anew_and_what_it_cost_before_is_counted(
    toy_store, tmp_path, monkeypatch
):
    runs = specs([{"methods": ["byol"], "seeds": [0, 1]}])
    file = tmp_path / "all.ckpt"

    def kill(done: int, total: int) -> None:
        if done == total // 3 + 1:
            raise Killed

    def train(**settings) -> list[str]:
        said: list[str] = []
        pretrain_stack(runs, toy_store, tmp_path, file, "code", say=said.append, **settings)
        return said

    with pytest.raises(Killed):
        train(progress=kill)
    state = torch.load(file, weights_only=True)
    state["runs"] = [one | {"earlier": 1000.0} for one in state["runs"]]
    torch.save(state, file)
    kept = file.read_bytes()
    assert any("resumed after epoch 1" in line for line in train())
    for spec in runs:
        cost = json.loads((tmp_path / spec.run_id / "run.json").read_text())["cost"]
        assert 1000 < cost["wall_seconds"] < 1060
    file.write_bytes(kept)
    monkeypatch.setattr(
        "sslslr.stacking.choose_precision", lambda *_: ("bf16-mixed", "bf16 for once")
    )
    said = train()
    assert "bf16 for once" in said
    assert any("of other runs, settings" in line for line in said)


@pytest.mark.parametrize("method", ["byol", "vicreg"])
def test_batch_norms_of_a_stack_in_mixed_precision_are_the_single_runs(
    toy_store, tmp_path, monkeypatch, method
):
    """vmap gave them weights in bf16 beside statistics in float32, at which torch stopped."""
    for place in ("sslslr.stacking", "sslslr.pretrain"):
        monkeypatch.setattr(f"{place}.choose_precision", lambda *_: ("bf16-mixed", ""))
    options = {"method_options": SMALL[method], "seeds": [0, 1]}
    runs = specs([{"methods": [method], **options}], epochs=1, learning_rate=1e-6)
    pretrain_stack(runs, toy_store, tmp_path, tmp_path / "all.ckpt", "code", say=str)
    pretrain(runs[0], toy_store, tmp_path / "one", tmp_path / "one.ckpt", "code", say=str)
    alone = pd.read_csv(tmp_path / "one" / "history.csv")
    together = pd.read_csv(tmp_path / runs[0].run_id / "history.csv")
    terms = [name for name in alone if name.startswith("loss")]
    np.testing.assert_allclose(together[terms], alone[terms], rtol=0.02)  # bf16 has three digits
    assert (
        json.loads((tmp_path / "one" / "run.json").read_text())["cost"]["precision"] == "bf16-mixed"
    )


def test_a_gpu_without_bf16_stacks_in_full_precision(toy_store, tmp_path, monkeypatch):
    monkeypatch.setattr("sslslr.stacking.choose_precision", lambda *_: ("16-mixed", ""))
    runs = specs([{"methods": ["simclr"], "seeds": [0, 1]}], epochs=1)
    said: list[str] = []
    pretrain_stack(runs, toy_store, tmp_path, tmp_path / "all.ckpt", "code", say=said.append)
    assert "a stack has no 16-mixed; running in 32-true" in said
    run = json.loads((tmp_path / runs[0].run_id / "run.json").read_text())
    assert run["cost"]["precision"] == "32-true"


def test_groups_hold_what_can_be_stacked_and_no_more():
    blocks = [
        {"methods": ["simclr", "byol"], "seeds": [0, 1, 2]},
        {"methods": ["simclr"], "tag": "deep", "encoder": {"depth": 1}, "seeds": [0, 1]},
        {"methods": ["random", "masked_keypoints"], "seeds": [0, 1]},
        {"methods": ["simclr"], "tag": "half", "pretrain": {"share": "1/2"}, "seeds": [0, 1]},
    ]
    groups = stacks(specs(blocks))
    assert sorted(map(len, groups)) == [1, 1, 1, 1, 1, 1, 2, 3, 3]
    assert max(map(len, stacks(specs(blocks), most=2))) == 2


@pytest.mark.parametrize("precision", ["16-mixed", "64-true"])
def test_runs_in_a_precision_that_a_stack_refuses_are_left_alone(precision):
    blocks = [{"methods": ["simclr"], "seeds": [0, 1, 2]}]
    assert list(map(len, stacks(specs(blocks, precision=precision)))) == [1, 1, 1]


def test_runs_that_cannot_be_stacked_are_refused_by_name(toy_store, tmp_path):
    def train(runs) -> None:
        pretrain_stack(runs, toy_store, tmp_path, tmp_path / "all.ckpt", "code", say=str)

    with pytest.raises(UserError, match=r"simclr.*byol.*cannot be stacked"):
        train(specs([{"methods": ["simclr", "byol"]}]))
    with pytest.raises(UserError, match=r"'masked_keypoints' draws within its step"):
        train(specs([{"methods": ["masked_keypoints"], "seeds": [0, 1]}]))
    with pytest.raises(UserError, match=r"precision 64-true cannot be stacked"):
        train(specs([{"methods": ["simclr"], "seeds": [0, 1]}], precision="64-true"))
    assert not list(tmp_path.rglob("run.json"))


def broken(function, **_):
    def fail(*_):
        raise RuntimeError("no compiler here\nand much more")

    return fail


def diverging(function, **_):
    """Compiled, it computes losses that are not a number."""

    def step(*arguments):
        losses, terms = function(*arguments)
        return losses * float("nan"), terms

    return step


@pytest.mark.parametrize(
    ("compiler", "why"), [(broken, "no compiler here"), (diverging, "not finite")]
)
def test_a_compiler_that_fails_leaves_the_stack_as_it_would_be_without(
    toy_store, tmp_path, monkeypatch, compiler, why
):
    monkeypatch.setattr(torch, "compile", compiler)
    found = {}
    for setting in ("off", "on"):
        runs = specs([{"methods": ["byol"], "seeds": [0, 1]}], epochs=1, compile=setting)
        said: list[str] = []
        folder = tmp_path / setting
        pretrain_stack(runs, toy_store, folder, folder / "c.ckpt", "code", say=said.append)
        records = [json.loads((folder / r.run_id / "run.json").read_text()) for r in runs]
        weights = [(folder / r.run_id / "encoder.safetensors").read_bytes() for r in runs]
        found[setting] = weights, records, said
    assert found["on"][0] == found["off"][0]
    assert [run["cost"]["compile"] for run in found["off"][1]] == ["off", "off"]
    assert [run["cost"]["compile"] for run in found["on"][1]] == ["failed", "failed"]
    assert all(why in run["warnings"][0] for run in found["on"][1])
    assert sum(line.startswith("WARNING: torch.compile failed") for line in found["on"][2]) == 1


@pytest.mark.slow  # two to five minutes of torch's compiler
@pytest.mark.parametrize("method", ["simclr", "byol", "moco"])
def test_a_compiled_stack_equals_the_single_runs(toy_store, tmp_path, method, monkeypatch):
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    small = {"encoder": {"depth": 1}, "method_options": SMALL[method]}
    runs = specs([{"methods": [method], "seeds": [0, 1], **small}], compile="on")
    compare(runs, toy_store, tmp_path, compile="off")
    for spec in runs:
        run = json.loads((tmp_path / "together" / spec.run_id / "run.json").read_text())
        assert run["cost"]["compile"] == "on", run["warnings"]
        assert run["cost"]["compile_seconds"] > 0
