"""Transforms of space: one draw for all frames and joints of a clip, noise apart.

Coordinates are in shoulder widths from the shoulders' midpoint, y down (see
`sslslr/data/preprocess.py`), so maps about the origin are maps about the signer. Which families the
paper compares: `docs/paper.md`, "Baselines".
"""

from collections.abc import Sequence
from functools import cache

import torch
from pydantic import Field
from torch import Generator, Tensor

from sslslr.augment._base import RangeTransform, Transform, either_way, in_plane, register
from sslslr.data.batch import Batch
from sslslr.pose.skeleton import MIRROR


class PlaneMap(Transform):
    """Base of the maps x -> M x + s of the plane, M and s drawn for each clip; several become one."""

    def drawn_map(self, batch: Batch, generator: Generator) -> tuple[Tensor | None, Tensor | None]:
        """M (B, 2, 2) and s (B, 2), each None where it changes nothing whatever is drawn."""
        raise NotImplementedError

    @classmethod
    def together(cls, transforms: Sequence[Transform], batch: Batch, generator: Generator) -> Batch:
        """The maps one after the other, as one map: M x + s."""
        matrix = shift = None
        for transform in transforms:
            assert isinstance(transform, PlaneMap)
            own, moved = transform.drawn_map(batch, generator)
            if own is not None:
                matrix = own if matrix is None else _product(own, matrix)
                shift = shift if shift is None else _product(own, shift[..., None])[..., 0]
            if moved is not None:
                shift = moved if shift is None else shift + moved
        return _mapped(batch, matrix, shift)


PlaneMap.kind = PlaneMap


@register
class Rotation(PlaneMap):
    """Rotate about the origin by an angle uniform in ±degrees; positive is clockwise to the eye."""

    degrees: float = Field(15.0, ge=0, le=180, description="Largest angle, either way.")

    def drawn_map(self, batch: Batch, generator: Generator) -> tuple[Tensor, None]:
        angle = torch.deg2rad(self.degrees * either_way(batch, generator))
        angle = torch.where(self.chosen(batch, generator), angle, 0.0)
        cos, sin = angle.cos(), angle.sin()
        return _matrix(cos, -sin, sin, cos), None


@register
class Translation(PlaneMap):
    """Shift x and y each by a distance uniform in ±distance."""

    distance: float = Field(0.2, ge=0, description="Largest shift along an axis, shoulder widths.")

    def drawn_map(self, batch: Batch, generator: Generator) -> tuple[None, Tensor]:
        shift = self.distance * either_way(batch, generator, 2)
        return None, torch.where(self.chosen(batch, generator)[:, None], shift, 0.0)


@register
class Scale(RangeTransform, PlaneMap):
    """Multiply all coordinates by a factor uniform in low..high."""

    low: float = Field(0.8, gt=0, description="Smallest factor.")
    high: float = Field(1.2, gt=0, description="Largest factor.")

    def drawn_map(self, batch: Batch, generator: Generator) -> tuple[Tensor, None]:
        factor = self.drawn(batch, generator)
        factor = torch.where(self.chosen(batch, generator), factor, 1.0)
        return _matrix(factor, 0 * factor, 0 * factor, factor), None


@register
class Aspect(PlaneMap):
    """Multiply x by a and divide y by it, with log a uniform in ±amount: another camera, another build."""

    amount: float = Field(0.15, ge=0, le=1, description="Largest log of the factor, either way.")

    def drawn_map(self, batch: Batch, generator: Generator) -> tuple[Tensor, None]:
        log = self.amount * either_way(batch, generator)
        log = torch.where(self.chosen(batch, generator), log, 0.0)
        return _matrix(log.exp(), 0 * log, 0 * log, (-log).exp()), None


@register
class Shear(PlaneMap):
    """x + tan(a) y and y + tan(b) x, with a and b each uniform in ±degrees."""

    # Below 45 degrees the two shears together can neither flatten nor mirror a clip.
    degrees: float = Field(10.0, ge=0, lt=45, description="Largest angle, either way, either axis.")

    def drawn_map(self, batch: Batch, generator: Generator) -> tuple[Tensor, None]:
        slant = torch.deg2rad(self.degrees * either_way(batch, generator, 2)).tan()
        slant = torch.where(self.chosen(batch, generator)[:, None], slant, 0.0)
        of_x, of_y = slant.unbind(1)
        one = torch.ones_like(of_x)
        return _matrix(one, of_x, of_y, one), None


@register
class HorizontalFlip(Transform):
    """Mirror: x becomes -x, and left and right joints change names, as on a left-handed signer."""

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        chosen = self.chosen(batch, generator)
        joints = torch.where(chosen[:, None], *_joint_orders(batch.keypoints.device))
        named = joints[:, None, :, None].expand_as(batch.keypoints)
        keypoints = batch.keypoints.gather(2, named) * _signs(chosen, axis=0)
        return Batch(keypoints, batch.lengths, batch.present.gather(1, joints))


@register
class VerticalFlip(Transform):
    """Upside down: y becomes -y, the joints keep their names. One of the paper's families."""

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        signs = _signs(self.chosen(batch, generator), axis=1)
        return Batch(batch.keypoints * signs, batch.lengths, batch.present)


@register
class GaussianNoise(Transform):
    """Add normal noise to every coordinate of every frame: the jitter of a pose estimate."""

    std: float = Field(0.01, ge=0, description="Standard deviation in shoulder widths.")

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        noise = torch.randn(
            batch.keypoints.shape, device=batch.keypoints.device, generator=generator
        )
        std = torch.where(self.chosen(batch, generator), self.std, 0.0)
        return batch.with_keypoints(torch.addcmul(batch.keypoints, noise, std[:, None, None, None]))


def _matrix(xx: Tensor, xy: Tensor, yx: Tensor, yy: Tensor) -> Tensor:
    """(B, 2, 2) of four (B,)."""
    return torch.stack([xx, xy, yx, yy], dim=-1).unflatten(-1, (2, 2))


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a (B, 2, 2) times b (B, 2, n), without a matrix product: on a GPU one may round to TF32."""
    return a[:, :, :1] * b[:, :1] + a[:, :, 1:] * b[:, 1:]


def _mapped(batch: Batch, matrix: Tensor | None, shift: Tensor | None) -> Batch:
    """The points M x + s. Zeros stay zero: what a clip lacks is not shifted.

    In complex numbers M z is a z + b conj(z), for a real matrix.
    """
    points = in_plane(batch.keypoints)
    if matrix is not None:
        (xx, xy), (yx, yy) = (row.unbind(1) for row in matrix.unbind(1))
        turned = torch.complex(xx + yy, yx - xy) / 2
        mirrored = torch.complex(xx - yy, yx + xy) / 2
        mapped = points * turned[:, None, None]
        points = mapped.addcmul_(points.conj(), mirrored[:, None, None])
    if shift is not None:
        shown = batch.shown().to(shift.dtype)
        points = torch.addcmul(points, in_plane(shift)[:, None, None], shown)
    return Batch(torch.view_as_real(points), batch.lengths, batch.present)


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
