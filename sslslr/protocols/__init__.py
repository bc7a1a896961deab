"""The evaluation protocols, one file each: from an encoder and labelled clips to predictions.

A protocol is a class marked `@register` with

    Options                  a pydantic model (`Strict`) of its settings
    run(task, options, say)  yields `Prediction`s: one for each label fraction and probe seed

A frozen protocol reads `task.features`, which were computed once, in evaluation mode; only a
protocol that trains the encoder reads `task.clips` and `task.fresh_encoder()`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sslslr.registry import Registry

PROTOCOLS = Registry("sslslr.protocols", "protocol")
register = PROTOCOLS.register


@dataclass(frozen=True)
class Task:
    """One encoder on one labelled data set.

    Attributes:
        dataset: name of the data set.
        features: float32 (clips, width), all clips of the data set.
        clips: Batch of the same clips.
        labels: int64 (clips,), index into `classes`; -1 where the gloss is not learnt.
        classes: glosses of the training clips, sorted.
        train, test: rows of the clips that a probe learns from, and that are scored.
        fresh_encoder: makes a trainable copy of the encoder on `device`.
        seed: of the encoder's run.
        device: where to compute.
    """

    dataset: str
    features: Any
    clips: Any
    labels: Any
    classes: list[str]
    train: Any
    test: Any
    fresh_encoder: Callable[[], Any]
    seed: int
    device: Any


@dataclass(frozen=True)
class Prediction:
    """Scores of one fitted probe: `scores` (n_test, n_classes), higher is likelier.

    Attributes:
        n_train: clips whose labels it saw.
        label_fraction: share of the labels that was asked for; 0 where `shots` says how many.
        probe_seed: of the probe, or number of the draw of the labelled clips.
        shots: labelled clips per class; 0 where `label_fraction` says how many.
    """

    scores: Any
    n_train: int
    label_fraction: float = 1.0
    probe_seed: int = 0
    shots: int = 0


Predictions = Iterator[Prediction]
