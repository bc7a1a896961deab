"""Transforms of space: one draw for all frames and joints of a clip, noise apart.

Coordinates are in shoulder widths from the shoulders' midpoint, y down (see
`sslslr/preprocess.py`), so maps about the origin are maps about the signer. Which families the
paper compares: `shared/paper.md`, "Baselines".
"""

from functools import cache

import torch
from pydantic import Field
from torch import Generator, Tensor

from sslslr.augment.base import RangeTransform, Transform, uniform
from sslslr.batch import Batch
from sslslr.skeleton import MIRROR


class Rotation(Transform, name="rotation"):
    """Rotate about the origin by an angle uniform in ±degrees; positive is clockwise to the eye."""

    degrees: float = Field(15.0, ge=0, le=180, description="Largest angle, either way.")

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        angle = torch.deg2rad(self.degrees * _either_way(batch, generator))
        angle = torch.where(self.chosen(batch, generator), angle, 0.0)
        cos, sin = angle.cos(), angle.sin()
        return _linear(batch, torch.stack([cos, cos], -1), torch.stack([-sin, sin], -1))


class Translation(Transform, name="translation"):
    """Shift x and y each by a distance uniform in ±distance."""

    distance: float = Field(0.2, ge=0, description="Largest shift along an axis, shoulder widths.")

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        shift = self.distance * _either_way(batch, generator, 2)
        shift = torch.where(self.chosen(batch, generator)[:, None], shift, 0.0)
        return batch.with_keypoints(batch.keypoints + shift[:, None, None])


class Scale(RangeTransform, name="scale"):
    """Multiply all coordinates by a factor uniform in low..high."""

    low: float = Field(0.8, gt=0, description="Smallest factor.")
    high: float = Field(1.2, gt=0, description="Largest factor.")

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        factor = self.drawn(batch, generator)
        factor = torch.where(self.chosen(batch, generator), factor, 1.0)
        return Batch(batch.keypoints * factor[:, None, None, None], batch.lengths, batch.present)


class Shear(Transform, name="shear"):
    """x + tan(a) y and y + tan(b) x, with a and b each uniform in ±degrees."""

    # Below 45 degrees the two shears together can neither flatten nor mirror a clip.
    degrees: float = Field(10.0, ge=0, lt=45, description="Largest angle, either way, either axis.")

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        slant = torch.deg2rad(self.degrees * _either_way(batch, generator, 2)).tan()
        slant = torch.where(self.chosen(batch, generator)[:, None], slant, 0.0)
        return _linear(batch, torch.ones_like(slant), slant)


class HorizontalFlip(Transform, name="horizontal_flip"):
    """Mirror: x becomes -x, and left and right joints change names, as on a left-handed signer."""

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        chosen = self.chosen(batch, generator)
        joints = torch.where(chosen[:, None], *_joint_orders(batch.keypoints.device))
        named = joints[:, None, :, None].expand_as(batch.keypoints)
        keypoints = batch.keypoints.gather(2, named) * _signs(chosen, axis=0)
        return Batch(keypoints, batch.lengths, batch.present.gather(1, joints))


class VerticalFlip(Transform, name="vertical_flip"):
    """Upside down: y becomes -y, the joints keep their names. One of the paper's families."""

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        signs = _signs(self.chosen(batch, generator), axis=1)
        return Batch(batch.keypoints * signs, batch.lengths, batch.present)


class GaussianNoise(Transform, name="gaussian_noise"):
    """Add normal noise to every coordinate of every frame: the jitter of a pose estimate."""

    std: float = Field(0.01, ge=0, description="Standard deviation in shoulder widths.")

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        noise = torch.randn(
            batch.keypoints.shape, device=batch.keypoints.device, generator=generator
        )
        std = torch.where(self.chosen(batch, generator), self.std, 0.0)
        return batch.with_keypoints(torch.addcmul(batch.keypoints, noise, std[:, None, None, None]))


def _either_way(batch: Batch, generator: Generator, *shape: int) -> Tensor:
    """float (B, *shape), uniform in -1..1."""
    return 2 * uniform(batch, generator, *shape) - 1


def _linear(batch: Batch, diagonal: Tensor, off_diagonal: Tensor) -> Batch:
    """x' = diagonal[0] x + off_diagonal[0] y, y' = diagonal[1] y + off_diagonal[1] x; both (B, 2).

    Element by element: a matrix product may round to TF32 on a GPU. Zeros stay zero.
    """
    own, other = diagonal[:, None, None], off_diagonal[:, None, None]
    keypoints = torch.addcmul(batch.keypoints * own, batch.keypoints.flip(-1), other)
    return Batch(keypoints, batch.lengths, batch.present)


def _signs(chosen: Tensor, axis: int) -> Tensor:
    """float (B, 1, 1, 2): -1 for the axis of the chosen clips, 1 elsewhere."""
    signs = torch.ones(len(chosen), 1, 1, 2, device=chosen.device)
    signs[:, 0, 0, axis] -= 2 * chosen.float()
    return signs


@cache  # copied to a device once, not at every step
def _joint_orders(device: torch.device) -> tuple[Tensor, Tensor]:
    """int64 (75,) twice: the joints with left and right exchanged, and as they are."""
    mirror = torch.from_numpy(MIRROR).to(device)
    return mirror, torch.arange(len(MIRROR), device=device)
