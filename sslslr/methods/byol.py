"""BYOL: predict what a slow copy of the network says of the other view.

Grill et al., "Bootstrap Your Own Latent", NeurIPS 2020, equations 2 and 3. With p the online
network's prediction for one view and t the target network's projection of the other, both of unit
length:

    L = |p_a - t_b|^2 + |p_b - t_a|^2  =  4 - 2 p_a.t_b - 2 p_b.t_a

No gradient reaches the target; after each step it follows the online network with a momentum that
rises from 0.996 to 1 along half a cosine.

What keeps it from collapsing: nothing in L, of which a constant is a minimum, but how it is
descended. The predictor, the slow target and batch norm, which puts each clip in relation to the
others of its batch, together make the constant unstable. Without batch norm it collapses easily.

    method = Byol(encoder, Byol.Options())
    loss, terms = method(clip, view_a, view_b, generator)
    ...; optimizer.step(); method.after_step(progress)
"""

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn import functional as F

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch
from sslslr.encoders._base import Encoder
from sslslr.methods import register
from sslslr.methods._base import Method, MethodOutput, encode_together, full, mlp
from sslslr.methods._momentum import cosine_momentum, follow, slow_copy


def regression(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean squared distance (0 to 4) of (N, d) scaled to unit length; none flows into the target."""
    predicted, target = (F.normalize(full(x), dim=1) for x in (predicted, target.detach()))
    return (predicted - target).square().sum(dim=1).mean()


@register
class Byol(Method):
    """The negative-free baseline of the paper with a momentum target."""

    title = "BYOL"
    line = (2, 0)
    unit_length = True

    class Options(Settings):
        momentum: float = Field(
            0.996, ge=0, le=1, description="Of the target at the start; 1 at the end (paper)."
        )
        projector_hidden: int = Field(
            4096, ge=1, description="Hidden width of the projector (paper)."
        )
        projection: int = Field(256, ge=2, description="Width of z (paper).")
        predictor_hidden: int = Field(
            4096, ge=1, description="Hidden width of the predictor (paper)."
        )
        batch_norm: bool = Field(
            True,
            description="In projector and predictor (paper). It is much of what keeps BYOL from collapsing.",
        )

    def __init__(self, encoder: Encoder, options: "Byol.Options"):
        super().__init__(encoder, options)
        norm = options.batch_norm
        self.projector = mlp(
            encoder.width, options.projector_hidden, options.projection, batch_norm=norm
        )
        self.predictor = mlp(
            options.projection, options.predictor_hidden, options.projection, batch_norm=norm
        )
        self.target_encoder, self.target_projector = slow_copy(encoder), slow_copy(self.projector)

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        views, heads = [view_a, view_b], (self.projector, self.predictor)
        p_a, p_b = encode_together(self.encoder, views, generator, *heads)
        with torch.no_grad():
            slow = self.target_encoder, views, generator, self.target_projector
            t_a, t_b = encode_together(*slow)
        terms = {"a_to_b": regression(p_a, t_b), "b_to_a": regression(p_b, t_a)}
        loss = terms["a_to_b"] + terms["b_to_a"]
        return MethodOutput(loss, {name: term.detach() for name, term in terms.items()})

    def after_step(self, progress: float) -> None:
        momentum = cosine_momentum(self.options.momentum, progress)
        follow(self.target_encoder, self.encoder, momentum)
        follow(self.target_projector, self.projector, momentum)
