"""What a transform is, how transforms are composed, and the draws that they share."""

from collections.abc import Callable
from typing import Any

import torch
from pydantic import ConfigDict, Field, model_validator
from torch import Generator, Tensor

from sslslr.batch import Batch
from sslslr.errors import UserError, nearest
from sslslr.strict import Strict, parse

View = Callable[[Batch, Generator], Batch]
TRANSFORMS: dict[str, type["Transform"]] = {}


class Transform(Strict):
    """Base of all transforms; a subclass registers itself under `name`.

    A transform draws the same amount of random numbers whatever the clips hold and reads nothing
    back from the device: runs are reproducible, and a GPU is never waited for.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    probability: float = Field(
        1.0, ge=0, le=1, description="Share of the clips that it is applied to, drawn per clip."
    )

    def __init_subclass__(cls, name: str = "", **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if name:
            TRANSFORMS[name] = cls

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
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


def compose(steps: list[dict[str, Any]], where: str = "augmentations") -> View:
    """A view from a list of `{name: ..., setting: ...}`; an empty list is the identity.

    Raises:
        UserError: an unknown transform or setting.
    """
    transforms = []
    for number, step in enumerate(steps):
        settings = dict(step)
        name = settings.pop("name", None)
        if not isinstance(name, str) or name not in TRANSFORMS:
            raise UserError(
                f"{where}[{number}]: unknown transform {name!r}. {nearest(str(name), TRANSFORMS)}"
            )
        transforms.append(parse(TRANSFORMS[name], settings, f"{where}[{number}] ({name})"))

    def view(batch: Batch, generator: Generator) -> Batch:
        for transform in transforms:
            batch = transform(batch, generator)
        return batch

    return view
