"""SimSiam: predict one view's projection from the other's, with a stop-gradient and no copy.

Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021, equations 1 to 4. With z
the projections of two views, P the predictor, p = P(z) and sg the stop-gradient:

    L = -cos(p_a, sg(z_b)) / 2 - cos(p_b, sg(z_a)) / 2                    (-1 to 1)

What keeps it from collapsing: the stop-gradient, together with the predictor and batch norm. A
constant z is a minimum (L = -1) all the same, and without the stop-gradient it is found at once
(the paper's figure 2; `stop_gradient: false` repeats it). Watch the spread of unit-length z: about
1 / sqrt(d) where directions are even, 0 where it collapsed.

    method = Simsiam(encoder, Simsiam.Options())
    loss, terms = method(clip, view_a, view_b, generator)
"""

from pydantic import Field
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch
from sslslr.encoders._base import Encoder
from sslslr.methods import register
from sslslr.methods._base import Method, MethodOutput, encode_together, full, mlp


def negative_cosine(predicted: Tensor, target: Tensor) -> Tensor:
    """-1 times the mean cosine of (N, d) and (N, d); detach the target where it is to stay put."""
    return -F.cosine_similarity(full(predicted), full(target), dim=1).mean()


@register
class Simsiam(Method):
    """The negative-free baseline of the paper without a momentum target."""

    title = "SimSiam"
    line = (2, 1)
    unit_length = True

    class Options(Settings):
        stop_gradient: bool = Field(
            True, description="Gradients stop at the target (paper); false collapses."
        )
        projector_hidden: int = Field(
            2048, ge=1, description="Hidden width of the three-layer projector (paper)."
        )
        projection: int = Field(2048, ge=2, description="Width of z (paper).")
        predictor_hidden: int = Field(
            512, ge=1, description="Hidden width of the predictor, a bottleneck (paper)."
        )

    def __init__(self, encoder: Encoder, options: "Simsiam.Options"):
        super().__init__(encoder, options)
        hidden, width = options.projector_hidden, options.projection
        self.projector = nn.Sequential(
            mlp(encoder.width, hidden, hidden, width, batch_norm=True, last_bias=False),
            nn.BatchNorm1d(width, affine=False),  # on the output too, without scale (authors' code)
        )
        self.predictor = mlp(width, options.predictor_hidden, width, batch_norm=True)

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        z_a, z_b = encode_together(self.encoder, [view_a, view_b], generator, self.projector)
        p_a, p_b = self.predictor(z_a), self.predictor(z_b)
        if self.options.stop_gradient:
            z_a, z_b = z_a.detach(), z_b.detach()
        terms = {"a_to_b": negative_cosine(p_a, z_b), "b_to_a": negative_cosine(p_b, z_a)}
        loss = (terms["a_to_b"] + terms["b_to_a"]) / 2
        return MethodOutput(loss, {name: term.detach() for name, term in terms.items()})
