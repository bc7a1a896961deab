"""Compiled encoders: the fall-back, what is recorded, and the real compiler."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from sslslr import grid
from sslslr.config import StudyConfig
from sslslr.pretrain import pretrain
from sslslr.strict import parse
from sslslr.training import fast
from toys import ROOT


def make_spec(method: str = "byol", dropout: float = 0.0, **settings) -> grid.RunSpec:
    study = {
        "datasets": {"toy": {"source": "synthetic"}},
        "encoder": {"depth": 1, "width": 16, "heads": 2, "dropout": dropout},
        "preprocess": {"frames": 10},
        "methods": {
            "byol": {"projector_hidden": 16, "projection": 8, "predictor_hidden": 16},
            "masked_keypoints": {},
        },
        "pretrain": {"epochs": 2, "batch_size": 16, **settings},
        "runs": [{"methods": [method], "datasets": ["toy"]}],
    }
    return next(iter(grid.runs(parse(StudyConfig, study, "test")).values()))


def train(spec, store, folder) -> tuple[dict, dict, list[str]]:
    said: list[str] = []
    pretrain(spec, store, folder, folder / "run.ckpt", "code", say=said.append)
    run = json.loads((folder / "run.json").read_text())
    return load_file(folder / "encoder.safetensors"), run, said


def test_auto_is_for_a_gpu_and_on_for_one_device():
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert [fast.wanted("auto", device, 1) for device in (cpu, cuda)] == [False, True]
    assert [fast.wanted("off", device, 1) for device in (cpu, cuda)] == [False, False]
    assert fast.wanted("on", cpu, 1)
    assert not fast.wanted("on", cuda, 2)


def test_a_compiler_that_fails_leaves_the_run_as_it_would_be_without(
    toy_store, tmp_path, monkeypatch
):
    def broken(function, **_):
        def fail(*_):
            raise RuntimeError("no compiler here\nand much more")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    plain, run, _ = train(make_spec(dropout=0.2, compile="off"), toy_store, tmp_path / "plain")
    assert run["cost"]["compile"] == "off"
    assert run["cost"]["startup_seconds"] > 0
    found, run, said = train(make_spec(dropout=0.2, compile="on"), toy_store, tmp_path / "failed")
    assert run["cost"]["compile"] == "failed"
    assert any("no compiler here" in warning for warning in run["warnings"])
    assert any(line.startswith("WARNING: torch.compile failed") for line in said)
    for name, value in plain.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.slow  # the C++ compiler takes half a minute
@pytest.mark.parametrize("method", ["byol", "masked_keypoints"])
def test_compiled_runs_equal_plain_ones(toy_store, tmp_path, method, monkeypatch):
    monkeypatch.setenv(fast.CACHE, str(tmp_path / "cache"))
    plain, _, _ = train(make_spec(method, compile="off"), toy_store, tmp_path / "plain")
    found, run, _ = train(make_spec(method, compile="on"), toy_store, tmp_path / "compiled")
    assert run["cost"]["compile"] == "on"
    assert run["warnings"] == []
    assert run["cost"]["compile_seconds"] > 0
    assert list((tmp_path / "cache").rglob("*"))
    for name, value in plain.items():
        np.testing.assert_allclose(found[name], value, atol=2e-3, err_msg=name)


COUNTED = """
import json, sys
from sslslr.cli.main import app
app(json.load(sys.stdin), standalone_mode=False)
from torch._dynamo.utils import counters
print(json.dumps(counters["inductor"]))
"""


@pytest.mark.slow  # the C++ compiler takes half a minute
def test_a_second_process_finds_what_the_first_has_compiled(toy_store, tmp_path, monkeypatch):
    monkeypatch.delenv(fast.CACHE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))

    def counts(name: str) -> dict[str, int]:
        arguments = [
            *("pretrain", "--spec", make_spec(compile="on").model_dump_json()),
            *("--store", str(toy_store.path), "--out", str(tmp_path / name)),
            *("--checkpoint", str(tmp_path / "run.ckpt")),
        ]
        command = [sys.executable, "-c", COUNTED]
        done = subprocess.run(
            command, input=json.dumps(arguments), cwd=ROOT, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr
        run = json.loads((tmp_path / name / "run.json").read_text())
        assert run["cost"]["compile"] == "on", run["warnings"]
        return json.loads(done.stdout.splitlines()[-1])

    first, second = counts("first"), counts("second")
    assert list((tmp_path / "home" / "sslslr" / "inductor").rglob("*"))
    assert first.get("fxgraph_cache_miss", 0) > 0, first
    assert second.get("fxgraph_cache_miss", 0) == 0, second
    assert second.get("fxgraph_cache_hit", 0) > 0, second
