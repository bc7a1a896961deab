"""On the synthetic signer, whose truth is known: what training does, and what it does not show.

Preparation and retraction carry nothing there and the stroke carries the sign, so the paper's idea can
be looked at: does pretraining with temporal permutation make the encoder overlook the order of the
ends? It does, and so does pretraining with noise alone, as much: the invariance is not learnt from the
permutation (docs/experiments.md). The tests hold what is true of both.
"""

import json

import pandas as pd
import pytest
import torch

from sslslr.augment import permutation_order
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.data import datasets
from sslslr.data.batch import Batch
from sslslr.data.preprocess import preprocess
from sslslr.data.store import ClipStore
from sslslr.encoders import artifact
from sslslr.encoders.build import build_encoder
from sslslr.evaluation.evaluate import evaluate
from sslslr.training.pretrain import pretrain
from sslslr.utils.seeds import derive
from sslslr.workflow import grid

pytestmark = pytest.mark.xdist_group("truth")  # its trainings are made once
SIGNS = 8
SEEDS = [(1, 0), *(pytest.param(pair, marks=pytest.mark.slow) for pair in ((1, 3), (3, 5)))]
VIEWS = {
    "temporal_permutation": [{"name": "temporal_permutation"}],
    "noise": [{"name": "gaussian_noise", "std": 0.01}],
}


def study_of(data_seed: int, seed: int, views: str) -> StudyConfig:
    options = {"signs": SIGNS, "signers": 10, "clips": 400, "missing_hand_rate": 0.0}
    study = {
        "datasets": {"truth": {"source": "synthetic", "options": {**options, "seed": data_seed}}},
        "preprocess": {"frames": 24, "fit": "resample"},
        "encoder": {"depth": 2, "width": 64, "heads": 4, "pooling": "mean"},
        "augmentations": VIEWS,
        "methods": {"sl_fpn": {}},
        "pretrain": {"epochs": 12, "batch_size": 64, "learning_rate": 1e-3, "checkpoint_every": 100},
        "runs": [
            {"methods": ["sl_fpn"], "datasets": ["truth"], "augmentations": [views], "seeds": [seed]}
        ],
        "evaluate": {"protocols": {"logistic": {}}},
    }  # fmt: skip
    return parse(StudyConfig, study, "test")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Of (data seed, seed) and views: store, study, run and the folder of the artifact; kept."""
    made = {}

    def train(seeds: tuple[int, int], views: str):
        if (seeds, views) not in made:
            folder = tmp_path_factory.mktemp("truth")
            study = study_of(*seeds, views)
            options = study.datasets["truth"].options
            datasets.build("truth", "synthetic", options, folder / "clips", say=lambda text: None)
            store, (run,) = ClipStore.open(folder / "clips"), grid.runs(study).values()
            pretrain(run, store, folder / "encoder", folder / "ckpt", "code", say=lambda text: None)
            made[seeds, views] = store, study, run, folder
        return made[seeds, views]

    return train


def end_permuted(batch: Batch) -> Batch:
    """The clips with the frames of their last quarter in another order."""
    clips, frames = batch.keypoints.shape[:2]
    start, draws = frames - frames // 4, torch.Generator().manual_seed(0)
    lengths = torch.full((clips,), frames - start)
    order = torch.arange(frames).repeat(clips, 1)
    order[:, start:] = start + permutation_order(lengths, frames - start, 1, 0, draws)
    index = order[:, :, None, None].expand_as(batch.keypoints)
    return Batch(batch.keypoints.gather(1, index), batch.lengths, batch.present)


@torch.no_grad()
def shift(encoder, batch: Batch) -> float:
    """How far an end-permuted clip moves, in units of the distance between two clips."""
    features = encoder.eval()(batch.keypoints, batch.lengths)
    view = end_permuted(batch)
    moved = (encoder(view.keypoints, view.lengths) - features).norm(dim=1).mean()
    return (moved / torch.pdist(features).mean()).item()


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("views", VIEWS)
def test_training_lessens_what_the_order_of_the_end_does_with_and_without_permutation(
    views, seeds, trained
):
    """No difference between the two is claimed: of three pairs of seeds the ranges overlap."""
    store, _, run, folder = trained(seeds, views)
    batch = preprocess(store, run.preprocess, store.indices("test")).batch
    at_first = build_encoder(run.encoder, run.preprocess.frames, derive(run.seed, "encoder"))
    before, after = shift(at_first, batch), shift(artifact.load(folder / "encoder")[0], batch)
    assert after < 0.8 * before


def test_the_probe_is_far_above_chance_and_the_embedding_has_not_collapsed(trained):
    _, study, run, folder = trained((1, 0), "temporal_permutation")
    evaluate(
        grid.evaluate_spec(study, run),
        folder / "encoder",
        {"truth": folder / "clips"},
        folder / "metrics",
        folder / "features",
    )
    metrics = pd.read_csv(folder / "metrics" / "metrics.csv").set_index("metric")
    # The lower end of the 95 % interval over test clips, against three times chance.
    assert metrics.loc["top1", "low"] > 3 / SIGNS
    assert not json.loads((folder / "encoder" / "run.json").read_text())["collapsed"]
