"""Random initialisation: an encoder that learns nothing; the baseline that must be beaten."""

from sslslr.methods import register
from sslslr.methods._base import Untrained

# Fine-tuning it is the method `supervised`.
TRAITS = {"pretrains": False, "skips": ["fine_tune"]}


@register
class Random(Untrained):
    """The encoder as drawn from the seed (`shared/paper.md`: a strong baseline on these data)."""
