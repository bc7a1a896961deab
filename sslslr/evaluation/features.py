"""Features of a data set's clips under one encoder, in memory and on disk."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sslslr.augment import View, at_frames
from sslslr.data.batch import Batch
from sslslr.data.preprocess import Preprocessed
from sslslr.data.store import ClipStore
from sslslr.utils.files import atomic_file
from sslslr.utils.seeds import generator

EMBED_BATCH = 512


@torch.no_grad()
def embed(
    encoder: nn.Module,
    batch: Batch,
    seed: int,
    device: torch.device | str = "cpu",
    view: View | None = None,
    views: int = 0,
) -> np.ndarray:
    """Features of all clips, float32 (B, width), in evaluation mode.

    Args:
        seed: of the noise that the encoder `as_released` draws at each forward, and of the views.
        view, views: features are the mean over the clip and this many views of it.
    """
    encoder.eval()
    noise = generator(seed, "embed", device=device)
    draws = generator(seed, "embed views", device=device)
    parts = []
    for start in range(0, len(batch), EMBED_BATCH):
        part = batch[start : start + EMBED_BATCH].to(device)
        features = encoder(part.keypoints, part.lengths, noise).float()
        for _ in range(views if view is not None else 0):
            seen = at_frames(view(part, draws), part.keypoints.shape[1])
            features = features + encoder(seen.keypoints, seen.lengths, noise).float()
        parts.append((features / (1 + views)).cpu() if views else features.cpu())
    return torch.cat(parts).numpy()


def save_features(
    folder: Path, features: np.ndarray, store: ClipStore, prepared: Preprocessed
) -> None:
    """Write features.npy, and clips.csv with its rows, into `folder`."""
    with atomic_file(folder / "features.npy") as temporary, open(temporary, "wb") as stream:
        np.save(stream, features)
    clips = store.clips.iloc[prepared.indices][["clip_id", "gloss", "signer", "split"]]
    with atomic_file(folder / "clips.csv") as temporary:
        clips.to_csv(temporary, index=False, lineterminator="\n")


def weights_hash(module: nn.Module) -> str:
    """sha256 over all parameters and buffers, byte by byte."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
