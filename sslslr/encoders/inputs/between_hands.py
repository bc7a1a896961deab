"""Where the hands are to each other, and which of them are there."""

import torch
from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import TIP, Hands, distances, length, soft_unit
from sslslr.pose.skeleton import MIDDLE_MCP

WRIST, MIDDLE = slice(0, 1), slice(MIDDLE_MCP, MIDDLE_MCP + 1)
PLACED = [5, 1, 6]  # wrist, index tip and middle base among the 7 points


@register
class BetweenHands:
    """Right hand minus left, P the clip's palm, r the wrists' difference in P: (B, T, 62).

    Half the difference in P of wrists, index tips and middle bases (6); |r| / 2 (1); whether the
    frame shows both, and whether the clip has the left and the right (3); exp(-d) for the distances
    d in P between 7 points of one hand (tips, wrist, middle base) and those of the other (49);
    r / (|r| + 0.3) (2); exp(-|r| / 2) (1). All but what is there are zero where a hand is missing.
    """

    @staticmethod
    def values(hands: Hands) -> Tensor:
        both = hands.there.all(dim=1).float()[:, None, None] * hands.inside[..., None]  # (B, T, 1)
        points = torch.cat([hands.joints[:, :, :, which] for which in (TIP, WRIST, MIDDLE)], dim=3)
        points = points / hands.clip_palm[:, None, None, None, None]
        left, right = points.unbind(2)  # (B, T, 7, 2)
        difference = (right - left) * both[..., None]
        wrists = difference[:, :, 5]
        apart = length(wrists)[..., None]
        there = hands.there.float()[:, None] * hands.inside[..., None]
        meeting = distances(right, left).flatten(2)
        parts = [
            difference[:, :, PLACED].flatten(2) / 2,
            apart / 2,
            hands.seen.all(dim=2, keepdim=True).float(),
            there,
            torch.exp(-meeting) * both,
            soft_unit(wrists, 0.3),
            torch.exp(-apart / 2) * both,
        ]
        return torch.cat(parts, dim=-1)
