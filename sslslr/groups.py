"""Which runs of a grid can train as one stack in one process (:mod:`sslslr.stacking`).

Like the grid, this imports no torch: the workflow builds its graph from it.
"""

from collections.abc import Iterable
from typing import Any

from sslslr.grid import NO_DATASET, RunSpec, fingerprint
from sslslr.methods import METHODS

OWN = {"run_id", "method", "method_options", "augmentation", "augmentation_steps", "seed", "tag"}
OWN_RATES = {"learning_rate", "weight_decay"}
ALONE_IN = {"16-mixed", "64-true"}  # precisions that a stack has not


def shared_settings(spec: RunSpec) -> dict[str, Any]:
    """What runs of one stack must have in common: all but seed, views, rates and options."""
    settings = spec.model_dump(mode="json", exclude=OWN)
    settings["pretrain"] = {k: v for k, v in settings["pretrain"].items() if k not in OWN_RATES}
    if spec.pretrain.share < 1:  # the share is drawn by the seed
        settings["seed"] = spec.seed
    # A weight of zero may leave a part of the program out.
    settings["options"] = {
        name: value > 0 if isinstance(value, float) else value
        for name, value in spec.method_options.items()
    }
    return settings


def stacks(specs: Iterable[RunSpec], most: int | None = None) -> list[list[RunSpec]]:
    """Runs that can be stacked, in the order of the grid; a run without company is a group of one.

    Args:
        most: runs of a group; None for all that fit together.
    """
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        alone = (
            spec.dataset == NO_DATASET
            or spec.pretrain.devices > 1
            or spec.pretrain.precision in ALONE_IN
            or draws_within_its_step(spec)
        )
        key = spec.run_id if alone else fingerprint(shared_settings(spec))
        groups.setdefault(key, []).append(spec)
    most = most or max(map(len, groups.values()), default=1)
    return [g[i : i + most] for g in groups.values() for i in range(0, len(g), most)]


def draws_within_its_step(spec: RunSpec) -> bool:
    """Whether the program draws while it computes the loss; such runs do not stack."""
    options = spec.method_options
    return (
        not METHODS.traits(spec.method_type).get("stacks", True)
        or "as_released" in (spec.encoder.variant, options.get("variant"))
        or options.get("predictor") == "redrawn"
    )
