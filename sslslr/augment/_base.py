"""What a transform is, how transforms are composed, and the draws that they share."""

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor

from sslslr.config.settings import Settings, parse
from sslslr.data.batch import Batch
from sslslr.utils.errors import UserError
from sslslr.utils.registry import Registry

View = Callable[[Batch, Generator], Batch]
TRANSFORMS = Registry("sslslr.augment", "transform", "sslslr.transforms")
register = TRANSFORMS.register


class Transform(Settings):
    """Base of all transforms.

    A transform draws the same amount of random numbers whatever the clips hold and reads nothing
    back from the device: runs are reproducible, and a GPU is never waited for.
    """

    name: ClassVar[str]
    kind: ClassVar[type["Transform"] | None] = None  # of which a run is applied in one pass

    probability: float = Field(
        1.0, ge=0, le=1, description="Share of the clips that it is applied to, drawn per clip."
    )

    def __init_subclass__(cls, **settings: Any) -> None:
        """A transform has the name of its class: `HandRotation` is `hand_rotation`."""
        super().__init_subclass__(**settings)
        cls.name = vars(cls).get("name") or re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        return self.together([self], batch, generator)

    @classmethod
    def together(
        cls, transforms: Sequence["Transform"], batch: Batch, generator: Generator
    ) -> Batch:
        """One transform after the other; those of one `kind` may do it in fewer passes."""
        raise NotImplementedError

    def chosen(self, batch: Batch, generator: Generator) -> Tensor:
        """bool (B,): the clips to apply it to. Certainty draws nothing."""
        if self.probability == 1:
            return torch.ones(len(batch), dtype=torch.bool, device=batch.keypoints.device)
        return uniform(batch, generator) < self.probability


class RangeTransform(Transform):
    """Base of the transforms that draw one number from `low` to `high`."""

    low: float
    high: float

    @model_validator(mode="after")
    def _low_is_not_above_high(self) -> "RangeTransform":
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self

    def drawn(self, batch: Batch, generator: Generator) -> Tensor:
        """float (B,), uniform in low..high."""
        return self.low + (self.high - self.low) * uniform(batch, generator)


def uniform(batch: Batch, generator: Generator, *shape: int) -> Tensor:
    """float (B, *shape) in [0, 1) on the batch's device."""
    return torch.rand(len(batch), *shape, device=batch.keypoints.device, generator=generator)


def either_way(batch: Batch, generator: Generator, *shape: int) -> Tensor:
    """float (B, *shape), uniform in -1..1."""
    return 2 * uniform(batch, generator, *shape) - 1


def in_plane(points: Tensor) -> Tensor:
    """Points (..., 2) as complex numbers x + iy, of the same memory where its order allows that.

    Products and sums with one number a clip then run along the joints; beside an axis of length 2
    they are several times slower.
    """
    return torch.view_as_complex(points.contiguous())


def compose(steps: list[dict[str, Any]], where: str = "augmentations") -> View:
    """A view from a list of `{name: ..., setting: ...}`; an empty list is the identity.

    Raises:
        UserError: an unknown transform or setting.
    """
    transforms = []
    for number, step in enumerate(steps):
        settings = dict(step)
        name = settings.pop("name", None)
        try:
            transform = TRANSFORMS.get(name)
        except UserError as error:
            raise UserError(f"{where}[{number}]: {error}") from None
        transforms.append(parse(transform, settings, f"{where}[{number}] ({name})"))

    runs = [(kind, list(run)) for kind, run in itertools.groupby(transforms, lambda one: one.kind)]

    def view(batch: Batch, generator: Generator) -> Batch:
        for kind, run in runs:
            if kind is not None:
                batch = kind.together(run, batch, generator)
                continue
            for transform in run:
                batch = transform(batch, generator)
        return batch

    return view
