"""Which frames show each hand."""

from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import Hands


@register
class Presence:
    """1 where a frame shows the hand, 0 where it does not (`preprocess.gaps: keep`): (B, T, 2, 1)."""

    @staticmethod
    def values(hands: Hands) -> Tensor:
        return hands.seen[..., None].float()
