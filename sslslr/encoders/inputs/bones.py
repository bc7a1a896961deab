"""The direction of each bone of a hand."""

from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import Hands


@register
class Bones:
    """Soft unit vectors b / (|b| + 0.05) of the 20 bones, b in palms: (B, T, 2, 40).

    A bone that points at the camera is short, and its vector with it.
    """

    @staticmethod
    def values(hands: Hands) -> Tensor:
        return hands.bones.flatten(3)
