"""The clips of a target by who signs them."""

from collections.abc import Iterator

import numpy as np

from sslslr.evaluation.protocols import Task
from sslslr.utils.errors import UserError


def named_rows(task: Task, protocol: str) -> np.ndarray:
    """Rows of the target's training and test clips whose sign is learnt and whose signer is named.

    Raises:
        UserError: fewer than two signers are named.
    """
    rows = np.union1d(task.train, task.test)
    signers = np.array([None] * len(task.labels) if task.signers is None else task.signers, object)
    named = np.array([isinstance(signer, str) and signer != "" for signer in signers[rows]], bool)
    rows = rows[named & (np.asarray(task.labels)[rows] >= 0)]
    if len(set(signers[rows])) < 2:
        raise UserError(
            f"{task.dataset}, protocol {protocol}: fewer than two signers are named. Give the clips a "
            f"`signer`, or list the protocols of this target without it (`evaluate.targets.{task.dataset}."
            "protocols`)."
        )
    return rows


def folds(task: Task, rows: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """For each signer: the name, the other signers' rows, and the signer's.

    Of the signer's clips those are left out whose sign nobody else shows.
    """
    signers, labels = np.asarray(task.signers, object)[rows], np.asarray(task.labels)
    for signer in sorted(set(signers)):
        others, own = rows[signers != signer], rows[signers == signer]
        own = own[np.isin(labels[own], labels[others])]
        if len(own):
            yield signer, others, own


def seen_in_pretraining(task: Task) -> set[str] | None:
    """Signers of whose clips pretraining saw some; None where it is not known."""
    if task.pretrained is None:
        return None
    return set(np.asarray(task.signers, object)[np.asarray(task.pretrained, bool)])
