"""Small clips and batches that the tests make themselves."""

from pathlib import Path

import numpy as np
import torch

from sslslr.data.batch import Batch

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


# python -c EMBED STORE ENCODER OUT: use an encoder as a user would, in Python and by every verb for it.
EMBED = """
import sys
import numpy as np, sslslr
from sslslr.cli.main import app
store_folder, encoder_folder, out = sys.argv[1:]
store = sslslr.ClipStore.open(store_folder)
encode = sslslr.load_encoder(encoder_folder)
aspects = [None if value != value else value for value in store.clips["aspect"]]
np.save(out, encode([store.frames(index) for index in range(len(store))], aspects))
for arguments in (
    ["--version"],
    ["data", "info", store_folder],
    ["data", "check", store_folder],
    ["export", encoder_folder, "--out", out + ".model"],
    ["embed", out + ".model", store_folder, "--out", out + ".parquet"],
    ["lookup", "build", out + ".model", store_folder, "--out", out + ".dictionary"],
    ["lookup", "find", out + ".dictionary", store_folder],
    ["lookup", "score", out + ".dictionary", store_folder, "--baselines"],
    ["lookup", "page", out + ".dictionary", "--out", out + ".page", "--without-video"],
    ["review", store_folder, "--encoder", encoder_folder, "--out", out + ".review"],
):
    try:
        app(arguments, standalone_mode=False)
    except SystemExit as end:
        assert not end.code, arguments
"""


def whole(prediction) -> np.ndarray:
    """Scores (n_test, n_classes) of a prediction, whose blocks are read once."""
    return np.vstack(list(prediction.scores))


def add_entry(registry, name: str, entry: type):
    """Register a class of a test under a name; call the result to undo."""
    known = name in registry._classes
    entry.name = name
    registry.register(entry)
    return lambda: None if known else registry._classes.pop(name)
