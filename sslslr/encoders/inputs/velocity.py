"""Change of all coordinates since the frame before."""

from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import Hands


@register
class Velocity:
    """x_t - x_(t-1) of the 75 joints, zero in the first frame and in padding: (B, T, 150)."""

    @staticmethod
    def values(hands: Hands) -> Tensor:
        return hands.change(hands.keypoints).flatten(2)
