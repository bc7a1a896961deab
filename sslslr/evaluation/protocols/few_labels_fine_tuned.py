"""Few labels, fine-tuned: encoder and head trained end to end on a part of the labels.

From pretrained weights, and from random ones (the method `random`), on the same draws of the labels,
which are those of :mod:`.few_labels`: what pretraining is worth to somebody with few labels who trains
everything.
"""

import itertools
from typing import Annotated

import torch
from pydantic import Field, model_validator

from sslslr.evaluation.protocols import Prediction, Predictions, Protocol, Task, register
from sslslr.evaluation.protocols._subsets import check_amounts
from sslslr.evaluation.protocols.few_labels import problems
from sslslr.evaluation.protocols.fine_tune import EndToEndConfig, FineTune


class FewLabelsFineTunedConfig(EndToEndConfig):
    """Amounts of labels, and how encoder and head are trained on them."""

    fractions: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.01, 0.05, 0.1, 0.3, 1.0],
        description="Shares of each class's training clips; at least one clip a class.",
    )
    shots: list[Annotated[int, Field(ge=1)]] = Field(
        [1, 2, 5, 10], description="Training clips per class; all of them where a class has fewer."
    )
    draws: int = Field(1, ge=1, description="Random draws of the labelled clips; one fit each.")

    @model_validator(mode="after")
    def _amounts_differ(self) -> "FewLabelsFineTunedConfig":
        check_amounts(self.fractions, self.shots)
        return self


@register
class FewLabelsFineTuned(Protocol):
    """One fit for each amount and draw, the fewest labels first within a draw."""

    title = "few labels, fine-tuned"
    sentence = "encoder and head trained end to end on a part of the labels"
    order = 6
    all_labels = False
    Options = FewLabelsFineTunedConfig

    @staticmethod
    def cost(options: FewLabelsFineTunedConfig, width: int, n_classes: int) -> tuple[float, float]:
        return 3.0 * options.epochs * options.draws * sum(options.fractions), 0.0

    def run(self, task: Task, options: FewLabelsFineTunedConfig, say) -> Predictions:
        train = torch.as_tensor(task.train)
        found = problems(task, options)
        for _, of_draw in itertools.groupby(found, key=lambda problem: problem.draw):
            for problem in sorted(of_draw, key=lambda problem: int(problem.mask.sum())):
                rows = train[problem.mask]
                scores, fit = FineTune().fine_tuned(task, rows, options, say)
                yield Prediction(
                    scores,
                    n_train=len(rows),
                    label_fraction=problem.fraction,
                    shots=problem.shots,
                    probe_seed=problem.draw,
                    fit=fit,
                )
