"""On the synthetic signer, whose truth is known, the method does what it is for.

Preparation and retraction carry nothing there and the stroke carries the sign, so the paper's idea
can be checked: pretraining with temporal permutation makes the encoder overlook the order of the
ends, and more so than it overlooks the order of the stroke.
"""

import pytest
import torch

from sslslr import artifacts, datasets, grid
from sslslr.augment import permutation_order
from sslslr.batch import Batch
from sslslr.clips import ClipStore
from sslslr.config import StudyConfig
from sslslr.encoder import build_encoder
from sslslr.evaluate import evaluate
from sslslr.preprocess import preprocess
from sslslr.pretrain import pretrain
from sslslr.seeds import derive
from sslslr.strict import parse

pytestmark = pytest.mark.xdist_group("truth")  # its fixture is made once
SIGNS = 8
STUDY = {
    "datasets": {
        "truth": {
            "source": "synthetic",
            "options": {
                "signs": SIGNS,
                "signers": 10,
                "clips": 400,
                "missing_hand_rate": 0.0,
                "seed": 1,
            },
        }
    },
    "preprocess": {"frames": 24, "fit": "resample"},
    "encoder": {"depth": 2, "width": 64, "heads": 4, "pooling": "mean"},
    "methods": {"sl_fpn": {}},
    "pretrain": {"epochs": 20, "batch_size": 64, "learning_rate": 1e-3, "checkpoint_every": 100},
    "runs": [{"methods": ["sl_fpn"], "datasets": ["truth"]}],
    "evaluate": {"protocols": {"logistic": {}}},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The store, the run, and the folder of its artifact and metrics."""
    folder = tmp_path_factory.mktemp("truth")
    study = parse(StudyConfig, STUDY, "test")
    entry = study.datasets["truth"]
    datasets.build("truth", entry.source, entry.options, folder / "clips", say=lambda text: None)
    store = ClipStore.open(folder / "clips")
    (run,) = grid.runs(study).values()
    pretrain(run, store, folder / "encoder", folder / "ckpt", "code", say=lambda text: None)
    spec = grid.evaluate_spec(study, run)
    evaluate(
        spec,
        folder / "encoder",
        {"truth": folder / "clips"},
        folder / "metrics",
        folder / "features",
    )
    return store, run, folder


def permuted(batch: Batch, part: str) -> Batch:
    """The clips with the frames of their last quarter, or of their stroke, in another order."""
    clips, frames = batch.keypoints.shape[:2]
    start, end = {
        "end": (frames - frames // 4, frames),
        "stroke": (frames // 3, frames - frames // 4),
    }[part]
    draws = torch.Generator().manual_seed(0)
    shuffled = permutation_order(torch.full((clips,), end - start), end - start, 1, 0, draws)
    order = torch.arange(frames).repeat(clips, 1)
    order[:, start:end] = start + shuffled
    index = order[:, :, None, None].expand_as(batch.keypoints)
    return Batch(batch.keypoints.gather(1, index), batch.lengths, batch.present)


@torch.no_grad()
def end_against_stroke(encoder, batch: Batch) -> float:
    """How far an end-permuted clip moves, in units of how far a stroke-permuted one moves."""

    def moved(part: str) -> torch.Tensor:
        view = permuted(batch, part)
        return (encoder(view.keypoints, view.lengths) - original).norm(dim=1)

    original = encoder.eval()(batch.keypoints, batch.lengths)
    return (moved("end").mean() / moved("stroke").mean()).item()


def test_an_end_permuted_clip_lies_closer_than_a_stroke_permuted_one_and_more_so_than_at_first(
    trained,
):
    store, run, folder = trained
    batch = preprocess(store, run.preprocess, store.indices("test")).batch
    at_first = build_encoder(run.encoder, run.preprocess.frames, derive(run.seed, "encoder"))
    before = end_against_stroke(at_first, batch)
    after = end_against_stroke(artifacts.load(folder / "encoder")[0], batch)
    assert after < 1
    assert after < 0.8 * before


def test_the_probe_is_far_above_chance(trained):
    import pandas as pd

    metrics = pd.read_csv(trained[2] / "metrics" / "metrics.csv").set_index("metric")
    # The lower end of the 95 % interval over test clips, against three times chance.
    assert metrics.loc["top1", "low"] > 3 / SIGNS


def test_the_embedding_has_not_collapsed(trained):
    import json

    assert not json.loads((trained[2] / "encoder" / "run.json").read_text())["collapsed"]
