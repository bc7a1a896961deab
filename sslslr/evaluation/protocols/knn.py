"""k-nearest-neighbour classification: what the features hold before any training on labels.

The k most similar training clips vote for their gloss with weight exp(similarity / temperature),
as Wu et al. (CVPR 2018) weight them; the features are centred by the training mean.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from sslslr.config.settings import Settings
from sslslr.evaluation.protocols import Prediction, Predictions, Protocol, Task, register
from sslslr.evaluation.protocols._similarity import best_of_class, similarities
from sslslr.utils.errors import UserError


class KnnConfig(Settings):
    """Cosine nearest neighbours."""

    k: int = Field(5, ge=1, description="Training clips that vote.")
    weighting: Literal["similarity", "uniform"] = Field(
        "similarity",
        description="similarity: exp(cosine / temperature). uniform: one clip, one vote.",
    )
    temperature: float = Field(0.07, gt=0, description="Of the votes (Wu et al. 2018).")


@register
class Knn(Protocol):
    """Deterministic; scores are shares of the vote (see :func:`vote`)."""

    title = "nearest neighbours"
    sentence = "they vote"
    order = 3
    Options = KnnConfig

    def run(self, task: Task, options: KnnConfig, say) -> Predictions:
        if options.k > len(task.train):
            raise UserError(
                f"{task.dataset}: {options.k} neighbours are asked for, but there are "
                f"{len(task.train)} training clips. Lower `evaluate.protocols.knn.k`."
            )
        labels = torch.as_tensor(task.labels)[torch.as_tensor(task.train)].to(task.device)
        scores = (
            vote(block, labels, len(task.classes), options).cpu().numpy()
            for block in similarities(task)
        )
        yield Prediction(scores, n_train=len(task.train))


def vote(similarity: Tensor, labels: Tensor, n_classes: int, options: KnnConfig) -> Tensor:
    """Scores (clips, classes): the share of the vote, or below 0 for a class without a vote.

    With k = 5 at most five classes get a vote, and top-10 would be decided by the order of the
    class names. Classes without a vote therefore follow in the order of their most similar clip
    (that similarity - 2, in -3..-1); the first guess is the vote's.

    Args:
        similarity: (clips, n_train), in -1..1.
        labels: int64 (n_train,).
    """
    nearest, which = similarity.topk(options.k, dim=1)
    if options.weighting == "uniform":
        weights = torch.full_like(nearest, 1 / options.k)
    else:
        weights = torch.softmax(nearest / options.temperature, dim=1)
    votes = similarity.new_zeros(len(similarity), n_classes)
    votes.scatter_add_(1, labels[which], weights)
    voted = torch.zeros_like(votes, dtype=torch.bool).scatter_(1, labels[which], True)
    return torch.where(voted, votes, best_of_class(similarity, labels, n_classes) - 2)
