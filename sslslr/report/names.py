"""What tables and figures call the methods, protocols, scores and read-outs of a study."""

from typing import Any

import pandas as pd

from sslslr.config.study import EncoderConfig
from sslslr.encoders.build import encoder_options
from sslslr.evaluation.protocols import PROTOCOLS, Protocol
from sslslr.methods import METHODS
from sslslr.utils.errors import UserError
from sslslr.utils.registry import Registry

METRIC_TITLES = {
    "top1": "Top-1",
    "top3": "Top-3",
    "top5": "Top-5",
    "top10": "Top-10",
    "balanced_accuracy": "Balanced",
}
NO_VIEWS = NO_DATA = "none"  # of a method that is not pretrained
CEILING, UNTRAINED, RAW = "supervised", "random", "raw_keypoints"


def trait(registry: Registry, name: str, attribute: str, default: Any = None) -> Any:
    """A class attribute of a registered class; the default for what is not registered here.

    A study may call a method as it likes, and results may come from a machine with more protocols.
    """
    try:
        value = getattr(registry.get(name), attribute, None)
    except UserError:
        return default
    return default if value in (None, "") else value


def method_title(name: str) -> str:
    """`SimCLR` for `simclr`; the name itself of a method that the study named."""
    return trait(METHODS, name, "title", name)


def protocol_title(name: str) -> str:
    """`nearest neighbours` for `knn`; in words for one that has no title."""
    return trait(PROTOCOLS, name, "title", name.replace("_", " "))


def protocols_in_order(names: pd.Series) -> list[str]:
    """Each protocol once, as they follow in tables: by the `order` of its class, then by name."""
    return sorted(
        set(names), key=lambda name: (trait(PROTOCOLS, name, "order", Protocol.order), name)
    )


def few_labels(frame: pd.DataFrame) -> pd.Series:
    """Which rows are of a protocol that learns from few labels by intent, (rows,) of bool."""
    protocols = frame["protocol"]
    few = [name for name in set(protocols) if not trait(PROTOCOLS, name, "all_labels", True)]
    return protocols.isin(few)


def telling(frame: pd.DataFrame, what: str) -> pd.Series:
    """Which rows are of a protocol that tells the sign, the signer or phonology, (rows,) of bool."""
    protocols = frame["protocol"]
    return protocols.isin(
        [name for name in set(protocols) if trait(PROTOCOLS, name, "tells", "sign") == what]
    )


def read_out(encoder: EncoderConfig, views: int = 0) -> str:
    """How a clip's tokens become one vector: `class token`; empty where an encoder has its own way.

    Args:
        views: that features are averaged over, beside the clip itself.
    """
    averaged = [f"mean of {1 + views} views"] if views else []
    try:
        pooling = getattr(encoder_options(encoder), "pooling", "").replace("_", " ")
    except UserError:  # an encoder of another machine's
        pooling = ""
    return ", ".join([pooling] * bool(pooling) + averaged)
