"""Which clips of a target a pool of data sets holds: it must hold none that is scored."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sslslr.data.store import ClipStore, content_digest
from sslslr.utils.errors import UserError
from sslslr.utils.words import some


def pool_contents(pool: Path) -> frozenset[str]:
    """What each clip of a pool was equal by in its member's store (`sslslr.data.leaks.content_digest`)."""
    return frozenset(ClipStore.open(pool).clips["content"])


def in_pool(store: ClipStore, rows: np.ndarray, contents: frozenset[str]) -> np.ndarray:
    """bool (rows,): whether the pool holds the clip, under whatever name."""
    return np.array([content_digest(store.frames(row)).hex() in contents for row in rows], bool)


def refuse_tested(store: ClipStore, clip_ids: Sequence[str], pool: str, target: str) -> None:
    """Raise UserError where test clips (by their ids) are in the pool that the encoder learnt from."""
    if len(clip_ids):
        raise UserError(
            f"{store.path}: {len(clip_ids)} test clips of target {target!r} are in the pool {pool!r} "
            f"({some(map(repr, clip_ids))}), so it cannot be scored after pretraining on it. Make {store.name!r} a "
            "member of the pool, which then leaves them out, or take the target from this study."
        )
