"""The path of each wrist, wherever in the picture it is."""

import torch
from torch import Tensor

from sslslr.encoders.inputs import register
from sslslr.encoders.inputs._hands import Hands, soft_unit


@register
class WristMotion:
    """The path p = (w - c) / P of each wrist: (B, T, 2, 14).

    c is the mean of the wrists over the hands and frames that show one, P the clip's palm; x of a mirrored hand
    is negated. With u_s(v) = v / (|v| + s):

        p / 2;  2 d and u_0.05(d) with d = p(t) - p(t-1);  D / 2 and u_0.3(D) with D the displacement
        over T/8 and over T/4 frames, at the middle of the span
    """

    @staticmethod
    def values(hands: Hands) -> Tensor:
        weights = (hands.seen & hands.there[:, None]).float()[..., None]
        centre = (hands.wrist * weights).sum(dim=(1, 2)) / weights.sum(dim=(1, 2)).clamp_min(1)
        shown = (hands.inside[:, :, None] & hands.there[:, None])[..., None]
        path = (hands.wrist - centre[:, None, None]) / hands.clip_palm[:, None, None, None]
        path = hands.towards_own_side(path) * shown
        step = hands.change(path)
        parts = [path / 2, 2 * step, soft_unit(step, 0.05)]
        frames = path.shape[1]
        for lag in (max(1, frames // 8), max(2, frames // 4)):
            displacement = hands.change(path, lag)
            parts += [displacement / 2, soft_unit(displacement, 0.3)]
        return torch.cat(parts, dim=-1)
