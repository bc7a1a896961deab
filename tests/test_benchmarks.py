"""The benchmarks' peers compute what ours do; the one for a GPU says where there is none."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from sslslr.batch import Batch
from sslslr.config import EncoderConfig, LinearConfig
from sslslr.encoder import build_encoder
from sslslr.evaluate import embed
from sslslr.preprocess import fill_gaps
from sslslr.protocols import Task
from sslslr.protocols.linear import Linear
from sslslr.seeds import derive
from toys import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
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
        np.testing.assert_allclose(found.scores, expected, atol=1e-3)
        np.testing.assert_array_equal(found.scores.argmax(1), expected.argmax(1))


def test_filling_gaps_is_interpolation():
    rng = np.random.default_rng(0)
    clips = rng.random((3, 20, 75, 2)).astype(np.float32)
    clips[rng.random((3, 20, 75)) < 0.3] = np.nan
    np.testing.assert_allclose(fill_gaps(clips), peers.filled(clips), atol=1e-6)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_claimed_to_be_measured():
    command = [sys.executable, str(ROOT / "benchmarks" / "bench_gpu.py")]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout == "not measured: no GPU\n"
