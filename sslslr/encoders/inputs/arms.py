"""The arms and the head relative to the shoulders, for clips that have a body."""

import torch
from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import Hands, length

NOSE, LEFT_EAR, RIGHT_EAR = 0, 7, 8  # within the body
# The last eight: mouth, shoulders, elbows, wrists.
JOINTS = [NOSE, LEFT_EAR, RIGHT_EAR, *range(9, 17)]


@register
class Arms:
    """Joints and hands placed by the shoulders; zero where the clip has none: (B, T, 28).

    With o and u the shoulders' midpoint and distance, means over the clip: (x - o) / u of nose, ears,
    mouth, shoulders, elbows and wrists (22), zero for a joint that the clip lacks; (w - nose) / u of
    both hands' wrists (4), zero where hand or nose is missing; |w - nose| / u (2).
    """

    @staticmethod
    def values(hands: Hands) -> Tensor:
        origin, unit, has_body = hands.body_frame()
        shown = (has_body & hands.inside)[..., None, None]  # (B, T, 1, 1)
        body = hands.body[:, :, JOINTS]
        seen = (body.abs().sum(dim=(1, 3)) > 0)[:, None, :, None]
        placed = (body - origin[:, None, None]) / unit[:, None, None] * seen * shown
        near = (hands.wrist - body[:, :, :1]) / unit[:, None, None]
        near = near * (hands.there[:, None, :, None] & seen[:, :, :1]) * shown
        return torch.cat([placed.flatten(2), near.flatten(2), length(near)], dim=-1)
