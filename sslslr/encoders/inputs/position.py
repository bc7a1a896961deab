"""Coordinates of all joints: the paper's input."""

from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import Hands


@register
class Position:
    """x and y of the 75 joints as the preprocessing gives them: (B, T, 150)."""

    @staticmethod
    def values(hands: Hands) -> Tensor:
        return hands.keypoints.flatten(2)
