"""The evaluation protocols, one file each: from an encoder and labelled clips to predictions.

A protocol is a subclass of :class:`Protocol` marked `@register`; see docs/extend.md. A frozen one
reads `task.features`, which were computed once, in evaluation mode; only a protocol that trains the
encoder reads `task.clips` and `task.fresh_encoder()`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sslslr.config.settings import Settings
from sslslr.utils.registry import Registry

PROTOCOLS = Registry("sslslr.evaluation.protocols", "protocol")
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
        kept: fits that several protocols need, by what they are of.
        signers: object (clips,), names; None where a clip's is not known.
        pretrained: bool (clips,), whether pretraining saw the clip, unlabelled; None where it saw clips
            of another data set, of whose signers nothing is known.
        rows: DataFrame (clips,), what the clip store says of each; None where there is none.
        sources: gives a Batch of the same clips as views are cut from them; None: `clips`.
        averaged: what features are a mean over (`sslslr.evaluation.features.Averaged`); None: the clip alone.
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
    kept: dict[Any, Any] = field(default_factory=dict)
    signers: Any = None
    pretrained: Any = None
    rows: Any = None
    sources: Any = None
    averaged: Any = None


@dataclass(frozen=True)
class Fit:
    """How far a probe's training has come.

    Attributes:
        train_accuracy: share of its training clips that it gets right.
        gradient: largest entry of the training loss's gradient at the end, in absolute value; NaN where
            it is not computed.
        fitted: None where there is no rule (:mod:`._fit` has those that there are).
    """

    train_accuracy: float
    gradient: float = float("nan")
    fitted: bool | None = None


@dataclass(frozen=True)
class Prediction:
    """Scores of one fitted probe.

    Attributes:
        scores: (n_test, n_classes), higher is likelier; or an iterable of blocks of its rows, in order,
            which is read once. All scores of 10,000 clips and classes would take 800 MB.
        n_train: clips whose labels it saw.
        label_fraction: share of the labels that was asked for; 0 where `shots` says how many.
        probe_seed: of the probe, or number of the draw of the labelled clips.
        shots: labelled clips per class; 0 where `label_fraction` says how many.
        fit: None for a protocol that fits nothing.
        task: what was scored, where that is not the target's own clips, labels and split.
        metrics: further numbers in 0..1 (or NaN) by name, rows of metrics.csv.
        details: further facts, for evaluation.json.
    """

    scores: Any
    n_train: int
    label_fraction: float = 1.0
    probe_seed: int = 0
    shots: int = 0
    fit: Fit | None = None
    task: Task | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


Predictions = Iterator[Prediction]


class Protocol:
    """Base of all protocols."""

    name: ClassVar[str]
    title: ClassVar[str]  # in tables and figures
    sentence: ClassVar[str] = ""  # what it does, for the captions of tables; no full stop
    order: ClassVar[int] = 100  # place in tables, small first, then by name
    all_labels: ClassVar[bool] = True  # False: it has few labels by intent; not in the linear table
    tells: ClassVar[str] = "sign"  # "signer", "phonology": not in the tables and claims of signs
    Options: ClassVar[type[Settings]]  # its settings

    @staticmethod
    def cost(options: Any, width: int, n_classes: int) -> tuple[float, float]:
        """What it computes a training clip, for estimates: passes of the encoder, multiplications else.

        A backward pass counts as two. Small work is 0.
        """
        return 0.0, 0.0

    def run(self, task: Task, options: Any, say: Callable[[str], None]) -> Predictions:
        """Yield one `Prediction` for each label fraction and probe seed."""
        raise NotImplementedError
