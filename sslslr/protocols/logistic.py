"""A plain logistic probe: L2-regularised logistic regression on standardised features.

It minimises what scikit-learn's LogisticRegression does (a test compares), but on the task's device
and without the import: on 50,000 clips of 500 glosses a CPU takes minutes for it, a GPU seconds. Of
several strengths of regularisation the best is found on a part of the training clips, all fitted at
once; the scored clips have no say in it.
"""

import torch
from torch import Tensor

from sslslr.config import LogisticConfig
from sslslr.errors import UserError
from sslslr.protocols import Prediction, Predictions, Task, register
from sslslr.protocols._logistic import fit_logistic, in_span, softmax_strength, standardised
from sslslr.protocols._subsets import stratified_subset
from sslslr.seeds import derive, generator

FITTED_SHARE = 0.8  # of each class's training clips, where a strength is chosen
MAX_BYTES = 1_000_000_000  # of the class scores of the problems that are fitted together


@register
class Logistic:
    """The probe that needs no tuning; deterministic, so it has no seed of its own."""

    Options = LogisticConfig

    def run(self, task: Task, options: LogisticConfig, say) -> Predictions:
        rows = torch.as_tensor(task.train)
        features = torch.as_tensor(task.features).to(task.device)
        labels = torch.as_tensor(task.labels).to(task.device)
        c = self._chosen(task, options, say) if isinstance(options.C, list) else options.C
        test = torch.as_tensor(task.test)
        scores = _scores(features, labels, rows, test, len(task.classes), [c], options.max_iter)[0]
        yield Prediction(scores.float().cpu().numpy(), n_train=len(rows))

    def _chosen(self, task: Task, options: LogisticConfig, say) -> float:
        """The C with the best top-1 on held-out training clips; of equal ones the smallest."""
        candidates = sorted(set(options.C))
        features = torch.as_tensor(task.features).to(task.device)
        labels, rows = torch.as_tensor(task.labels), torch.as_tensor(task.train)
        # As of the few labels, the draw does not depend on the method.
        draw = generator(derive(task.seed, "strength"))
        fitted = stratified_subset(labels[rows], draw, fraction=FITTED_SHARE)
        if fitted.all():
            raise UserError(
                f"evaluate.protocols.logistic.C: {task.dataset!r} has at most 2 training clips of a gloss, too "
                f"few to hold one out and choose among {len(candidates)} values. Name one value."
            )
        held_out, n_classes = rows[~fitted], len(task.classes)
        together = max(1, MAX_BYTES // (8 * n_classes * int(fitted.sum())))
        truth, right = labels[held_out].to(task.device), []
        for first in range(0, len(candidates), together):
            part = candidates[first : first + together]
            scores = _scores(
                features,
                labels.to(task.device),
                rows[fitted],
                held_out,
                n_classes,
                part,
                options.max_iter,
            )
            right += (scores.argmax(dim=2) == truth).sum(dim=1).tolist()
        best = max(range(len(candidates)), key=lambda number: (right[number], -number))
        shown = ", ".join(f"{c:g}: {n}" for c, n in zip(candidates, right, strict=True))
        say(
            f"{task.dataset} logistic: C = {candidates[best]:g}, by {len(held_out)} held-out training clips "
            f"(right at {shown})"
        )
        return candidates[best]


def _scores(
    features: Tensor,
    labels: Tensor,
    fitted: Tensor,
    scored: Tensor,
    n_classes: int,
    strengths: list[float],
    max_iter: int,
) -> Tensor:
    """Scores (strengths, scored clips, classes) of a probe for each C, fitted on the rows `fitted`."""
    scaled = standardised(features, fitted)
    train, test = in_span(scaled[fitted], scaled[scored])
    c = train.new_tensor([softmax_strength(value, n_classes) for value in strengths])
    weights = train.new_ones(len(strengths), len(train))
    w, b = fit_logistic(train, labels[fitted], n_classes, weights, c, max_iter)
    scores = test @ w + b
    return 2 * scores if n_classes == 2 else scores
