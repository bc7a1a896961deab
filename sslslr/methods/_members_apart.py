"""A method for each member of a committee: losses that know nothing of each other."""

from typing import Any

import torch
from torch import Generator, Tensor, nn

from sslslr.data.batch import Batch
from sslslr.encoders._base import Encoder
from sslslr.methods._base import Method, MethodOutput


class MembersApart(Method):
    """`of` once for each member of a `committee`, on the same clips and views.

    The loss is the sum of the members' losses, so a member's gradients are its own. Terms are means.
    """

    def __init__(self, of: type[Method], encoder: Any, options: Any):
        super().__init__(encoder, options)
        self.apart: Any = nn.ModuleList(of(member, options) for member in encoder.members)

    def prepare(self, clips: Batch) -> None:
        for method in self.apart:
            method.prepare(clips)

    def kept(self) -> dict[str, Tensor]:
        return {
            f"{number}.{name}": value
            for number, method in enumerate(self.apart)
            for name, value in method.kept().items()
        }

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        outputs = [method(clip, view_a, view_b, generator) for method in self.apart]
        terms = {
            name: torch.stack([output.terms[name] for output in outputs]).mean()
            for name in outputs[0].terms
        }
        return MethodOutput(torch.stack([output.loss for output in outputs]).sum(), terms)

    def projections(self, embedding: Tensor) -> list[Tensor]:
        parts = embedding.split([method.encoder.width for method in self.apart], dim=1)
        return [m.project(part) for m, part in zip(self.apart, parts, strict=True)]

    def after_step(self, progress: float) -> None:
        for method in self.apart:
            method.after_step(progress)


def method_around(kind: type[Method], encoder: Encoder, options: Any) -> Method:
    """The method of an encoder: of a committee, one for each member."""
    if hasattr(encoder, "members"):
        return MembersApart(kind, encoder, options)
    return kind(encoder, options)
