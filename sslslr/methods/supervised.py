"""Supervised training from scratch: encoder and head learn end to end from the labels.

Nothing is pretrained; the protocol `fine_tune` does all the work, from the random initialisation.
"""

from sslslr.methods import register
from sslslr.methods._base import Untrained


@register
class Supervised(Untrained):
    """The ceiling that a frozen encoder is measured against."""

    title = "supervised from scratch"
    line = (6, 0)
    protocols = ("fine_tune",)
