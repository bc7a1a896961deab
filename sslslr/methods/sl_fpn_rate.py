"""Beyond the paper: SL-FPN's three branches, kept apart by the rate of their code.

The original clip and two views share encoder and projector as in SL-FPN, and no pair of clips is
ever pushed apart. With unit vectors u, u_a, u_b (B, d) of the three branches and m their normalised mean,

    L = w_i * mean_k (1 - u_k . m)  -  w_r * R(m) / d  -  w_f * R(h) / width
    R(Z) = 1/2 log det(I + d / (B eps^2) Z^T Z)

The first term pulls the branches of a clip together. R is the coding rate of a batch (Yu et al.,
"Learning Diverse and Discriminative Representations via the Principle of Maximal Coding Rate
Reduction", NeurIPS 2020; used without negative pairs by Tong et al., "EMP-SSL", 2023): it grows
with the number of directions that the batch fills.

The last term is ours: h is the same mean of the branches one step earlier, of the encoder's features
around the batch's mean. A projector may fill its space from features that lie in few directions
(Jing et al., "Understanding Dimensional Collapse in Contrastive Self-supervised Learning", ICLR
2022), and the features are what is kept: what it gives stands in `docs/decisions.md`.

What keeps it from collapsing: a constant embedding has one direction, and R then is about
log(d / eps^2) / 2, far below its maximum d/2 * log(1 + 1 / eps^2); the gradient of log det is
largest where a direction is empty.
"""

from typing import Any

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn import functional as F

from sslslr.batch import Batch
from sslslr.methods import register
from sslslr.methods._base import Method, MethodOutput, encode_together, full, mlp
from sslslr.strict import Strict


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


@register
class SlFpnRate(Method):
    """Three branches, negative-free, cannot collapse."""

    class Options(Strict):
        w_invariance: float = Field(1.0, ge=0, description="Weight of pulling branches together.")
        w_rate: float = Field(1.0, ge=0, description="Weight of the coding rate of their means.")
        w_features: float = Field(
            0.3,
            ge=0,
            description="Weight of the coding rate of the features; chosen on training clips.",
        )
        eps2: float = Field(0.2, gt=0, description="Squared precision of the code (EMP-SSL's 0.2).")
        original: bool = Field(True, description="Whether the un-augmented clip is a branch.")
        projector_hidden: int = Field(2048, ge=1, description="Hidden width of the projector.")
        projection: int = Field(256, ge=2, description="Width of z; a batch should be larger.")
        batch_norm: bool = Field(True, description="Batch norm in the projector's hidden layer.")

    def __init__(self, encoder: torch.nn.Module, options: Any):
        super().__init__(encoder, options)
        self.projector = mlp(
            encoder.width,
            options.projector_hidden,
            options.projection,
            batch_norm=options.batch_norm,
        )
        self.spreads_features = options.w_features > 0

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        options = self.options
        inputs = [clip, view_a, view_b] if options.original else [view_a, view_b]
        features = encode_together(self.encoder, inputs, generator)
        projections = [self.project(h) for h in features]
        with torch.autocast(view_a.keypoints.device.type, enabled=False):
            agreement, mean = unit_mean([full(z) for z in projections])
            rate = coding_rate(mean, options.eps2) / options.projection
            terms = {"invariance": 1 - agreement, "rate": rate}
            loss = options.w_invariance * (1 - agreement) - options.w_rate * rate
            if self.spreads_features:
                centred = torch.stack([full(h) for h in features])
                centred = centred - centred.mean(dim=(0, 1))
                _, mean = unit_mean(list(centred))
                terms["feature_rate"] = coding_rate(mean, options.eps2) / mean.shape[1]
                loss = loss - options.w_features * terms["feature_rate"]
        return MethodOutput(loss, {name: term.detach() for name, term in terms.items()})

    def project(self, embedding: Tensor) -> Tensor:
        return self.projector(embedding)
