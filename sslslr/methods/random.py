"""Random initialisation: an encoder that learns nothing; the baseline that must be beaten."""

from sslslr.methods import register
from sslslr.methods._base import Untrained


@register
class Random(Untrained):
    """The encoder as drawn from the seed (`docs/paper.md`: a strong baseline on these data)."""

    title = "random initialisation"
    line = (5, 0)
    skips = ("fine_tune",)  # that is the method `supervised`
