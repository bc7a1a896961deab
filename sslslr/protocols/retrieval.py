"""Look a sign up by example: a clip is the query, the training clips are the dictionary.

Glosses are ranked by their most similar training clip, so a clip's score of a gloss is that cosine
similarity and top-1, top-5 and top-10 are recall@1, recall@5 and recall@10: the share of queries
whose gloss is among the first 1, 5 or 10 *glosses* of the answer. No label is learnt from.
"""

import torch

from sslslr.protocols import Prediction, Predictions, Task, register
from sslslr.protocols._similarity import best_of_class, similarities
from sslslr.strict import Strict


class RetrievalConfig(Strict):
    """No settings."""


@register
class Retrieval:
    """Deterministic; scores (n_test, classes) in -1..1. Top-1 is that of one nearest neighbour."""

    Options = RetrievalConfig

    def run(self, task: Task, options: RetrievalConfig, say) -> Predictions:
        labels = torch.as_tensor(task.labels)[torch.as_tensor(task.train)].to(task.device)
        scores = [
            best_of_class(block, labels, len(task.classes)).cpu() for block in similarities(task)
        ]
        yield Prediction(torch.cat(scores).numpy(), n_train=len(task.train))
