"""`sslslr pretrain-stack`: groups of a study, and what is left alone."""

import json
import shutil

import pytest
import yaml
from typer.testing import CliRunner

from sslslr.cli.main import app
from sslslr.errors import UserError


@pytest.fixture
def study(toy_store, tmp_path):
    """A configuration file of two seeds of one method and one run of another, and its results."""
    values = {
        "results": str(tmp_path / "results"),
        "datasets": {"toy": {"source": "synthetic"}},
        "encoder": {"depth": 1, "width": 16, "heads": 2},
        "preprocess": {"frames": 10},
        "methods": {"simclr": {"projection": 8}, "sl_fpn": {}},
        "pretrain": {"epochs": 1, "batch_size": 16},
        "runs": [
            {"methods": ["simclr"], "datasets": ["toy"], "seeds": [0, 1]},
            {"methods": ["sl_fpn"], "datasets": ["toy"]},
        ],
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(values))
    shutil.copytree(toy_store.path, tmp_path / "results" / "data" / "toy" / "clips")
    return tmp_path


def test_runs_that_belong_together_are_stacked_and_others_are_left(study):
    answer = CliRunner().invoke(app, ["pretrain-stack", "--config", str(study / "study.yaml")])
    assert answer.exit_code == 0, answer.output
    made = {
        path.parent.name: json.loads(path.read_text())["stacked_with"]
        for path in (study / "results" / "encoders").glob("*/run.json")
    }
    name = "simclr.temporal_permutation.paper.toy.s{}"
    assert made == {name.format(0): [name.format(1)], name.format(1): [name.format(0)]}
    assert "sl_fpn.temporal_permutation.paper.toy.s0: nothing to stack it with" in answer.stderr
    assert not list((study / "results" / "checkpoints").glob("*"))


def test_an_unknown_run_is_named_with_its_nearest(study):
    wrong = "simclr.temporal_permutation.paper.toy.s9"
    arguments = ["pretrain-stack", wrong, "--config", str(study / "study.yaml")]
    answer = CliRunner().invoke(app, arguments)
    assert isinstance(answer.exception, UserError)
    assert f"has no run {wrong!r}. Did you mean" in str(answer.exception)
