"""The paper's head on standardised features.

The head's own layer norm scales each clip, not each feature: a feature of small spread stays small,
and 1000 epochs of plain SGD do not reach it. Here each feature has mean 0 and standard deviation 1
over the training clips first; all else is :mod:`.linear`.
"""

import torch

from sslslr.evaluation.protocols import Task, register
from sslslr.evaluation.protocols._logistic import standardised
from sslslr.evaluation.protocols.linear import Linear


@register
class LinearStandardised(Linear):
    """Options, schedule and seeds are those of `linear`."""

    title = "linear, standardised"
    sentence = "the same head on standardised features"

    @staticmethod
    def seen(task: Task) -> torch.Tensor:
        return standardised(torch.as_tensor(task.features), torch.as_tensor(task.train)).float()
