"""No encoder: the probe sees angles, distances and motion of the hands, pooled over time."""

from typing import Any, ClassVar

from sslslr.methods import register
from sslslr.methods._base import Untrained


@register
class HandFeatures(Untrained):
    """What a learnt encoder must be ahead of: hand-made features under the same probe."""

    title = "no encoder (hand features)"
    line = (5, 2)
    encoder_settings: ClassVar[dict[str, Any]] = {"variant": "hand_features"}
    protocols = ("linear", "logistic", "leave_one_signer_out", "signer_leakage", "phonology")
