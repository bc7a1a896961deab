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
transform moves padding or a joint that the clip lacks. To add a transform, write a subclass of
`Transform` with `name=` in one of the modules below; a new module must be imported here.
"""

# Imported for their effect: a module's transforms register themselves under their names.
from sslslr.augment import masking, spatial  # noqa: F401
from sslslr.augment.base import TRANSFORMS, Transform, View, compose
from sslslr.augment.temporal import TemporalPermutation, permutation_order, share_of

__all__ = [
    "TRANSFORMS",
    "TemporalPermutation",
    "Transform",
    "View",
    "compose",
    "permutation_order",
    "share_of",
]
