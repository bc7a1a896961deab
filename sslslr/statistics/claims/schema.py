"""What a claim is: the models of `config/claims.yaml`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field, PrivateAttr

from sslslr.config.load import read_yaml
from sslslr.config.settings import EncoderName, Name, ProtocolName, Settings, parse
from sslslr.utils.errors import UserError

EACH_OTHER = "each_other"
# Never an opponent of "each other": no method, no views, and the ceiling, which sees all labels.
NOT_OTHERS = {"none", "supervised"}


class Selector(Settings):
    """Runs by their columns in metrics.csv; a list means each of its names by itself."""

    method: Name | list[Name] = Field(description="Name in the study, or `each_other`.")
    augmentation: Name | list[Name] | None = Field(
        None, description="Left out: every one that was run, each by itself. Or `each_other`."
    )
    variant: EncoderName | None = Field(
        "transformer", description="Of the encoder; null: every one."
    )
    tag: str | None = Field("", description="Of the ablation; empty: none. null: every one.")
    pretrained: Name | None = Field(
        None,
        description="Pretraining set, or `target` for the target's own. Left out: of a subject every "
        "one, of an opponent the subject's.",
    )

    def singles(self, metrics: pd.DataFrame, subject: "Selector | None") -> list["Selector"]:
        """One selector for each name; `each_other` becomes the names that `metrics` has.

        Of methods those that were run with this selector's variant and tag, of views those that
        the method was run with.
        """
        for column in ("variant", "tag"):
            if (value := getattr(self, column)) is not None:
                metrics = metrics[metrics[column] == value]

        def names(column: str, found: pd.Series) -> list[Any]:
            value = getattr(self, column)
            if value == EACH_OTHER:
                return sorted(set(found) - {getattr(subject, column)} - NOT_OTHERS) or [EACH_OTHER]
            return value if isinstance(value, list) else [value]

        return [
            self.model_copy(update={"method": method, "augmentation": augmentation})
            for method in names("method", metrics["method"])
            for augmentation in names(
                "augmentation", metrics["augmentation"][metrics["method"] == method]
            )
        ]

    def __str__(self) -> str:
        return label(self.model_dump())


class Opponent(Selector):
    """What a subject is compared with."""

    protocol: ProtocolName | None = Field(
        None, description="Left out: the claim's. `fine_tune` for `supervised`, which has no other."
    )
    decides: bool = Field(True, description="false: shown, but no part of the verdict.")


class Claim(Settings):
    """A subject is said to score higher than each of its opponents."""

    id: Name
    statement: str
    source: Literal["paper", "ours"] = Field(description="Who claims it.")
    subject: Selector = Field(description="Names one method and one augmentation.")
    against: list[Opponent] = Field(min_length=1)
    protocol: ProtocolName | None = Field(None, description="Left out: that of the file.")
    label_fraction: float = Field(1.0, gt=0, le=1)
    scope: Literal["own", "transfer"] = Field(
        "own",
        description="own: pretrained on the target's data (or, where that is no target, its language's). "
        "transfer: on another language's.",
    )
    margin: float = Field(
        0.0, ge=0, lt=1, description="Effect claimed, in 0..1; what is tested is a larger one."
    )


class Claims(Settings):
    """The keys of `config/claims.yaml`."""

    protocol: ProtocolName = Field("linear", description="Protocol that claims are judged by.")
    level: float = Field(0.95, gt=0, lt=1, description="Coverage of the intervals.")
    alpha: float = Field(0.05, gt=0, lt=1, description="Of the corrected p value.")
    resamples: int = Field(2000, ge=100, description="Of the bootstrap.")
    flips: int = Field(10_000, ge=100, description="Of the permutation test.")
    same_language: list[list[Name]] = Field(
        [], description="Groups of data sets between which nothing transfers across languages."
    )
    claims: list[Claim] = Field(min_length=1)
    # What the study's results know (`knowing`).
    _pools: dict[str, list[str]] = PrivateAttr(default_factory=dict)
    _fixed: frozenset[str] = PrivateAttr(default_factory=frozenset)

    def knowing(self, pools: dict[str, list[str]], fixed: Iterable[str] = ()) -> "Claims":
        """The same claims for a study.

        Args:
            pools: members of each pool of data sets.
            fixed: encoders without weights, such as raw keypoints: one run stands for every seed.
        """
        known = self.model_copy()
        known._pools, known._fixed = dict(pools), frozenset(fixed)
        return known

    def is_fixed(self, variant: str) -> bool:
        return variant in self._fixed

    def protocol_of(self, claim: Claim, side: Selector | None = None) -> str:
        """The protocol that a claim is judged by, or that a side of it is scored by."""
        own = side.protocol if isinstance(side, Opponent) else None
        return own or claim.protocol or self.protocol

    def is_transfer(self, dataset: str, pretrain_dataset: str) -> bool:
        """Was pretraining on other languages alone? From a pool that is so if no member is of the target's."""
        if pretrain_dataset in self._pools:
            return all(self.is_transfer(dataset, name) for name in self._pools[pretrain_dataset])
        pair = {dataset, pretrain_dataset}
        return len(pair) == 2 and not any(pair <= set(group) for group in self.same_language)


def load(path: str | Path) -> Claims:
    """Read the claims' YAML file.

    Raises:
        UserError: no such file, not YAML, an invalid key or one that stands twice, or an id that two
            claims share.
    """
    claims = parse(Claims, read_yaml(path), str(path))
    ids = [claim.id for claim in claims.claims]
    if twice := [name for name in ids if ids.count(name) > 1]:
        raise UserError(f"{path}: two claims have the id {twice[0]!r}; rename one.")
    return claims


def label(names: Any, other_than: str | None = None, protocol: str | None = None) -> str:
    """`sl_fpn, temporal_permutation, no_original`: what tells runs apart, seeds left out.

    Args:
        other_than: a pretraining set that goes without saying; another one is named.
        protocol: the same of protocols.
    """
    get: Callable[[str], Any] = names.get
    variant = get("variant") if get("variant") not in ("transformer", "raw") else ""
    trained = get("pretrain_dataset") if other_than is not None else None
    on = f"on {trained}" if trained not in (None, "none", other_than) else ""
    by = f"by {get('protocol')}" if protocol not in (None, get("protocol")) else ""
    parts = (get("method"), get("augmentation"), variant, get("tag"), on, by)
    return ", ".join(str(part) for part in parts if part and part not in ("none", EACH_OTHER))
