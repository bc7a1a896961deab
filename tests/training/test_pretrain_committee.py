"""A run with a committee, from the first step to the artifact."""

import json

import pytest

from sslslr.config.run import RunSpec
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.training.pretrain import pretrain
from sslslr.workflow import grid

MEMBER = {"depth": 1, "width": 16, "heads": 2}


def make_spec() -> RunSpec:
    study = {
        "datasets": {"toy": {"source": "synthetic"}},
        "encoder": {"variant": "committee", "members": 2, "member": MEMBER},
        "preprocess": {"frames": 12},
        "pretrain": {"epochs": 2, "batch_size": 16, "checkpoint_every": 1, "clip_norm": 1.0},
        "runs": [{"methods": ["moco"], "datasets": ["toy"]}],
    }
    (spec,) = grid.runs(parse(StudyConfig, study, "test")).values()
    return spec


def test_a_committee_is_warned_of_and_resumed_as_one_encoder_is(toy_store, tmp_path):
    def run(name, progress=None) -> tuple[list[str], dict]:
        out, said = tmp_path / name, []
        checkpoint = tmp_path / f"{name}.ckpt"
        pretrain(
            make_spec(), toy_store, out, checkpoint, "code", say=said.append, progress=progress
        )
        return said, {
            file: (out / file).read_bytes() for file in ("encoder.safetensors", "history.csv")
        }

    def stop(done: int, total: int) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    _, whole = run("whole")
    warnings = json.loads((tmp_path / "whole/run.json").read_text())["warnings"]
    assert any("its negatives" in warning for warning in warnings)
    with pytest.raises(KeyboardInterrupt):
        run("cut", stop)
    said, resumed = run("cut")
    assert any("resumed" in line for line in said)
    assert resumed == whole
