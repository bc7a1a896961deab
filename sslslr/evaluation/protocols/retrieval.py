"""Look a sign up by example: a clip is the query, the training clips are the dictionary.

Glosses are ranked by their most similar training clip, so a clip's score of a gloss is that cosine
similarity and top-1, top-5 and top-10 are recall@1, recall@5 and recall@10: the share of queries
whose gloss is among the first 1, 5 or 10 *glosses* of the answer. No label is learnt from.
"""

import torch

from sslslr.config.settings import Settings
from sslslr.evaluation.protocols import Prediction, Predictions, Protocol, Task, register
from sslslr.evaluation.protocols._similarity import best_of_class, similarities


class RetrievalConfig(Settings):
    """No settings."""


@register
class Retrieval(Protocol):
    """Deterministic; scores (n_test, classes) in -1..1. Top-1 is that of one nearest neighbour."""

    title = "look-up by example"
    sentence = "the sign of the most similar training clip, top-k counting signs"
    order = 4
    Options = RetrievalConfig

    def run(self, task: Task, options: RetrievalConfig, say) -> Predictions:
        labels = torch.as_tensor(task.labels)[torch.as_tensor(task.train)].to(task.device)
        scores = (
            best_of_class(block, labels, len(task.classes)).cpu().numpy()
            for block in similarities(task)
        )
        yield Prediction(scores, n_train=len(task.train))
