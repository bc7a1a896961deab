"""A small study's results, made by the stages' own functions; the tests work on copies."""

import shutil
from pathlib import Path

import pytest

from sslslr.config.run import clip_store
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.data.datasets import build
from sslslr.data.store import ClipStore
from sslslr.evaluation.evaluate import evaluate
from sslslr.training.pretrain import pretrain
from sslslr.workflow import grid, stages
from toys import ROOT
from traced import STUDY, render, silent


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """The folder with `results` in it; not to be changed."""
    root = tmp_path_factory.mktemp("traced")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)  # the paths in provenance.json are relative, as the workflow's are
        study, results = parse(StudyConfig, STUDY, "test"), Path("results")
        store = clip_store(results, "toy")
        build("toy", "synthetic", STUDY["datasets"]["toy"]["options"], store, say=silent)
        for run, spec in grid.runs(study).items():
            code = stages.code_hash(*stages.pretrain_code(spec))
            clips = ClipStore.open(store) if spec.dataset == "toy" else None
            out = results / "encoders" / run
            pretrain(spec, clips, out, results / "ckpt" / run, code, say=silent)
            scored = grid.evaluate_spec(study, spec)
            evaluate(
                scored, out, dict.fromkeys(scored.targets, store), results / "metrics" / run,
                results / "features" / run, say=silent,
                code=stages.code_hash(*stages.evaluate_code(scored)),
            )  # fmt: skip
        shutil.copytree(ROOT / "config", root / "config")
        render(results, study)
    return root


@pytest.fixture
def results(made, tmp_path, monkeypatch) -> Path:
    """`results` of a copy, which is the current folder."""
    shutil.copytree(made, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return Path("results")
