"""Which training clips keep their labels when labels are few: stratified by class, and nested."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor


def check_amounts(fractions: Sequence[float], shots: Sequence[int]) -> None:
    """Refuse amounts of labels that are named twice, or none at all.

    Raises:
        ValueError: says which.
    """
    for name, values in (("fractions", fractions), ("shots", shots)):
        if len(set(values)) < len(values):
            raise ValueError(f"{name} {list(values)} names an amount twice")
    if not fractions and not shots:
        raise ValueError("both fractions and shots are empty; name an amount of labels")


def stratified_subset(
    labels: Tensor,
    generator: Generator,
    fraction: float | None = None,
    shots: int | None = None,
) -> Tensor:
    """Mask of the clips that keep their label, the same share of each class.

    Clips are ranked at random within their class, and the first ones are kept. The ranking depends
    on the generator's state alone: with the same seed, a larger subset contains the smaller ones.

    Args:
        labels: int (n,), any values.
        generator: on the CPU; of the draw.
        fraction: keeps max(1, round(fraction * n_class)) clips of a class.
        shots: keeps that many clips of a class, or all where the class has fewer.

    Returns:
        bool (n,).

    Raises:
        ValueError: not exactly one of `fraction` and `shots`, or one out of range.
    """
    if (fraction is None) == (shots is None):
        raise ValueError(f"give a fraction or shots, found {fraction} and {shots}")
    if (fraction is not None and not 0 < fraction <= 1) or (shots is not None and shots < 1):
        raise ValueError(f"need 0 < fraction <= 1 or shots >= 1, found {fraction}, {shots}")
    _, of_class, sizes = torch.unique(labels.cpu(), return_inverse=True, return_counts=True)
    shuffled = torch.randperm(len(of_class), generator=generator)
    by_class = shuffled[torch.argsort(of_class[shuffled], stable=True)]
    rank = torch.empty_like(by_class)
    # In `by_class` a class's clips stand together: the rank is the distance to its first.
    rank[by_class] = torch.arange(len(by_class)) - (sizes.cumsum(0) - sizes)[of_class[by_class]]
    if shots is not None:
        return rank < shots
    return rank < (sizes.double() * fraction).round().clamp_min(1)[of_class]
