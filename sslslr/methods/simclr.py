"""SimCLR: each view must find its twin among all other views of the batch.

Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020,
equation 1. With u the 2N unit-length projections of N clips' two views, and i' the twin of i:

    L = mean over i of  -log( exp(u_i.u_i' / T) / sum over k != i of exp(u_i.u_k / T) )

What keeps it from collapsing: the negatives. Were all projections equal, each of the 2N - 1
candidates would be as likely, and L = log(2N - 1); telling clips apart lowers it.

    method = Simclr(encoder, Simclr.Options(temperature=0.1))
    loss, terms = method(clip, view_a, view_b, generator)
"""

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn import functional as F

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch
from sslslr.encoders._base import Encoder
from sslslr.methods import register
from sslslr.methods._base import Method, MethodOutput, encode_together, full_precision, mlp


@full_precision
def nt_xent(z_a: Tensor, z_b: Tensor, temperature: float) -> Tensor:
    """The normalised-temperature cross entropy (scalar) of two views' projections (N, d).

    A view is never compared with itself; its negatives are both views of the other clips.
    """
    n = len(z_a)
    unit = F.normalize(torch.cat([z_a, z_b]), dim=1)  # (2N, d)
    itself = torch.eye(2 * n, dtype=torch.bool, device=unit.device)
    logits = (unit @ unit.T / temperature).masked_fill(itself, float("-inf"))
    twin = torch.arange(2 * n, device=unit.device).roll(n)  # i + N for i < N, else i - N
    return F.cross_entropy(logits, twin)


@register
class Simclr(Method):
    """The contrastive baseline of the paper."""

    title = "SimCLR"
    line = (1, 0)
    unit_length = True

    class Options(Settings):
        temperature: float = Field(
            0.5,
            gt=0,
            description="T of NT-Xent; 0.5 is the authors' code. 0.1 did better in our measurements.",
        )
        projector_hidden: int = Field(
            512, ge=1, description="Hidden width of the projector; SL-FPN's, so that they compare."
        )
        projection: int = Field(128, ge=2, description="Width of z (Chen et al., section 2.1).")

    def __init__(self, encoder: Encoder, options: "Simclr.Options"):
        super().__init__(encoder, options)
        self.projector = mlp(encoder.width, options.projector_hidden, options.projection)

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        z_a, z_b = encode_together(self.encoder, [view_a, view_b], generator, self.projector)
        loss = nt_xent(z_a, z_b, self.options.temperature)
        return MethodOutput(loss, {"contrast": loss.detach()})
