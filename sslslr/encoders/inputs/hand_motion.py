"""How each hand's shape changes from frame to frame."""

import torch
from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import Hands, length


@register
class HandMotion:
    """With d_j = l_j(t) - l_j(t-1) and l the joints relative to the wrist in palms: (B, T, 2, 60).

    The change itself, 2 d_j of the 20 joints beside the wrist, and how fast it is, tanh(4 |d_j|).
    """

    @staticmethod
    def values(hands: Hands) -> Tensor:
        change = hands.change(hands.local[:, :, :, 1:])
        speed = torch.tanh(4 * length(change))
        return torch.cat([2 * change.flatten(3), speed], dim=-1)
