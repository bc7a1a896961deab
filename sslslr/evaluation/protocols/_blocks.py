"""Test clips in blocks, so that the scores of many classes never stand in memory all at once."""

from torch import Tensor

MAX_SCORES = 8_000_000  # held at once: 64 MB of float64


def blocks(rows: Tensor, n_classes: int) -> tuple[Tensor, ...]:
    """Rows of clips in blocks, each with at most `MAX_SCORES` scores."""
    return rows.split(max(1, MAX_SCORES // n_classes))
