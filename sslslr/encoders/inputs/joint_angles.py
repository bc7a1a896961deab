"""How far each finger is bent at each of its joints."""

import torch
from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import Hands


@register
class JointAngles:
    """cos and sin of the angle from each bone of a finger to the next: (B, T, 2, 30).

    With a, b the soft unit vectors of successive bones (see `bones`), 5 fingers of 3 angles:
    a . b, then a_x b_y - a_y b_x.
    """

    @staticmethod
    def values(hands: Hands) -> Tensor:
        bones = hands.bones.unflatten(3, (5, 4))
        first, second = bones[..., :-1, :], bones[..., 1:, :]
        cos = (first * second).sum(dim=-1)
        sin = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
        return torch.cat([cos.flatten(3), sin.flatten(3)], dim=-1)
