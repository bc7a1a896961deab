"""Cosine similarity of test clips to training clips, in blocks of test clips."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from sslslr.evaluation.protocols import Task

MAX_SIMILARITIES = 32_000_000  # held at once: 128 MB of float32


def similarities(task: Task) -> Iterator[Tensor]:
    """Blocks (clips, n_train) of cosine similarities in -1..1, in the order of `task.test`.

    Features are centred by the mean of the training clips first: an encoder's features share a
    large common part, beside which the differences between signs would hardly turn a cosine.
    """
    train, test = torch.as_tensor(task.train), torch.as_tensor(task.test)
    features = torch.as_tensor(task.features).to(task.device)
    features = F.normalize(features - features[train].mean(dim=0), dim=1)
    gallery = features[train].T
    for rows in test.split(max(1, MAX_SIMILARITIES // len(train))):
        yield features[rows] @ gallery


def best_of_class(similarity: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """(clips, classes): similarity of each class's most similar training clip.

    Args:
        similarity: (clips, n_train).
        labels: int64 (n_train,); every class has a clip.
    """
    best = similarity.new_full((len(similarity), n_classes), -torch.inf)
    return best.scatter_reduce_(1, labels.expand(len(similarity), -1), similarity, "amax")
