"""Where each wrist is: relative to the body, or in the picture."""

import torch
from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import Hands

FREQUENCIES = (6.0, 12.0, 24.0)


@register
class WristPlace:
    """With q = (w - o) / u: 4 q and sin, cos of f q for f = 6, 12, 24: (B, T, 2, 14).

    o and u are the shoulders' midpoint and distance. A clip without shoulders keeps its own
    coordinates (o = 0, u = 1): with `preprocess.variant: picture` these say where in the picture the
    hand is, which may be a property of how a set was filmed. Leave it out to be sure; with `ours` a
    clip without a body says nothing of the kind.
    """

    @staticmethod
    def values(hands: Hands) -> Tensor:
        origin, unit, _ = hands.body_frame()
        place = (hands.wrist - origin[:, None, None]) / unit[:, None, None]
        place = hands.towards_own_side(place)
        angles = place[..., None] * place.new_tensor(FREQUENCIES)  # (B, T, 2, 2, 3)
        waves = [angles.sin().flatten(3), angles.cos().flatten(3)]
        shown = (hands.inside[:, :, None] & hands.there[:, None])[..., None]
        return torch.cat([4 * place, *waves], dim=-1) * shown
