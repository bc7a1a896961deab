"""Plain loops after the published recipes, to measure against and to test against.

Written from the description in the paper's notes (`docs/deviations.md`), without this package's
batching: a permutation a clip, three passes a step, the encoder inside the probe's loop, one head and
one run at a time. Each is what a reader of the paper would write first, and is as fast as that is.
"""

import itertools
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslslr.evaluation.protocols._heads import linear_decay_with_warmup
from sslslr.utils.seeds import generator


def permuted(clips: Tensor, lengths: Tensor) -> Tensor:
    """A view of (B, T, 75, 2): the first third and the last quarter shuffled, clip by clip."""
    views = clips.clone()
    for i, n in enumerate(lengths.tolist()):
        views[i, : n // 3] = clips[i, torch.randperm(n // 3)]
        views[i, n - n // 4 : n] = clips[i, n - n // 4 + torch.randperm(n // 4)]
    return views


def filled(clips: np.ndarray) -> np.ndarray:
    """Gaps of (B, L, 75, 2) filled by np.interp, joint by joint."""
    clips, time = clips.copy(), np.arange(clips.shape[1])
    for clip in clips:
        for joint in range(clip.shape[1]):
            seen = np.isfinite(clip[:, joint, 0])
            for axis in range(2):
                clip[:, joint, axis] = np.interp(time, time[seen], clip[seen, joint, axis])
    return clips


class PlainConvolution(nn.Module):
    """What one would write first for keypoints on a CPU: depthwise convolutions with batch norm.

    Two blocks of the public recipes for this task: widen, convolve each channel over 17 frames, narrow,
    with a residual; features are mean, maximum and deviation over time. No hand geometry.
    """

    def __init__(self, width: int, joints: int = 42, kernel: int = 17):
        super().__init__()
        self.width, self.joints = 3 * width, joints
        self.stem = nn.Sequential(nn.Linear(2 * joints, width), nn.LayerNorm(width))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(width, 2 * width, 1),
                nn.SiLU(),
                nn.Conv1d(2 * width, 2 * width, kernel, padding="same", groups=2 * width),
                nn.BatchNorm1d(2 * width),
                nn.Conv1d(2 * width, width, 1),
            )
            for _ in range(2)
        )

    def forward(self, keypoints: Tensor, lengths: Tensor, generator=None) -> Tensor:
        x = self.stem(keypoints[:, :, : self.joints].flatten(2)).transpose(1, 2)
        for block in self.blocks:
            x = x + block(x)
        x = x.float()
        return torch.cat([x.mean(dim=2), x.amax(dim=2), x.std(dim=2)], dim=1)


class PlainSlFpn(nn.Module):
    """Encoder, projector and predictor of SL-FPN as the paper gives them."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.projector = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 128))
        self.predictor = nn.Sequential(nn.Linear(128, 1024), nn.ReLU(), nn.Linear(1024, 128))


def sl_fpn_epoch(
    model: PlainSlFpn, optimizer: torch.optim.Optimizer, clips: Tensor, lengths: Tensor, batch: int
) -> float:
    """One epoch: views made on the host a clip at a time, three passes, the loss read every step."""
    device, total = next(model.parameters()).device, 0.0
    for rows in torch.randperm(len(clips)).split(batch):
        n = lengths[rows]
        z, z_a, z_b = (
            model.projector(model.encoder(view.to(device), n.to(device)))
            for view in (clips[rows], permuted(clips[rows], n), permuted(clips[rows], n))
        )
        loss = F.mse_loss(z_a, z_b) + F.mse_loss(z, z_a)
        loss = loss + F.mse_loss(model.predictor(z), z_b.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total


def plain_head(widths: list[int], seed: int) -> nn.Sequential:
    """LayerNorm and linear layers, with the weights that `StackedHeads` draws for `seed`."""
    draw, layers = generator(seed, "head"), [nn.LayerNorm(widths[0])]
    for n_in, n_out in itertools.pairwise(widths):
        bound, layer = 1 / math.sqrt(n_in), nn.Linear(n_in, n_out)
        layer.weight.data = torch.empty(n_in, n_out).uniform_(-bound, bound, generator=draw).T
        layer.bias.data = torch.empty(n_out).uniform_(-bound, bound, generator=draw)
        layers.append(layer)
    return nn.Sequential(*layers)


def probe(
    encoder: nn.Module,
    clips: Tensor,
    lengths: Tensor,
    labels: Tensor,
    widths: list[int],
    seed: int,
    epochs: int,
    batch: int,
    stop_after: int | None = None,
) -> nn.Sequential:
    """One head of the released protocol: the frozen encoder runs again for every batch of every epoch.

    Args:
        stop_after: epochs to run of those that the schedule is made for.
    """
    head, order = plain_head(widths, seed).to(clips.device), generator(seed, "head order")
    optimizer = torch.optim.SGD(head.parameters(), lr=0.01)
    for epoch in range(epochs if stop_after is None else stop_after):
        rate = 0.01 * linear_decay_with_warmup(epoch, min(20, epochs // 5), epochs)
        optimizer.param_groups[0]["lr"] = rate
        for rows in torch.randperm(len(clips), generator=order).split(batch):
            with torch.no_grad():
                features = encoder(clips[rows], lengths[rows])
            optimizer.zero_grad()
            F.cross_entropy(head(features), labels[rows]).backward()
            optimizer.step()
    return head
