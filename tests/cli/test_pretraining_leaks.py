"""What `sslslr pretrain` says before the first training hour."""

import sys

import numpy as np
from bodies import signer
from typer.testing import CliRunner

from sslslr.cli.main import app
from sslslr.config.run import RunSpec
from sslslr.config.study import EncoderConfig, PreprocessConfig, PretrainConfig
from sslslr.data.store import writing
from sslslr.training import pretrain


def test_copies_on_two_sides_of_the_split_are_said_before_training(tmp_path, monkeypatch):
    clips = {f"c{number}": signer(seed=number // 2) for number in range(4)}
    with writing(tmp_path / "s", {"dataset": "toy"}) as writer:
        for number, (name, clip) in enumerate(clips.items()):
            split = ("train", "test")[number % 2]
            writer.add(name, np.asarray(clip), gloss=("a", "b")[number == 3], split=split)
    spec = RunSpec(
        run_id="sl_fpn.none.transformer.toy.s0", method="sl_fpn", method_type="sl_fpn",
        method_options={}, augmentation="none", augmentation_steps=[], dataset="toy",
        preprocess=PreprocessConfig(frames=8), encoder=EncoderConfig(depth=1, width=16, heads=2),
        pretrain=PretrainConfig(), seed=0,
    )  # fmt: skip
    monkeypatch.setattr(pretrain, "pretrain", lambda *_, **__: print("begun", file=sys.stderr))
    where = [f"--{name}={tmp_path / name}" for name in ("out", "checkpoint")]
    spec_json = spec.model_dump_json()
    done = CliRunner().invoke(
        app, ["pretrain", "--spec", spec_json, "--store", str(tmp_path / "s"), *where]
    )
    assert done.exit_code == 0, done.output
    before = done.output.partition("begun")[0]
    assert "toy: WARNING: 2 groups of clips have the same keypoints and lie in several" in before
    assert "toy: WARNING: 1 gloss of test has no training clip ('b')" in before
