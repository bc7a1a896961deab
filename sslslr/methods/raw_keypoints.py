"""No encoder at all: the probe sees the preprocessed keypoints."""

from typing import Any, ClassVar

from sslslr.methods import register
from sslslr.methods._base import Untrained


@register
class RawKeypoints(Untrained):
    """What an encoder has to improve on to be worth having."""

    title = "no encoder (raw keypoints)"
    line = (5, 1)
    encoder_settings: ClassVar[dict[str, Any]] = {"variant": "raw"}
    protocols = ("linear", "logistic", "leave_one_signer_out", "signer_leakage", "phonology")
