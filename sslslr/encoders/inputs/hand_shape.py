"""Each hand's joints relative to its wrist, in palm lengths."""

from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import Hands


@register
class HandShape:
    """(x_j - x_wrist) / palm of the 21 joints of each hand: (B, T, 2, 42).

    Where the hand is and how large it appears are taken out; what is left is the handshape. The
    palm's length, wrist to the middle finger's base, is a mean over the clip's true length, so that a
    hand that turns edge-on does not explode. Joints that the clip lacks stay zero.
    """

    @staticmethod
    def values(hands: Hands) -> Tensor:
        return hands.local.flatten(3)
