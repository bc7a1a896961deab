"""Splits for a set that has none: its signers, or its clips, dealt out; or folds, one of which is tested.

    Deal(split_by="signers")                              # 70 : 10 : 20 per cent of the signers
    Deal(split_by="folds", folds="signers", fold=3)       # the fourth signer is tested, the others train

The deal depends on the clips alone, so that every study of a set has the same. Clips with equal keypoints
stay together.
"""

from typing import Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from sslslr.config.settings import Settings
from sslslr.utils.errors import UserError

SHARES = {"test": 0.2, "val": 0.1}  # the rest trains


class Deal(Settings):
    """Options of every data set that takes a user's clips."""

    split_by: Literal["given", "signers", "clips", "folds"] = Field(
        "given", description="given: as the table states it. Else dealt out: signers: whole signers to train, "
        "val and test; clips: within each gloss; folds: see folds and fold."
    )  # fmt: skip
    folds: int | Literal["signers"] = Field(
        "signers", description="Number of folds (of whole signers where they are known), or signers: each "
        "signer is a fold, which leaves one signer out."
    )  # fmt: skip
    fold: int = Field(0, ge=0, description="The fold that is tested, from 0; the others train.")

    @model_validator(mode="after")
    def _of_folds(self) -> Self:
        if self.split_by != "folds" and self.model_fields_set & {"folds", "fold"}:
            raise ValueError("folds and fold want `split_by: folds`")
        if self.folds != "signers" and not 2 <= self.folds <= 1000:
            raise ValueError("folds: at least 2, or signers")
        return self


def deal_out(clips: pd.DataFrame, contents: list[bytes], deal: Deal, where: str) -> str:
    """Set the columns `split` and, of folds, `fold`; returns the rule for the card.

    Args:
        clips: columns clip_id, gloss, signer.
        contents: equal where keypoints are equal.
        where: names the set in an error.

    Raises:
        UserError: signers that are not known or too few, or a fold that there is not.
    """
    signers = clips["signer"].to_numpy(dtype=object, na_value=None)
    known = all(signer is not None for signer in signers)
    by_signer = deal.split_by == "signers" or deal.folds == "signers" or known
    if deal.split_by == "clips" or not by_signer:
        units, rule = _copies_together(contents), "clips"
    elif not known:
        count = sum(signer is None for signer in signers)
        raise UserError(
            f"{where}: the signer of {count} of {len(clips)} clips is not known, so signers cannot be dealt out. "
            "Add a column signer, or say split_by: clips."
        )
    else:
        units, rule = signers, "signers"
    names = sorted(set(units))
    if deal.split_by == "folds":
        count = len(names) if deal.folds == "signers" else deal.folds
        if not 2 <= count <= len(names):
            raise UserError(
                f"{where}: {len(names)} {rule} give no {count} folds; at least 2 are needed."
            )
        if deal.fold >= count:
            raise UserError(f"{where}: fold {deal.fold} of {count}; they count from 0.")
        fold = _folds(clips["gloss"].to_numpy(dtype=object), units, names, count)
        clips["fold"] = fold
        clips["split"] = np.where(fold == deal.fold, "test", "train")
        return f"fold {deal.fold} of {count}, dealt out by {rule}"
    if rule == "signers":
        if len(names) < 2:
            raise UserError(f"{where}: 1 signer cannot be dealt out; say split_by: clips.")
        side = _sides(names)
        clips["split"] = [side[signer] for signer in units]
    else:
        clips["split"] = _within_glosses(clips["gloss"].to_numpy(dtype=object), units)
    return f"dealt out by {rule}"


def _copies_together(contents: list[bytes]) -> np.ndarray:
    """The number of the first clip with the same keypoints."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(content, row) for row, content in enumerate(contents)])


def _shuffled(names: list, *about: str) -> list:
    import torch  # here, as the seeds: a store is written without it

    from sslslr.utils.seeds import generator

    order = torch.randperm(len(names), generator=generator(0, "deal", *about))
    return [names[place] for place in order.tolist()]


def _sides(names: list) -> dict:
    """The split of each name: `SHARES` of them, one at least to test where there are two."""
    order, side = _shuffled(names, "sides"), {}
    count = {"test": max(1, round(SHARES["test"] * len(names))) if len(names) > 1 else 0}
    count["val"] = max(1, round(SHARES["val"] * len(names))) if len(names) >= 5 else 0
    for name in order:
        split = next((split for split, left in count.items() if left > 0), "train")
        count[split] = count.get(split, 0) - 1
        side[name] = split
    return side


def _within_glosses(glosses: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Splits of clips such that every gloss of two or more clips has one to train and one to test."""
    gloss_of = dict(zip(units[::-1].tolist(), glosses[::-1].tolist(), strict=True))
    side: dict = {}
    for gloss in sorted(set(glosses.tolist())):
        side |= _sides([unit for unit, own in gloss_of.items() if own == gloss])
    return np.array([side[unit] for unit in units.tolist()], dtype=object)


def _folds(glosses: np.ndarray, units: np.ndarray, names: list, count: int) -> np.ndarray:
    """The fold of each clip, from 0: the units dealt round, those of a gloss or the largest first."""
    if count == len(names):
        number = {name: place for place, name in enumerate(names)}
    else:
        sizes = pd.Series(units).value_counts()
        gloss_of = dict(zip(units.tolist(), glosses.tolist(), strict=True))
        order = sorted(_shuffled(names, "folds"), key=lambda name: (-sizes[name], gloss_of[name]))
        number = {name: place % count for place, name in enumerate(order)}
    return np.array([number[unit] for unit in units.tolist()], dtype=np.int64)
