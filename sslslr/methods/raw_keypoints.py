"""No encoder at all: the probe sees the preprocessed keypoints."""

from sslslr.methods import register
from sslslr.methods._base import Untrained

TRAITS = {"pretrains": False, "encoder": {"variant": "raw"}, "protocols": ["linear", "logistic"]}


@register
class RawKeypoints(Untrained):
    """What an encoder has to improve on to be worth having."""
