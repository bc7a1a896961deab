"""Which clips are in which split, in a form that can be published and compared.

    {"dataset": "gsl", "split_rule": "...", "sha256": "...",
     "splits": {"train": {"n": 3, "sha256": "...", "clip_ids": ["a", "b", "c"]}, ...}}

A split's sha256 is that of its clip ids, sorted, one a line; the whole's is over the splits' own.
Keypoints and glosses are not part of it: two stores that were extracted differently have the same
membership if they hold the same clips.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from sslslr.config.settings import SPLITS
from sslslr.utils.errors import UserError

NONE = "none"  # the clips that no split was named for
SHOWN = 5  # clips that a difference names


def digest(lines: Iterable[str]) -> str:
    """sha256 of texts, sorted, one a line, UTF-8."""
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()


def summary(clips: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Each split's number of clips and hash, as card.json has them."""
    return {
        split: {"n": len(ids), "sha256": digest(ids)} for split, ids in _by_split(clips).items()
    }


def membership(clips: pd.DataFrame, card: dict[str, Any]) -> dict[str, Any]:
    """The clip ids of each split of a store, with hashes."""
    groups, parts = _by_split(clips), summary(clips)
    return {
        "dataset": card["dataset"],
        "split_rule": card.get("split_rule"),
        "sha256": digest(f"{name} {part['sha256']}" for name, part in parts.items()),
        "splits": {
            name: {**part, "clip_ids": sorted(groups[name])} for name, part in parts.items()
        },
    }


def published(content: Any, path: Path) -> dict[str, Any]:
    """What `sslslr data splits --out` wrote, checked.

    Raises:
        UserError: other JSON.
    """
    try:
        lists = [part["clip_ids"] for part in content["splits"].values()]
        sound = all(isinstance(ids, list) and all(isinstance(i, str) for i in ids) for ids in lists)
    except (TypeError, KeyError, AttributeError):
        sound = False
    if not sound:
        raise UserError(
            f"{path}: not a list of splits with their clip_ids; `sslslr data splits STORE --out FILE` "
            "writes one."
        )
    return content


def differences(mine: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What tells two memberships apart, a sentence for each split; empty where nothing does."""
    lines = []
    for name in sorted(set(mine["splits"]) | set(other["splits"])):
        a, b = (set(m["splits"].get(name, {}).get("clip_ids", [])) for m in (mine, other))
        for ids, verb in ((a - b, "only here"), (b - a, "only there")):
            if ids:
                more = ", ..." if len(ids) > SHOWN else ""
                lines.append(
                    f"{name}: {len(ids)} clips {verb}: {', '.join(sorted(ids)[:SHOWN])}{more}"
                )
    return lines


def _by_split(clips: pd.DataFrame) -> dict[str, list[str]]:
    names = clips["split"].fillna(NONE)
    ids = clips["clip_id"].astype(str)
    order = [name for name in (*SPLITS, NONE) if (names == name).any()]
    return {name: ids[names == name].tolist() for name in order}


class Ledger:
    """Counts, per split, the clips that ought to be there, were found, were kept, and why not."""

    def __init__(self) -> None:
        self._found: Counter[str] = Counter()
        self._absent: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()
        self._reasons: dict[str, Counter[str]] = {}

    def keep(self, split: str | None) -> None:
        self._found[split or NONE] += 1
        self._kept[split or NONE] += 1

    def deal(self, splits: Iterable[str]) -> None:
        """The clips that were kept have other splits than they were added with."""
        self._found.subtract(self._kept)
        self._kept = Counter(splits)
        self._found += self._kept

    def drop(self, split: str | None, reason: str, found: bool) -> None:
        (self._found if found else self._absent)[split or NONE] += 1
        self._reasons.setdefault(split or NONE, Counter())[reason] += 1

    def rows(self) -> list[dict[str, Any]]:
        """A row a split: expected = found + those whose file is absent; kept = found - dropped."""
        names = {*self._found, *self._absent}
        order = [*SPLITS, *sorted(names - {*SPLITS, NONE}), NONE]
        return [
            {
                "split": name,
                "expected": self._found[name] + self._absent[name],
                "found": self._found[name],
                "kept": self._kept[name],
                "dropped": dict(self._reasons.get(name, Counter()).most_common()),
            }
            for name in order
            if name in names
        ]
