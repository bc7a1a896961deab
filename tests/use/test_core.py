"""The core dependencies alone: read a clip store, embed it, and every verb for using an encoder."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import sslslr
from sslslr.config.study import PreprocessConfig, TargetConfig
from sslslr.data.preprocess import preprocess
from sslslr.encoders import artifact
from sslslr.utils.errors import UserError
from toys import EMBED, ROOT

# Of the extra `study`; what torch or pose-format bring along by themselves is not here.
NOT_CORE = (
    *("lightning", "lightning_fabric", "sklearn", "scipy", "matplotlib", "requests", "urllib3"),
    *("psutil", "PIL", "snakemake", "dvc", "pytest", "toys"),
)
WITHOUT = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"blocked: {name}", name=name)
sys.meta_path.insert(0, Blocked())
"""


def test_the_core_alone_embeds_exports_looks_up_and_reviews(toy_store, encoder_folder, tmp_path):
    script = WITHOUT.replace("{blocked}", repr(set(NOT_CORE))) + EMBED
    arguments = [str(toy_store.path), str(encoder_folder), str(tmp_path / "features.npy")]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert sslslr.__version__ in done.stdout
    features = np.load(tmp_path / "features.npy")
    made = {path.name.removeprefix("features.npy.") for path in tmp_path.glob("features.npy.*")}
    assert made == {"model", "parquet", "dictionary", "page", "review"}
    by_verb = pd.read_parquet(tmp_path / "features.npy.parquet")["features"]
    np.testing.assert_allclose(features, np.stack(by_verb), atol=1e-6)
    encoder, run = artifact.load(encoder_folder)
    batch = preprocess(toy_store, PreprocessConfig(**run["spec"]["preprocess"])).batch
    with torch.no_grad():
        np.testing.assert_allclose(features, encoder(batch.keypoints, batch.lengths), atol=1e-5)


@pytest.mark.parametrize(
    "verb",
    [
        ["report", "figure", "training", "--config", "config/demo.yaml"],
        ["pretrain", "random.none.transformer.none.s0"],
    ],
)
def test_a_verb_of_a_study_says_what_to_install(verb):
    script = WITHOUT.replace("{blocked}", repr(set(NOT_CORE)))
    script += "from sslslr.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, *verb], cwd=ROOT, text=True, capture_output=True
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert 'pip install "sslslr[study]"' in done.stderr


def test_the_features_are_those_of_an_evaluation(toy_store, encoder_folder):
    """Also where the encoder saw hands alone: the body is masked."""
    from sslslr.evaluation.joints import joints_seen

    run = json.loads((encoder_folder / "run.json").read_text())
    run["joints"] = list(range(42))
    (encoder_folder / "run.json").write_text(json.dumps(run))
    encode = sslslr.load_encoder(encoder_folder)
    clips = [toy_store.frames(index) for index in range(len(toy_store))]
    hands = [clip[:, :42] for clip in clips]
    joints = joints_seen(run, TargetConfig())
    batch = preprocess(toy_store, PreprocessConfig(frames=12), joints=joints).batch
    with torch.no_grad():
        expected = encode.encoder(batch.keypoints, batch.lengths).numpy()
    np.testing.assert_array_equal(encode(clips), expected)
    np.testing.assert_array_equal(encode(hands), expected)
    assert encode.width == 32


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([], "list of clips is empty"),
        ([np.zeros((4, 75, 2)), np.zeros((4, 70, 2))], "clip 1 of 2: 70 joints"),
        ([np.full((4, 75, 2), np.nan)], "clip 0 of 1: every joint is missing"),
        ([np.full((4, 75, 2), 640.0)], "clip 0 of 1: coordinates up to 640"),
        ([np.where(np.arange(75)[:, None] < 42, np.nan, np.ones((4, 75, 2)))], "no hand"),
        ([np.zeros((0, 75, 2))], "clip 0 of 1: no frame"),
        ([["a"]], "clip 0 of 1"),
    ],
)
def test_a_clip_that_cannot_be_embedded_is_named(encoder_folder, clips, message):
    with pytest.raises(UserError, match=message):
        sslslr.load_encoder(encoder_folder)(clips)


def test_a_clip_of_one_frame_is_embedded(encoder_folder):
    clip = np.random.default_rng(0).uniform(0.2, 0.8, (1, 75, 2))
    assert np.isfinite(sslslr.load_encoder(encoder_folder)([clip])).all()


def test_the_names_at_the_top_are_there_and_cost_nothing_until_used():
    code = (
        "import sys, sslslr; heavy = {'torch', 'numpy', 'pandas'} & set(sys.modules); "
        "assert not heavy, heavy; [getattr(sslslr, name) for name in sslslr.__all__]; "
        "assert dir(sslslr) == sorted(sslslr.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    with pytest.raises(AttributeError, match="Clipstore"):
        _ = sslslr.Clipstore
