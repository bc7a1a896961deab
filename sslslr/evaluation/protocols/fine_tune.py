"""End-to-end training on the labels: encoder and a linear head, from the encoder's weights.

From a pretrained encoder this is full fine-tuning; from a random one it is supervised training
from scratch, the ceiling of the linear-evaluation table. AdamW, 10 % warm-up, cosine to zero. With
`augmentation` it learns from the views that pretraining had, or the ceiling would be lower for want
of them.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from sslslr.augment import at_frames, compose
from sslslr.config.settings import FASTEST, MOST, Distinct, Settings
from sslslr.evaluation.features import embedded_blocks
from sslslr.evaluation.protocols import Fit, Prediction, Predictions, Protocol, Task, register
from sslslr.evaluation.protocols._subsets import stratified_subset
from sslslr.training.loop import rate_factor
from sslslr.utils.seeds import derive, generator

WARMUP_SHARE = Fraction(1, 10)


class EndToEndConfig(Settings):
    """How encoder and head are trained."""

    epochs: int = Field(100, ge=1, le=MOST, description="Passes over the labelled clips.")
    batch_size: int = Field(64, ge=1, le=MOST, description="Clips a step.")
    learning_rate: float = Field(
        3e-4, gt=0, le=FASTEST, description="AdamW, 10 % warm-up, then cosine to zero."
    )
    weight_decay: float = Field(0.05, ge=0, description="AdamW.")
    augmentation: list[dict[str, Any]] = Field(
        [],
        description="Name of one of `augmentations`: each epoch sees a new view of each clip. Left out: "
        "the clips as they are.",
    )


class FineTuneConfig(EndToEndConfig):
    """Fine-tuning with all labels, or also with a stratified share of them."""

    label_fractions: Annotated[
        list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1), Distinct
    ] = Field(
        [1.0], description="Shares of each class's training clips (paper: 0.3); one fit each."
    )


@register
class FineTune(Protocol):
    """Trains a copy; the encoder that was handed in does not change."""

    title = "fine-tuned"
    sentence = "encoder and a linear head trained end to end on the labels"
    order = 5
    Options = FineTuneConfig

    @staticmethod
    def cost(options: FineTuneConfig, width: int, n_classes: int) -> tuple[float, float]:
        return 3.0 * options.epochs * sum(options.label_fractions), 0.0

    def run(self, task: Task, options: FineTuneConfig, say) -> Predictions:
        for fraction in options.label_fractions:
            train = torch.as_tensor(task.train)
            if fraction < 1:
                # The draw is the first of `few_labels`: the same labels.
                draw = generator(derive(task.seed, "labels", 0))
                labels = torch.as_tensor(task.labels)[train]
                train = train[stratified_subset(labels, draw, fraction=fraction)]
            scores, fit = self.fine_tuned(task, train, options, say)
            yield Prediction(scores, n_train=len(train), label_fraction=fraction, fit=fit)

    def fine_tuned(
        self, task: Task, train: Tensor, options: EndToEndConfig, say: Callable[[str], None]
    ) -> tuple[Iterator[np.ndarray], Fit]:
        """Scores (clips, classes) in blocks after training on the clips `train`, and the accuracy on these."""
        seed = derive(task.seed, "fine_tune")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = task.fresh_encoder()
            model = nn.ModuleDict(
                {
                    "encoder": encoder,
                    "head": nn.Linear(encoder.width, len(task.classes)).to(task.device),
                }
            )
            self._fit(model, task, train, options, seed, say)
        labels = np.asarray(task.labels)[train]
        blocks = self._scores(model, task, train)
        guesses = np.concatenate([block.argmax(axis=1) for block in blocks])
        scores = self._scores(model, task, torch.as_tensor(task.test))
        return scores, Fit(float((guesses == labels).mean()))

    def _fit(
        self,
        model: nn.ModuleDict,
        task: Task,
        train: Tensor,
        options: EndToEndConfig,
        seed: int,
        say,
    ) -> None:
        cut = options.augmentation and task.sources is not None  # else clips as they are scored
        clips = (task.sources() if cut else task.clips).to(task.device)
        frames = task.clips.keypoints.shape[1]
        labels = torch.as_tensor(task.labels).to(task.device)
        steps = options.epochs * math.ceil(len(train) / options.batch_size)
        optimizer = torch.optim.AdamW(
            model.parameters(),
            options.learning_rate,
            weight_decay=options.weight_decay,
            fused=True,
        )
        (group,), done = optimizer.param_groups, 0
        draws = generator(seed, "order")
        noise = generator(seed, "noise", device=task.device)
        view = compose(options.augmentation, "evaluate.protocols.fine_tune.augmentation")
        views = generator(seed, "views", device=task.device)
        model.train()
        for epoch in range(1, options.epochs + 1):
            total = torch.zeros((), device=task.device)
            for rows in train[torch.randperm(len(train), generator=draws)].split(
                options.batch_size
            ):
                rows = rows.to(task.device)
                batch = at_frames(view(clips[rows], views), frames)
                features = model["encoder"](batch.keypoints, batch.lengths, noise)
                logits = model["head"](features)
                loss = F.cross_entropy(logits, labels[rows])
                factor = rate_factor("cosine", done, steps, WARMUP_SHARE)
                group["lr"], done = options.learning_rate * factor, done + 1
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(rows)
            if epoch % max(1, options.epochs // 10) == 0:
                say(
                    f"{task.dataset} fine_tune of {len(train)} clips epoch {epoch}/{options.epochs} "
                    f"loss {total.item() / len(train):.4g}"
                )

    @torch.no_grad()
    def _scores(self, model: nn.ModuleDict, task: Task, rows: Tensor) -> Iterator[np.ndarray]:
        """Scores (clips, classes) of some clips, a block at a time; their features averaged as all others."""
        model.eval()
        averaged = task.averaged and replace(task.averaged, sources=task.averaged.sources[rows])
        encoder, seed = model["encoder"], derive(task.seed, "fine_tune test")
        for features in embedded_blocks(encoder, task.clips[rows], seed, task.device, averaged):
            yield model["head"](features).float().cpu().numpy()
