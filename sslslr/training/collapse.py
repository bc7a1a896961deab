"""How far an embedding has collapsed: spread and effective rank.

A loss that only pulls views together is zero for a constant embedding, and a low loss then looks
like success. Two figures make it visible, on the same clips before training and after each epoch:

- spread: the standard deviation over clips, averaged over dimensions; 0 means one point;
- effective rank: exp of the entropy of the normalised singular values of the centred embedding
  (Roy and Vetterli, "The effective rank", EUSIPCO 2007); 1 means a line, the width is the most.
"""

from typing import Any

import torch
from torch import Tensor

from sslslr.config.run import RunSpec
from sslslr.data.batch import Batch
from sslslr.utils.errors import UserError
from sslslr.utils.seeds import generator


def spread(embedding: Tensor) -> float:
    """Mean over dimensions of the standard deviation over clips of (clips, width)."""
    return embedding.double().std(dim=0, unbiased=False).mean().item()


def effective_rank(embedding: Tensor) -> float:
    """Effective rank of (clips, width), 1 to min(clips, width); 0 for a constant embedding."""
    centred = embedding.double() - embedding.double().mean(dim=0)
    values = torch.linalg.svdvals(centred)
    total = values.sum()
    # What float32 rounding leaves of a constant is not structure.
    if total <= 1e-6 * max(1.0, embedding.double().norm().item()):
        return 0.0
    share = values / total
    return torch.exp(-(share * torch.log(share.clamp_min(1e-300))).sum()).item()


def figures(embedding: Tensor, *projections: Tensor) -> dict[str, float]:
    """The four columns of history.csv; of several projections, a committee's, the least of each figure."""
    return {
        "projection_spread": min(map(spread, projections)),
        "projection_rank": min(map(effective_rank, projections)),
        "embedding_spread": spread(embedding),
        "embedding_rank": effective_rank(embedding),
    }


def has_collapsed(
    now: dict[str, float], start: dict[str, float], spread_share: float, least_rank: float
) -> str:
    """Why the projections count as collapsed, in words; empty if they do not.

    Args:
        now, start: `figures` of the current epoch and of the one before training.
        spread_share: collapsed below this share of the spread at the start.
        least_rank: collapsed below this effective rank.
    """
    if not now["projection_spread"] >= spread_share * start["projection_spread"]:
        return (
            f"the projections' spread is {now['projection_spread']:.2g}, below {spread_share:g} of the "
            f"{start['projection_spread']:.2g} before training"
        )
    if not now["projection_rank"] >= least_rank:
        return (
            f"the projections' effective rank is {now['projection_rank']:.2f}, below {least_rank:g}"
        )
    return ""


def watched_clips(data: Batch) -> Batch:
    """Clips whose embedding is watched for collapse, from all over the set.

    At most 512, and of a set of less than 2,048 a quarter (64 at least): a pass over all of a small
    set would be a tenth of each epoch.
    """
    n = len(data)
    kept = min(n, max(64, min(512, n // 4)))
    return data[(torch.arange(kept) * n // kept).to(data.keypoints.device)]


@torch.no_grad()
def watch(method: Any, watched: Batch, spec: RunSpec, history: list) -> dict[str, float]:
    """Collapse figures of the watched clips, in evaluation mode, always in full precision.

    Args:
        method: the method itself, not what Fabric has wrapped it in.

    Raises:
        UserError: the embedding is not finite.
    """
    was_training = method.training
    method.eval()
    dtype = next(method.parameters()).dtype
    noise = generator(spec.seed, "watch", device=watched.keypoints.device)
    embedding = method.encoder(watched.keypoints.to(dtype), watched.lengths, noise)
    projections = method.projections(embedding)
    if not all(torch.isfinite(values).all() for values in (embedding, *projections)):
        last = history[-1] if history else {"epoch": 0, "step": 0}
        raise UserError(
            f"{spec.run_id}: the embedding is not finite after epoch {last['epoch']}, step {last['step']}; "
            f"last finite loss: {last.get('loss', float('nan')):.6g}, the mean of that epoch. "
            "Nothing was written. Lower `pretrain.learning_rate` or use `precision: 32-true`."
        )
    method.train(was_training)
    return figures(embedding, *projections)
