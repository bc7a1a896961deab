"""Phonology: what frozen features know of handshape, location and movement, on signs that the probe never saw.

A sign's clips are scored by a probe that learnt from the training clips of other signs: a probe that knows
the sign could look its handshape up. The signs of a value are dealt to `folds` parts, so that the others
show the value; a value of one sign alone is left out. What counts is the balanced accuracy against chance,
one over the number of values, and against raw keypoints under the same probe (the method `raw_keypoints`).

The values are columns of the clip store (the synthetic signer has them) or of a table of the user's, a row
a gloss. They are labels of signs, not of what a clip shows: a signer may do otherwise.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from sslslr.evaluation.protocols import Prediction, Predictions, Protocol, Task, register
from sslslr.evaluation.protocols.leave_one_signer_out import LeaveOneSignerOutConfig, by_parts
from sslslr.statistics.intervals import balanced_accuracy
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of
from sslslr.utils.seeds import generator
from sslslr.utils.tables import read_table

PARAMETERS = ("handshape", "location", "movement")


class PhonologyConfig(LeaveOneSignerOutConfig):
    """A logistic probe of each parameter."""

    folds: int = Field(5, ge=2, le=100, description="Parts that the signs of a value are dealt to.")
    table: str | None = Field(
        None,
        description="CSV with the columns gloss, handshape, location, movement (one of the three is enough); "
        "left out: columns of the clip store.",
    )
    sha256: str | None = Field(None, description="Of the table; filled in by the workflow.")


@register
class Phonology(Protocol):
    """One prediction, of the first parameter; the balanced accuracy of each stands beside it."""

    title = "phonology"
    sentence = "handshape, location and movement by a logistic probe of other signs"
    order = 9
    all_labels = False
    tells = "phonology"
    Options = PhonologyConfig

    def run(self, task: Task, options: PhonologyConfig, say) -> Predictions:
        metrics: dict[str, float] = {}
        signs: dict[str, dict[str, int]] = {}
        predictions = []
        for parameter, known in values_of(task, options).items():
            parts = dealt(known, options.folds)
            names = sorted(set(known[parts >= 0]))
            if len(names) < 2:
                say(
                    f"{task.dataset} phonology: fewer than two values of {parameter} have two signs; left out"
                )
                continue
            found = _predict(task, known, parts, names, options)
            assert found.task is not None
            guesses = np.asarray(found.scores).argmax(axis=1)
            right = balanced_accuracy(found.task.labels[found.task.test], guesses)
            metrics |= {parameter: right, f"{parameter}_chance": 1 / len(names)}
            signs[parameter] = {name: int((known[parts >= 0] == name).sum()) for name in names}
            say(
                f"{task.dataset} {parameter}: {right:.1%} of {len(names)} values (chance {1 / len(names):.1%})"
            )
            predictions.append(found)
        if not predictions:
            raise UserError(
                f"{task.dataset}, protocol phonology: no two values of a parameter are shown by two signs each, "
                f"trained and tested. Give the clips columns {', '.join(PARAMETERS)}, name a `table` of glosses, "
                f"or list the protocols of this target without it (`evaluate.targets.{task.dataset}.protocols`)."
            )
        details = {"signs_by_value": signs}
        yield replace(predictions[0], metrics=metrics, details=details)


def values_of(task: Task, options: PhonologyConfig) -> dict[str, np.ndarray]:
    """The value of each class by parameter, (classes,) of str or None; what nobody states is left out.

    Raises:
        UserError: a table that cannot be read or is not the one that the settings state; a gloss with two
            values.
    """
    if options.table is None:
        rows = pd.DataFrame() if task.rows is None else pd.DataFrame(task.rows)
    else:
        rows = read_table(options.table)
        if options.sha256 not in (None, sha256_of(Path(options.table))):
            raise UserError(
                f"{options.table}: was changed since this evaluation was planned. Start it again."
            )
    found = {}
    for parameter in PARAMETERS:
        if parameter not in rows:
            continue
        stated = rows[["gloss", parameter]].dropna().astype(str).drop_duplicates()
        if twice := list(stated["gloss"][stated["gloss"].duplicated()]):
            raise UserError(
                f"{options.table or task.dataset}: gloss {twice[0]!r} has two values of {parameter}."
            )
        by_gloss = dict(zip(stated["gloss"], stated[parameter], strict=True))
        found[parameter] = np.array([by_gloss.get(gloss) for gloss in task.classes], object)
    return found


def dealt(known: np.ndarray, folds: int) -> np.ndarray:
    """The fold of each class, (classes,), those of a value in turn; -1 where its value has no other class."""
    parts = np.full(len(known), -1)
    order = torch.randperm(len(known), generator=generator(0, "phonology")).numpy()
    for value in sorted({value for value in known if value is not None}):
        classes = [number for number in order if known[number] == value]
        if len(classes) > 1:
            parts[classes] = np.arange(len(classes)) % folds
    return parts


def _predict(
    task: Task, known: np.ndarray, parts: np.ndarray, names: list[str], options: PhonologyConfig
) -> Prediction:
    """The test clips' values by probes of the other folds' training clips."""
    index = {name: number for number, name in enumerate(names)}
    of_class = np.array(
        [index.get(v, -1) if p >= 0 else -1 for v, p in zip(known, parts, strict=True)]
    )
    signs = np.asarray(task.labels)
    labels, part = np.where(signs >= 0, of_class[signs], -1), np.where(signs >= 0, parts[signs], -1)
    asked = replace(task, labels=labels, classes=names)
    train, test = np.asarray(task.train), np.asarray(task.test)
    parts = [
        (train[(part[train] >= 0) & (part[train] != fold)], test[part[test] == fold])
        for fold in range(options.folds)
    ]
    return by_parts(asked, [(others, own) for others, own in parts if len(own)], options)
