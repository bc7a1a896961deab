"""Many probe heads fitted at once: parameters are stacked along a first axis, one slice a head.

One step of H heads is a handful of batched matrix products instead of H small programs. Each head
has its own initialisation, its own order of the clips and, where label fractions differ, its own
clips; the result equals that of fitting the heads one by one (a test compares).
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sslslr.evaluation.protocols._blocks import blocks
from sslslr.utils.seeds import generator

LAYER_NORM_EPS = 1e-5


class StackedHeads(torch.nn.Module):
    """H heads of LayerNorm and linear layers without a non-linearity between (`docs/paper.md`).

    Args:
        widths: features, hidden layers, classes; for the paper (512, 1024, 500, C).
        seeds: one a head; drawn as nn.Linear draws its weights.
    """

    def __init__(self, widths: Sequence[int], seeds: Sequence[int]):
        super().__init__()
        heads = len(seeds)
        self.gain = torch.nn.Parameter(torch.ones(heads, 1, widths[0]))
        self.shift = torch.nn.Parameter(torch.zeros(heads, 1, widths[0]))
        draws = [generator(seed, "head") for seed in seeds]
        self.weights, self.biases = torch.nn.ParameterList(), torch.nn.ParameterList()
        for n_in, n_out in itertools.pairwise(widths):
            bound = 1 / math.sqrt(n_in)
            pairs = [
                (
                    torch.empty(n_in, n_out).uniform_(-bound, bound, generator=draw),
                    torch.empty(1, n_out).uniform_(-bound, bound, generator=draw),
                )
                for draw in draws
            ]
            self.weights.append(torch.nn.Parameter(torch.stack([weight for weight, _ in pairs])))
            self.biases.append(torch.nn.Parameter(torch.stack([bias for _, bias in pairs])))

    def forward(self, features: Tensor) -> Tensor:
        """Logits (H, n, classes) of features (H, n, width), or of (n, width) shared by all heads."""
        x = F.layer_norm(features, features.shape[-1:], eps=LAYER_NORM_EPS)
        x = x * self.gain + self.shift
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = torch.baddbmm(bias, x, weight)
        return x

    def one(self, head: int, features: Tensor) -> Tensor:
        """Logits (n, classes) of one head, of features (n, width)."""
        x = F.layer_norm(features, features.shape[-1:], eps=LAYER_NORM_EPS)
        x = x * self.gain[head] + self.shift[head]
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = torch.addmm(bias[head], x, weight[head])
        return x

    def fit(self, head: int, features: Tensor, labels: Tensor, rows: Tensor) -> tuple[float, float]:
        """One head's accuracy on some clips, and the largest entry of their mean loss's gradient."""
        parameters, right = list(self.parameters()), 0
        total = [torch.zeros_like(parameter[head]) for parameter in parameters]
        for block in blocks(rows, self.weights[-1].shape[-1]):
            block = block.to(features.device)
            x = self.one(head, features[block])
            loss = F.cross_entropy(x, labels[block], reduction="sum") / len(rows)
            for entry, gradient in zip(total, torch.autograd.grad(loss, parameters), strict=True):
                entry += gradient[head]
            right += int((x.argmax(dim=1) == labels[block]).sum())
        return right / len(rows), max(entry.abs().max().item() for entry in total)

    @torch.no_grad()
    def scores(self, head: int, features: Tensor, rows: Tensor) -> Iterator[np.ndarray]:
        """Blocks (clips, classes) of one head's logits of some rows of features (clips, width)."""
        for block in blocks(rows, self.weights[-1].shape[-1]):
            yield self.one(head, features[block.to(features.device)]).cpu().numpy()


def linear_decay_with_warmup(epoch: int, warmup: int, epochs: int) -> float:
    """Factor of the learning rate in epoch 0, 1, ...: linear to 1 over `warmup`, then linear to 0."""
    if epoch < warmup:
        return (epoch + 1) / warmup
    return (epochs - epoch) / max(epochs - warmup, 1)


def fit_heads(
    heads: StackedHeads,
    features: Tensor,
    labels: Tensor,
    train_rows: Sequence[Tensor],
    seeds: Sequence[int],
    epochs: int,
    batch_size: int,
    learning_rate: Callable[[int], float],
) -> None:
    """Plain SGD on cross-entropy, all heads at once, in place.

    Args:
        features: (clips, width), not changed: the encoder is not in the graph.
        labels: (clips,).
        train_rows: for each head, the rows it learns from.
        learning_rate: of an epoch.
    """
    device, n_heads = features.device, len(train_rows)
    counts = torch.tensor([len(rows) for rows in train_rows])
    longest = int(counts.max())
    padded_rows = torch.stack([F.pad(rows.cpu(), (0, longest - len(rows))) for rows in train_rows])
    orders = [generator(seed, "head order") for seed in seeds]
    on_device, parameters = counts.to(device), list(heads.parameters())
    for epoch in range(epochs):
        shuffled = torch.zeros_like(padded_rows)
        for head in range(n_heads):  # heads, not clips: a few at most
            order = torch.randperm(int(counts[head]), generator=orders[head])
            shuffled[head, : counts[head]] = padded_rows[head][order]
        shuffled = shuffled.to(device)
        rate = learning_rate(epoch)
        for start in range(0, longest, batch_size):
            rows = shuffled[:, start : start + batch_size]
            time = torch.arange(start, start + rows.shape[1], device=device)
            real = time < on_device[:, None]
            logits = heads(features[rows])
            losses = F.cross_entropy(logits.flatten(0, 1), labels[rows].flatten(), reduction="none")
            # The mean over each head's own clips; the sum over heads keeps their gradients apart.
            per_head = (losses.view_as(real) * real).sum(dim=1) / real.sum(dim=1).clamp_min(1)
            gradients = torch.autograd.grad(per_head.sum(), parameters)
            with torch.no_grad():
                # Plain SGD. torch.optim would import the compiler first: 2 s of each evaluation.
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.add_(gradient, alpha=-rate)
