"""Shared fixtures: small clip stores made by the test, and where real data may lie."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from sslslr.batch import Batch
from sslslr.clips import ClipStore, writing

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data for tests; the test is skipped where it is absent."""
    folder = Path(os.environ.get("SSLSLR_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data are absent ({folder}; set SSLSLR_SHARED_DATA)")
    return folder


@pytest.fixture
def make_store(tmp_path):
    """make_store(clips): a store at a temporary path from {clip_id: (keypoints, columns)}."""

    def make(clips: dict, name: str = "toy", **settings) -> ClipStore:
        with writing(tmp_path / name, {"dataset": name, "inputs": {}}, **settings) as writer:
            for clip_id, (keypoints, columns) in clips.items():
                writer.add(clip_id, keypoints, **{"gloss": "sign", **columns})
        return ClipStore.open(tmp_path / name)

    return make


def toy_clips(n: int = 48, glosses: int = 4, seed: int = 0, noise: float = 0.02) -> dict:
    """Clips whose gloss decides how the joints swing; the last quarter is the test split."""
    rng = np.random.default_rng(seed)
    rest = rng.uniform(0.2, 0.8, (75, 2))
    clips = {}
    for i in range(n):
        frames, gloss = int(rng.integers(6, 40)), i % glosses
        phase = np.linspace(0, np.pi, frames)[:, None, None]
        swing = 0.1 * np.sin(phase) * np.cos((gloss + 1) * np.arange(150)).reshape(75, 2)
        keypoints = rest + swing + rng.normal(0, noise, (frames, 75, 2))
        split = "test" if i >= 0.75 * n else "train"
        clips[f"clip_{i}"] = (keypoints, {"gloss": f"gloss_{gloss}", "split": split})
    return clips


@pytest.fixture
def toy_store(make_store) -> ClipStore:
    return make_store(toy_clips())


def random_batch(clips: int = 6, frames: int = 12, seed: int = 0, shortest: int = 1) -> Batch:
    """A batch of random clips of different lengths; padding and absent joints are zero."""
    draws = torch.Generator().manual_seed(seed)
    lengths = torch.randint(shortest, frames + 1, (clips,), generator=draws)
    present = torch.rand(clips, 75, generator=draws) > 0.1
    batch = Batch(torch.randn(clips, frames, 75, 2, generator=draws), lengths, present)
    return batch.with_keypoints(batch.keypoints)
