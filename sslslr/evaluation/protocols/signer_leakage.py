"""Signer leakage: how well frozen features tell who signs.

A logistic probe learns the signers of a part of each signer's clips and names them for the others.
What counts is the balanced accuracy against chance, one over the number of signers, and against raw
keypoints under the same probe (the method `raw_keypoints`): an encoder that keeps less of who signs has
more to say on somebody new. The draw does not depend on the method.
"""

from dataclasses import replace

import numpy as np
import torch
from pydantic import Field

from sslslr.evaluation.protocols import Prediction, Predictions, Protocol, Task, register
from sslslr.evaluation.protocols._fit import of_logistic
from sslslr.evaluation.protocols._signers import named_rows
from sslslr.evaluation.protocols._subsets import stratified_subset
from sslslr.evaluation.protocols.leave_one_signer_out import LeaveOneSignerOutConfig, probe
from sslslr.utils.seeds import derive, generator


class SignerLeakageConfig(LeaveOneSignerOutConfig):
    """A logistic probe of the signers."""

    learnt: float = Field(
        0.75, gt=0, lt=1, description="Share of each signer's clips that the probe learns from."
    )


@register
class SignerLeakage(Protocol):
    """One prediction, of signers; deterministic for a seed."""

    title = "who signs"
    sentence = "signers told by a logistic probe; chance is one over their number"
    order = 8
    all_labels = False
    tells = "signer"
    Options = SignerLeakageConfig

    def run(self, task: Task, options: SignerLeakageConfig, say) -> Predictions:
        rows = named_rows(task, self.name)
        names, own = np.unique(
            np.asarray(task.signers, object)[rows].astype(str), return_inverse=True
        )
        labels = np.full(len(task.labels), -1, np.int64)
        labels[rows] = own
        draw = generator(derive(task.seed, "signer_leakage"))
        learnt = stratified_subset(torch.as_tensor(own), draw, fraction=options.learnt).numpy()
        who = replace(
            task, labels=labels, classes=list(names), train=rows[learnt], test=rows[~learnt]
        )
        scores, fitted = probe(who, who.train, who.test, options)
        yield Prediction(scores, n_train=len(who.train), fit=of_logistic(fitted), task=who)
