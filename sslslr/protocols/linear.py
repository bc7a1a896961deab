"""Linear evaluation as the paper does it (`shared/paper.md`, "Evaluation").

Frozen encoder; head LayerNorm, Linear 512-1024, Linear 1024-500, Linear 500-C with no
non-linearity between; SGD with learning rate 0.01, 20 warm-up epochs, linear decay to epoch 1000,
batch 512. Whether the authors used momentum is unknown; none is used here.
"""

import torch

from sslslr.config import LinearConfig
from sslslr.protocols import Prediction, Predictions, Task, register
from sslslr.protocols._heads import StackedHeads, fit_heads, linear_decay_with_warmup
from sslslr.seeds import derive


@register
class Linear:
    """All probe seeds are fitted at once on the cached features."""

    Options = LinearConfig

    def run(self, task: Task, options: LinearConfig, say) -> Predictions:
        seeds = [derive(task.seed, "linear", seed) for seed in options.seeds]
        features = torch.as_tensor(task.features).to(task.device)
        labels = torch.as_tensor(task.labels).to(task.device)
        heads = StackedHeads([features.shape[1], *options.hidden, len(task.classes)], seeds).to(
            task.device
        )
        rows = [torch.as_tensor(task.train)] * len(seeds)
        fit_heads(
            heads,
            features,
            labels,
            rows,
            seeds,
            options.epochs,
            options.batch_size,
            lambda epoch: (
                options.learning_rate
                * linear_decay_with_warmup(epoch, options.warmup_epochs, options.epochs)
            ),
        )
        with torch.no_grad():
            test = features[torch.as_tensor(task.test).to(task.device)]
            scores = heads(test.expand(len(seeds), -1, -1)).cpu().numpy()
        for seed, head_scores in zip(options.seeds, scores, strict=True):
            yield Prediction(head_scores, n_train=len(task.train), probe_seed=seed)
