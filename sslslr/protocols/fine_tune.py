"""End-to-end training on the labels: encoder and a linear head, from the encoder's weights.

From a pretrained encoder this is full fine-tuning; from a random one it is supervised training
from scratch, the ceiling of the linear-evaluation table. AdamW, 10 % warm-up, cosine to zero.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from sslslr.config import FineTuneConfig
from sslslr.protocols import Prediction, Predictions, Task, register
from sslslr.seeds import derive, generator

WARMUP_SHARE = 0.1


@register
class FineTune:
    """Trains a copy; the encoder that was handed in does not change."""

    Options = FineTuneConfig

    def run(self, task: Task, options: FineTuneConfig, say) -> Predictions:
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
            self._fit(model, task, options, seed, say)
        yield Prediction(self._scores(model, task, options.batch_size), n_train=len(task.train))

    def _fit(
        self, model: nn.ModuleDict, task: Task, options: FineTuneConfig, seed: int, say
    ) -> None:
        clips = task.clips.to(task.device)
        labels = torch.as_tensor(task.labels).to(task.device)
        train = torch.as_tensor(task.train)
        steps = options.epochs * math.ceil(len(train) / options.batch_size)
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _cosine(step, steps))
        draws = generator(seed, "order")
        noise = generator(seed, "noise", device=task.device)
        model.train()
        for epoch in range(1, options.epochs + 1):
            total = torch.zeros((), device=task.device)
            for rows in train[torch.randperm(len(train), generator=draws)].split(
                options.batch_size
            ):
                rows = rows.to(task.device)
                batch = clips[rows]
                logits = model["head"](model["encoder"](batch.keypoints, batch.lengths, noise))
                loss = F.cross_entropy(logits, labels[rows])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.detach() * len(rows)
            if epoch % max(1, options.epochs // 10) == 0:
                say(
                    f"{task.dataset} fine_tune epoch {epoch}/{options.epochs} loss {total.item() / len(train):.4g}"
                )

    @torch.no_grad()
    def _scores(self, model: nn.ModuleDict, task: Task, batch_size: int):
        model.eval()
        noise = generator(task.seed, "fine_tune test", device=task.device)
        scores = []
        for rows in torch.as_tensor(task.test).split(max(batch_size, 256)):
            batch = task.clips[rows].to(task.device)
            scores.append(model["head"](model["encoder"](batch.keypoints, batch.lengths, noise)))
        return torch.cat(scores).float().cpu().numpy()


def _cosine(step: int, steps: int) -> float:
    """Factor of the learning rate: linear warm-up over the first tenth, then half a cosine to 0."""
    warmup = max(1, int(WARMUP_SHARE * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
