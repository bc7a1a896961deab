"""SL-FPN: three branches, no negative pairs (`docs/paper.md`, section "SL-FPN").

With z = g(f(x)) the projection of the original clip, z_a and z_b those of two augmented views, P
the predictor, sg the stop-gradient and MSE the mean over all elements:

    L = MSE(z_a, z_b) + w_o * MSE(z, z_a) + w_p * MSE(P(z), sg(z_target))

What keeps it from collapsing: nothing. A constant z makes L zero; the released loss curve, which
falls from 1.5e-3 to 1e-5 in 50 epochs, looks like it. Watch the spread and rank in history.csv.

    method = SlFpn(encoder, SlFpn.Options())
    loss, terms = method(clip, view_a, view_b, generator)
"""

import math
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor
from torch.nn import functional as F

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch, concatenate
from sslslr.encoders._base import Encoder
from sslslr.methods import register
from sslslr.methods._base import Method, MethodOutput, mlp

# What each variant stands for where a setting is not given (`docs/paper.md`, the table of dates).
VARIANTS: dict[str, dict[str, Any]] = {
    "paper": {
        "w_o": 1.0,
        "w_p": 1.0,
        "target": "b",
        "predictor": "trained",
        "predictor_hidden": 1024,
    },
    "as_released": {
        "w_o": 1.0,
        "w_p": 0.5,
        "target": "a",
        "predictor": "redrawn",
        "predictor_hidden": 128,
    },
}


def sl_fpn_loss(
    z: Tensor, z_a: Tensor, z_b: Tensor, predicted: Tensor, target: Tensor, w_o: float, w_p: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """The three-branch loss of (B, d) projections, and its unweighted terms.

    Args:
        predicted: P(z).
        target: the view that P(z) is to meet, detached by the caller where it is to be held still.
    """
    terms = {
        "views": F.mse_loss(z_a, z_b),
        "original": F.mse_loss(z, z_a),
        "predictor": F.mse_loss(predicted, target),
    }
    loss = terms["views"] + w_o * terms["original"] + w_p * terms["predictor"]
    return loss, {name: term.detach() for name, term in terms.items()}


@register
class SlFpn(Method):
    """The paper's method; `variant: as_released` follows the April 2025 code."""

    title = "SL-FPN"
    line = (0, 0)

    class Options(Settings):
        variant: Literal["paper", "as_released"] = Field(
            "paper", description="Defaults of the settings below."
        )
        w_o: float = Field(ge=0, description="Weight of MSE(z, z_a), the original's branch.")
        w_p: float = Field(ge=0, description="Weight of MSE(P(z), sg(z_target)).")
        target: Literal["a", "b"] = Field(
            description="View that the predictor's output is to meet."
        )
        predictor: Literal["trained", "redrawn"] = Field(
            description="trained, or re-drawn at random each step and never trained (as released)."
        )
        predictor_hidden: int = Field(ge=1, description="Hidden width of the predictor.")
        stop_gradient: bool = Field(
            True, description="Whether the predictor's target is held still; false is an ablation."
        )
        projector_hidden: int = Field(512, ge=1, description="Hidden width of the projector.")
        projection: int = Field(128, ge=2, description="Width of z.")

        @model_validator(mode="before")
        @classmethod
        def _defaults_of_variant(cls, values: Any) -> Any:
            if isinstance(values, dict):
                return {**VARIANTS.get(values.get("variant", "paper"), {}), **values}
            return values

    def __init__(self, encoder: Encoder, options: "SlFpn.Options"):
        super().__init__(encoder, options)
        self.projector = mlp(encoder.width, options.projector_hidden, options.projection)
        if options.predictor == "trained":
            self.predictor = mlp(options.projection, options.predictor_hidden, options.projection)

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        # One pass for the three branches; without batch norm this equals three passes.
        together = concatenate([clip, view_a, view_b])
        embedding = self.encoder(together.keypoints, together.lengths, generator)
        z, z_a, z_b = self.project(embedding).chunk(3)
        predicted = self.predict(z, generator)
        target = z_b if self.options.target == "b" else z_a
        target = target.detach() if self.options.stop_gradient else target
        return MethodOutput(
            *sl_fpn_loss(z, z_a, z_b, predicted, target, self.options.w_o, self.options.w_p)
        )

    def predict(self, z: Tensor, generator: Generator) -> Tensor:
        """P(z); for `redrawn` with weights as nn.Linear would draw them, anew at every call."""
        if self.options.predictor == "trained":
            return self.predictor(z)
        hidden, width = self.options.predictor_hidden, self.options.projection
        return _redrawn_linear(F.relu(_redrawn_linear(z, hidden, generator)), width, generator)


def _redrawn_linear(x: Tensor, n_out: int, generator: Generator) -> Tensor:
    bound = 1 / math.sqrt(x.shape[-1])
    weight = torch.empty(n_out, x.shape[-1], device=x.device).uniform_(
        -bound, bound, generator=generator
    )
    bias = torch.empty(n_out, device=x.device).uniform_(-bound, bound, generator=generator)
    return F.linear(x, weight, bias)
