"""Features of a data set's clips under one encoder, in memory and on disk."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sslslr.augment import View, at_frames
from sslslr.data.batch import Batch
from sslslr.data.preprocess import Preprocessed
from sslslr.data.store import ClipStore
from sslslr.utils.files import atomic_file
from sslslr.utils.seeds import generator
from sslslr.utils.tables import write_csv

EMBED_BATCH = 512


@dataclass(frozen=True)
class Averaged:
    """What features are a mean over, beside the clip itself.

    Attributes:
        view, number: so many views of each clip.
        sources: the clips that views are cut from, in the order of those that are embedded.
    """

    view: View
    number: int
    sources: Batch


def embed(
    encoder: nn.Module,
    batch: Batch,
    seed: int,
    device: torch.device | str = "cpu",
    averaged: Averaged | None = None,
) -> np.ndarray:
    """Features of all clips, float32 (B, width), in evaluation mode.

    Args:
        seed: of the noise that the encoder `as_released` draws at each forward, and of the views.
        averaged: features are the mean over the clip and views of it.
    """
    return torch.cat(
        [part.cpu() for part in embedded_blocks(encoder, batch, seed, device, averaged)]
    ).numpy()


@torch.no_grad()
def embedded_blocks(
    encoder: nn.Module,
    batch: Batch,
    seed: int,
    device: torch.device | str = "cpu",
    averaged: Averaged | None = None,
) -> Iterator[Tensor]:
    """What :func:`embed` returns, some hundred clips at a time, on the device."""
    encoder.eval()
    noise = generator(seed, "embed", device=device)
    draws = generator(seed, "embed views", device=device)
    for start in range(0, len(batch), EMBED_BATCH):
        rows = slice(start, start + EMBED_BATCH)
        part = batch[rows].to(device)
        features = encoder(part.keypoints, part.lengths, noise).float()
        if averaged is not None:
            frames, sources = part.keypoints.shape[1], averaged.sources[rows].to(device)
            for _ in range(averaged.number):
                seen = at_frames(averaged.view(sources, draws), frames)
                features = features + encoder(seen.keypoints, seen.lengths, noise).float()
            features = features / (1 + averaged.number)
        yield features


def save_features(
    folder: Path, features: np.ndarray, store: ClipStore, prepared: Preprocessed
) -> None:
    """Write features.npy, and clips.csv with its rows, into `folder`."""
    with atomic_file(folder / "features.npy") as temporary, open(temporary, "wb") as stream:
        np.save(stream, features)
    clips = store.clips.iloc[prepared.indices][["clip_id", "gloss", "signer", "split"]]
    with atomic_file(folder / "clips.csv") as temporary:
        write_csv(clips, temporary)


def weights_hash(module: nn.Module) -> str:
    """sha256 over all parameters and buffers, byte by byte."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
