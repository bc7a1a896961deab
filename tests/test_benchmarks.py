"""The benchmarks' peers compute what ours do; the one for a GPU says where there is none."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from sslslr.config.settings import parse
from sslslr.config.study import EncoderConfig, StudyConfig
from sslslr.data import datasets
from sslslr.data.batch import Batch
from sslslr.data.preprocess import fill_gaps
from sslslr.data.store import ClipStore
from sslslr.encoders.build import build_encoder
from sslslr.evaluation.features import embed
from sslslr.evaluation.protocols import Task
from sslslr.evaluation.protocols.linear import Linear, LinearConfig
from sslslr.utils.seeds import derive
from sslslr.workflow import grid
from toys import ROOT, whole

sys.path.insert(0, str(ROOT / "benchmarks"))
import accuracy
import bench_step
import peers


def test_heads_on_cached_features_are_as_accurate_as_the_released_protocol():
    """The encoder inside the loop, one head at a time, against all heads at once: same scores."""
    draws = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    clips = torch.randn(60, 12, 75, 2, generator=draws) + labels[:, None, None, None]
    lengths = torch.randint(6, 13, (60,), generator=draws)
    encoder = build_encoder(EncoderConfig(depth=1, width=16, heads=2), 12, 0).eval()
    features = embed(encoder, Batch(clips, lengths, torch.ones(60, 75, dtype=torch.bool)), 0)
    train, test = np.arange(40), np.arange(40, 60)
    task = Task("toy", features, None, labels.numpy(), list("abc"), train, test, None, 7, "cpu")
    options = LinearConfig(
        hidden=[16, 8], epochs=60, warmup_epochs=12, learning_rate=0.01, batch_size=16, seeds=[0, 1]
    )
    for found in Linear().run(task, options, print):
        seed = derive(7, "linear", found.probe_seed)
        head = peers.probe(
            encoder, clips[train], lengths[train], labels[train], [16, 16, 8, 3], seed, 60, 16
        )
        with torch.no_grad():
            expected = head(encoder(clips[test], lengths[test])).numpy()
        scores = whole(found)
        np.testing.assert_allclose(scores, expected, atol=1e-3)
        np.testing.assert_array_equal(scores.argmax(1), expected.argmax(1))


def test_filling_gaps_is_interpolation():
    rng = np.random.default_rng(0)
    clips = rng.random((3, 20, 75, 2)).astype(np.float32)
    clips[rng.random((3, 20, 75)) < 0.3] = np.nan
    np.testing.assert_allclose(fill_gaps(clips), peers.filled(clips), atol=1e-6)


def test_time_to_accuracy_is_read_off_one_run_s_history(tmp_path):
    """Untrained, then after every epoch: probes of the run that goes on, seconds of the training alone."""
    values = {
        "datasets": {"toy": {"source": "synthetic"}},
        "methods": {"sl_fpn_rate": {"projector_hidden": 16, "projection": 8}},
        "encoder": {"depth": 1, "width": 16, "heads": 2},
        "preprocess": {"frames": 8, "fit": "resample"},
        "pretrain": {"epochs": 2, "batch_size": 32, "accelerator": "cpu"},
        "evaluate": {"protocols": {"logistic": {}}},
        "runs": [{"methods": ["sl_fpn_rate"], "datasets": ["toy"]}],
    }
    study = parse(StudyConfig, values, "toy")
    (spec,) = grid.runs(study).values()
    options = {"signs": 4, "clips": 96, "signers": 6}
    datasets.build("toy", "synthetic", options, tmp_path / "clips", say=lambda text: None)
    store = ClipStore.open(tmp_path / "clips")
    probe = accuracy.Probe(grid.evaluate_spec(study, spec), "toy", store)
    points = accuracy.history(spec, store, probe, say=lambda text: None)
    assert [point.epoch for point in points] == [0, 1, 2]
    assert 0 < points[0].seconds < points[1].seconds < points[2].seconds
    assert all(0 <= point.percent <= 100 for point in points)
    untrained, late = accuracy.Point(0, 3.0, 42.0), accuracy.Point(5, 61.4, 55.0)
    said = [accuracy.reached([untrained, late], level) for level in (40, 45, 58)]
    assert said == ["untrained", "61", "not reached"]


@pytest.mark.parametrize("encoder", bench_step.ENCODERS)
def test_a_step_and_its_parts_are_timed_beside_a_plain_one(encoder):
    found = bench_step.measure(encoder, n=6, rounds=1)
    assert set(found) == {"step", "views", "inputs", "products", "plain"}
    assert all(milliseconds > 0 for milliseconds in found.values())
    assert found["step"] > found["views"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_claimed_to_be_measured():
    command = [sys.executable, str(ROOT / "benchmarks" / "bench_gpu.py")]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout == "not measured: no GPU\n"
