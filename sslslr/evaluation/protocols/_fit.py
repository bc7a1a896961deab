"""When a probe is fitted: the rules that docs/design.md states ("A probe that is not fitted").

A logistic probe has one optimum, so its gradient tells. The paper's head is trained for a fixed number
of epochs and could fit at least as well as a logistic probe of the same clips, so that probe's training
accuracy tells.
"""

import torch
from torch import Tensor

from sslslr.evaluation.protocols import Fit, Task
from sslslr.evaluation.protocols._logistic import (
    Fitted,
    fit_logistic,
    principal_axes,
    standardised,
)

GRADIENT = 1e-6  # largest entry at a logistic probe's end
BEHIND = 0.05  # training accuracy that a head may lack of the logistic probe's
STRENGTH = 1.0  # C of the logistic probe that heads are held against


def of_logistic(fitted: Fitted) -> Fit:
    """Fitted: no entry of the gradient is above `GRADIENT`."""
    return Fit(fitted.accuracy, fitted.gradient, fitted.gradient <= GRADIENT)


def of_head(accuracy: float, gradient: float, reference: float) -> Fit:
    """Fitted: the training accuracy is at most `BEHIND` below that of a logistic probe."""
    return Fit(accuracy, gradient, accuracy >= reference - BEHIND)


def reference_accuracy(task: Task, rows: Tensor) -> float:
    """Training accuracy of a logistic probe on the clips `rows`, kept for the next who asks."""
    key = ("logistic", rows.cpu().numpy().tobytes())
    if key not in task.kept:
        features = torch.as_tensor(task.features).to(task.device)
        clips, _ = principal_axes(*[standardised(features, rows)[rows]] * 2)
        labels = torch.as_tensor(task.labels).to(task.device)[rows]
        task.kept[key] = fit_logistic(clips, labels, len(task.classes), STRENGTH).accuracy
    return task.kept[key]
