"""SL-FPN-VC: SL-FPN's three branches, with VICReg's variance and covariance terms on each.

Ours, beyond the paper. With z, z_a, z_b the projections of the original clip and of two views,
P the predictor, sg the stop-gradient, and v, c VICReg's terms (`vicreg.py`):

    L = w_views MSE(z_a, z_b) + w_o (MSE(z, z_a) + MSE(z, z_b)) / 2 + w_p MSE(P(z), sg(z_b))
        + w_variance * mean of v(z), v(z_a), v(z_b) + w_covariance * (c(z) + c(z_a) + c(z_b))

What keeps it from collapsing: the variance term. SL-FPN's own loss is zero for a constant z; here
such a z costs w_variance (gamma - 0.01), and branches that agree while each spreads by gamma in
uncorrelated directions cost nothing. Shrinking z, which SL-FPN rewards, is stopped at gamma.

    method = SlFpnVc(encoder, SlFpnVc.Options())
    loss, terms = method(clip, view_a, view_b, generator)
"""

from pydantic import Field
from torch import Generator, Tensor
from torch.nn import functional as F

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch
from sslslr.encoders._base import Encoder
from sslslr.methods import register
from sslslr.methods._base import Method, MethodOutput, encode_together, full, mlp
from sslslr.methods.vicreg import covariance_term, variance_term


@register
class SlFpnVc(Method):
    """SL-FPN made collapse-free, still without negative pairs."""

    title = "SL-FPN + variance-covariance (ours)"
    line = (0, 1)

    class Options(Settings):
        w_views: float = Field(25, ge=0, description="Weight of MSE(z_a, z_b); VICReg's 25.")
        w_o: float = Field(
            25, ge=0, description="Weight of the original's branch; equal to w_views, as in SL-FPN."
        )
        w_p: float = Field(
            0,
            ge=0,
            description="Weight of MSE(P(z), sg(z_b)); 0 = no predictor: the variance term does its work. "
            "25 is SL-FPN's balance.",
        )
        w_variance: float = Field(
            25, ge=0, description="Weight of the variance hinge; VICReg's 25."
        )
        w_covariance: float = Field(
            1, ge=0, description="Weight of the covariance term; VICReg's 1."
        )
        gamma: float = Field(
            1, gt=0, description="Standard deviation that is asked for; VICReg's 1."
        )
        projector_layers: int = Field(
            2, ge=1, description="Linear layers of the projector; SL-FPN's 2."
        )
        projector_hidden: int = Field(
            2048,
            ge=1,
            description="Hidden width of the projector; VICReg's 4 times the encoder's 512.",
        )
        projection: int = Field(
            2048, ge=2, description="Width of z; VICReg needs it wide, SL-FPN's is 128."
        )
        batch_norm: bool = Field(
            True,
            description="Batch norm in the projector's hidden layers; VICReg's, SL-FPN has none.",
        )
        predictor_hidden: int = Field(1024, ge=1, description="Of the predictor; SL-FPN's of 2026.")

    def __init__(self, encoder: Encoder, options: "SlFpnVc.Options"):
        super().__init__(encoder, options)
        hidden = [options.projector_hidden] * (options.projector_layers - 1)
        # No last bias, as in VICReg: it moves all branches alike.
        self.projector = mlp(
            encoder.width,
            *hidden,
            options.projection,
            batch_norm=options.batch_norm,
            last_bias=False,
        )
        self.predictor = None
        if options.w_p > 0:
            self.predictor = mlp(options.projection, options.predictor_hidden, options.projection)

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        options = self.options
        inputs = [clip, view_a, view_b]  # the original's statistics differ from the views'
        z, z_a, z_b = branches = encode_together(self.encoder, inputs, generator, self.projector)
        weighted = {
            "views": (options.w_views, mse(z_a, z_b)),
            "original": (options.w_o, (mse(z, z_a) + mse(z, z_b)) / 2),
            "variance": (
                options.w_variance,
                sum(variance_term(x, options.gamma) for x in branches) / 3,
            ),
            "covariance": (options.w_covariance, sum(covariance_term(x) for x in branches)),
        }
        if self.predictor is not None:
            weighted["predictor"] = (options.w_p, mse(self.predictor(z), z_b.detach()))
        loss = sum(weight * term for weight, term in weighted.values())
        return MethodOutput(loss, {name: term.detach() for name, (_, term) in weighted.items()})


def mse(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of (B, d), in float32."""
    return F.mse_loss(full(x), full(y))
