"""The coding rate of a batch: how many directions it fills, without a pair of clips being pushed apart.

    R(Z) = 1/2 log det(I + d / (B eps^2) Z^T Z)        Z (B, d)

Yu et al., "Learning Diverse and Discriminative Representations via the Principle of Maximal Coding
Rate Reduction", NeurIPS 2020.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from sslslr.methods._base import full


def coding_rate(z: Tensor, eps2: float) -> Tensor:
    """R(z) of (B, d), in nats: 1/2 log det(I + d / (B eps2) z^T z)."""
    b, d = z.shape
    gram = z.T @ z if d <= b else z @ z.T  # both have the same determinant
    identity = torch.eye(len(gram), device=z.device, dtype=z.dtype)
    factor = torch.linalg.cholesky(identity + d / (b * eps2) * gram)
    return factor.diagonal().log().sum()


def unit_mean(branches: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Of the branches (B, d): their cosine to their mean, averaged; and that mean as unit vectors (B, d)."""
    unit = torch.stack([F.normalize(branch, dim=1) for branch in branches])
    mean = F.normalize(unit.mean(dim=0), dim=1)
    return (unit * mean).sum(dim=2).mean(), mean


def feature_rate(features: list[Tensor], eps2: float) -> Tensor:
    """R(m) / width with m the normalised mean of the branches' features (B, width) around the batch's.

    A projector may fill its space from features that lie in few directions; this spreads the features.
    """
    centred = torch.stack([full(h) for h in features])
    centred = centred - centred.mean(dim=(0, 1))
    _, mean = unit_mean(list(centred))
    return coding_rate(mean, eps2) / mean.shape[1]
