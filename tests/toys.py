"""Small clips and batches that the tests make themselves."""

from pathlib import Path

import numpy as np
import torch

from sslslr.batch import Batch

ROOT = Path(__file__).resolve().parent.parent


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


def random_batch(clips: int = 6, frames: int = 12, seed: int = 0, shortest: int = 1) -> Batch:
    """A batch of random clips of different lengths; padding and absent joints are zero."""
    draws = torch.Generator().manual_seed(seed)
    lengths = torch.randint(shortest, frames + 1, (clips,), generator=draws)
    present = torch.rand(clips, 75, generator=draws) > 0.1
    batch = Batch(torch.randn(clips, frames, 75, 2, generator=draws), lengths, present)
    return batch.with_keypoints(batch.keypoints)
