"""Batched views of clips: transforms by name, and compositions of them.

A transform is a pydantic model whose fields are its settings and whose call maps a batch to a
batch on the batch's own device, drawing from the generator it is given. Compositions are named in
the configuration:

    augmentations:
      temporal_permutation: [{name: temporal_permutation, begin: 1/3, end: 1/4}]
      strong:
        - {name: temporal_crop, low: 0.5, high: 1.0}
        - {name: rotation, degrees: 15}
        - {name: horizontal_flip, probability: 0.5}

`compose(steps)(batch, generator)` applies one. Every draw is per clip, never per batch, and no
transform moves padding or a joint that the clip lacks. To add one, write a subclass of `Transform`
marked `@register` in a file of this folder (docs/extend.md).
"""

from sslslr.augment._base import TRANSFORMS, Transform, View, compose, register
from sslslr.augment.temporal import TemporalPermutation, at_frames, permutation_order, share_of

__all__ = [
    "TRANSFORMS",
    "TemporalPermutation",
    "Transform",
    "View",
    "at_frames",
    "compose",
    "permutation_order",
    "register",
    "share_of",
]
