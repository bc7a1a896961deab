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
2022), and the features are what is kept: what it gives stands in `docs/experiments.md`.

What keeps it from collapsing: a constant embedding has one direction, and R then is about
log(d / eps^2) / 2, far below its maximum d/2 * log(1 + 1 / eps^2); the gradient of log det is
largest where a direction is empty.
"""

from typing import Any

import torch
from pydantic import Field
from torch import Generator

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch
from sslslr.encoders._base import Encoder
from sslslr.methods import register
from sslslr.methods._base import Branches, MethodOutput, full, mlp
from sslslr.methods._coding_rate import coding_rate, feature_rate, unit_mean


@register
class SlFpnRate(Branches):
    """Three branches, negative-free, cannot collapse."""

    title = "SL-FPN + coding rate (ours)"
    line = (0, 2)

    class Options(Settings):
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

    def __init__(self, encoder: Encoder, options: Any):
        super().__init__(encoder, options)
        self.projector = mlp(
            encoder.width,
            options.projector_hidden,
            options.projection,
            batch_norm=options.batch_norm,
        )

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        options = self.options
        features, projections = self.branches(clip, view_a, view_b, generator)
        with torch.autocast(view_a.keypoints.device.type, enabled=False):
            agreement, mean = unit_mean([full(z) for z in projections])
            rate = coding_rate(mean, options.eps2) / options.projection
            terms = {"invariance": 1 - agreement, "rate": rate}
            loss = options.w_invariance * (1 - agreement) - options.w_rate * rate
            if options.w_features > 0:
                terms["feature_rate"] = feature_rate(features, options.eps2)
                loss = loss - options.w_features * terms["feature_rate"]
        return MethodOutput(loss, {name: term.detach() for name, term in terms.items()})
