"""Which way each palm points and which side of it shows."""

import torch
from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import Hands, length, soft_unit
from sslslr.pose.skeleton import MIDDLE_MCP

INDEX_MCP, PINKY_MCP = 5, 17


@register
class Palm:
    """With m, i, p the bases of middle, index and little finger in palms: (B, T, 2, 4).

    The palm's direction m / (|m| + 0.05); its length now, |m|; i_x p_y - i_y p_x, whose sign says
    whether the palm or the back of the hand is seen.
    """

    @staticmethod
    def values(hands: Hands) -> Tensor:
        middle = hands.local[:, :, :, MIDDLE_MCP]
        index, pinky = hands.local[:, :, :, INDEX_MCP], hands.local[:, :, :, PINKY_MCP]
        side = index[..., 0] * pinky[..., 1] - index[..., 1] * pinky[..., 0]
        now = length(middle)[..., None]
        return torch.cat([soft_unit(middle, 0.05), now, side[..., None]], dim=-1)
