"""How far the fingertips are from each other, from the wrist and from the fingers' bases."""

import torch
from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import TIP, Hands, distances, length

# Joints that the thumb touches in many handshapes, 5, 6, 9, 10, 13 and 17, as slices.
THUMB_MEETS = [(5, 7), (9, 11), (13, 14), (17, 18)]


@register
class FingertipDistances:
    """Distances in palms: (B, T, 2, 26).

    Between the 5 fingertips (10), fingertip to wrist (5), fingertip to its finger's base (5), the
    thumb's tip to the bases of the other fingers and the middle joints of two (6).
    """

    @staticmethod
    def values(hands: Hands) -> Tensor:
        local = hands.local
        tips, thumb = local[:, :, :, TIP], local[:, :, :, 4:5]
        bases = torch.cat([local[:, :, :, 2:3], local[:, :, :, 5::4]], dim=3)
        met = torch.cat([local[:, :, :, first:last] for first, last in THUMB_MEETS], dim=3)
        parts = [
            *(distances(tips[..., i : i + 1, :], tips[..., i + 1 :, :]) for i in range(4)),
            length(tips),  # the wrist is the origin
            length(tips - bases),
            distances(thumb, met),
        ]
        return torch.cat([part.flatten(3) for part in parts], dim=3)
