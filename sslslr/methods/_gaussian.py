"""Methods that ask of the projections to be normally distributed: branches, invariance, projector."""

from abc import abstractmethod
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Generator, Tensor

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch
from sslslr.encoders._base import Encoder
from sslslr.methods._base import Branches, MethodOutput, full, mlp
from sslslr.methods._coding_rate import feature_rate

FEATURE_EPS2 = 0.2  # of the features' coding rate, as in sl_fpn_rate


class GaussianOptions(Settings):
    """What the methods have in common."""

    w_regularisation: float
    slices: int = Field(256, ge=1, description="Random directions of a step.")
    w_features: float = Field(
        0.0,
        ge=0,
        description="Weight of the coding rate of the features (sl_fpn_rate's), taken off.",
    )
    original: bool = Field(True, description="Whether the un-augmented clip is a branch.")
    projector: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)] = Field(
        [2048, 2048, 128],
        description="Widths of the projector's layers, batch norm between (the authors').",
    )


class GaussianMethod(Branches):
    """(1 - w) invariance + w regularisation, with w = `w_regularisation`.

    The invariance is the mean squared distance of the branches' projections from their mean; what
    the regularisation is, a subclass says.
    """

    def __init__(self, encoder: Encoder, options: Any):
        super().__init__(encoder, options)
        self.projector = mlp(encoder.width, *options.projector, batch_norm=True)

    @abstractmethod
    def regularisation(self, z: Tensor, generator: Generator) -> dict[str, Tensor]:
        """Parts of the regularisation of projections (branches, B, d); summed with the options' `w_PART`."""

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        options = self.options
        features, projections = self.branches(clip, view_a, view_b, generator)
        with torch.autocast(view_a.keypoints.device.type, enabled=False):
            z = torch.stack([full(projection) for projection in projections])
            terms = {"invariance": invariance(z), **self.regularisation(z, generator)}
            penalty = sum(
                getattr(options, f"w_{name}", 1.0) * term
                for name, term in terms.items()
                if name != "invariance"
            )
            w = options.w_regularisation
            loss = (1 - w) * terms["invariance"] + w * penalty
            if options.w_features > 0:
                terms["feature_rate"] = feature_rate(features, FEATURE_EPS2)
                loss = loss - options.w_features * terms["feature_rate"]
        return MethodOutput(loss, {name: term.detach() for name, term in terms.items()})


def invariance(z: Tensor) -> Tensor:
    """Mean over all elements of the squared distance of (branches, B, d) from the branches' mean."""
    return (z - z.mean(dim=0)).square().mean()


def directions(z: Tensor, slices: int, generator: Generator) -> Tensor:
    """(d, slices) unit vectors, uniform on the sphere."""
    drawn = torch.randn(z.shape[-1], slices, device=z.device, generator=generator).to(z.dtype)
    return drawn / drawn.norm(dim=0)
