"""What pretraining is for, on signs whose truth is known.

`test_all_methods.py` shows that losses fall. A falling loss is no learning (SL-FPN's falls in a
collapse, too). Here each method must do both things that it is for: bring the views of clips of
signers that it has not met closer together than these clips are to each other, and, without having
seen a label, make a clip's nearest neighbour of another signer show the same sign more often.
"""

import numpy as np
import pytest
import torch
from torch import nn

from sslslr.augment import compose
from sslslr.config.run import RunSpec
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.data import datasets
from sslslr.data.preprocess import preprocess
from sslslr.data.store import ClipStore
from sslslr.encoders import artifact
from sslslr.encoders.build import build_encoder
from sslslr.evaluation.features import embed
from sslslr.training.pretrain import pretrain
from sslslr.utils.seeds import derive
from sslslr.workflow import grid
from tiny_methods import NAMES, SMALL

pytestmark = pytest.mark.slow  # ten trainings: half a minute of CPU
GAIN = 0.03  # of 320 clips; the least of ten methods was 0.059
CLOSER = 0.8  # of what it was; the most was 0.71, and 0.98 where SimCLR's similarities are negated
VIEWS = [
    {"name": "temporal_crop", "low": 0.5},
    *({"name": name} for name in ("rotation", "scale", "translation", "gaussian_noise", "joint_masking")),
]  # fmt: skip


@pytest.fixture(scope="module")
def signs(tmp_path_factory) -> ClipStore:
    folder = tmp_path_factory.mktemp("signs") / "clips"
    options = {"signs": 8, "signers": 8, "clips": 320, "seed": 1}
    datasets.build("signs", "synthetic", options, folder, say=lambda text: None)
    return ClipStore.open(folder)


def run_of(name: str) -> RunSpec:
    study = {
        "datasets": {"signs": {"source": "synthetic"}},
        "preprocess": {"frames": 16, "fit": "resample"},
        "encoder": {"depth": 1, "width": 32, "heads": 4, "pooling": "mean"},
        "augmentations": {"temporal_permutation": VIEWS},
        "methods": {name: SMALL.get(name, {})},
        "pretrain": {
            **{"epochs": 30, "batch_size": 64, "learning_rate": 3e-3, "schedule": "cosine"},
            **{"accelerator": "cpu", "checkpoint_every": 100},
        },
        "runs": [{"methods": [name], "datasets": ["signs"]}],
    }
    return next(iter(grid.runs(parse(StudyConfig, study, "test")).values()))


def same_sign(encoder: nn.Module, store: ClipStore, spec: RunSpec) -> float:
    """Share of clips whose most similar clip of another signer shows their sign."""
    prepared = preprocess(store, spec.preprocess, np.arange(len(store.clips)))
    clips = store.clips.iloc[prepared.indices]
    features = embed(encoder, prepared.batch, 0)
    features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    signer, gloss = clips["signer"].to_numpy(), clips["gloss"].to_numpy()
    similarity = np.where(signer[:, None] == signer, -np.inf, features @ features.T)
    return (gloss[similarity.argmax(axis=1)] == gloss).mean()


def view_distance(encoder: nn.Module, store: ClipStore, spec: RunSpec) -> float:
    """Mean squared distance of test clips to a view of them, over that of two test clips."""
    clips = preprocess(store, spec.preprocess, store.indices("test")).batch
    views = compose(VIEWS)(clips, torch.Generator().manual_seed(0))
    a, b = (embed(encoder, batch, 0) for batch in (clips, views))
    return ((a - b) ** 2).sum(axis=1).mean() / (2 * a.var(axis=0).sum())


@pytest.mark.parametrize("name", NAMES)
def test_views_and_signs_lie_closer_together_than_before_training(name, signs, tmp_path):
    spec = run_of(name)
    torch.set_num_threads(1)
    before = build_encoder(spec.encoder, spec.preprocess.frames, derive(spec.seed, "encoder"))
    pretrain(spec, signs, tmp_path / "encoder", tmp_path / "ckpt", "code", say=lambda text: None)
    after, _ = artifact.load(tmp_path / "encoder")
    shown = [same_sign(encoder, signs, spec) for encoder in (before, after)]
    assert shown[0] > 3 / 8, "a random encoder is a strong baseline"
    assert shown[1] > shown[0] + GAIN
    apart = [view_distance(encoder, signs, spec) for encoder in (before, after)]
    assert apart[1] < CLOSER * apart[0]
