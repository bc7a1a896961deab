"""What decides one pretraining run, and the evaluation of one encoder."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from sslslr.config.settings import Name, Seed, Settings
from sslslr.config.study import EncoderConfig, PreprocessConfig, PretrainConfig, TargetConfig

NO_DATASET = "none"  # of a method that does not pretrain
# Ids name folders, also those that are read from somebody else's results.
RUN_ID = r"^[a-z0-9][a-z0-9_.]{0,249}$"
RunId = Annotated[str, Field(pattern=RUN_ID)]


class RunSpec(Settings):
    """All that decides what a pretraining run computes, but for the data and the code."""

    run_id: RunId
    method: str  # name in the study
    method_type: str  # file in sslslr/methods/
    method_options: dict[str, Any]
    augmentation: str
    augmentation_steps: list[dict[str, Any]]
    dataset: Name
    preprocess: PreprocessConfig
    encoder: EncoderConfig
    pretrain: PretrainConfig
    seed: Seed
    tag: str | None = None


class EvaluateSpec(Settings):
    """All that decides what the evaluation of one encoder computes."""

    run: RunSpec
    targets: dict[Name, TargetConfig]
    protocols: dict[str, dict[str, Any]]
    members: list[Name] = Field([])  # data sets of the pool that the run was pretrained on
    views: int = 0  # that features are averaged over, beside the clip itself
    view_steps: list[dict[str, Any]] = Field([])


def clip_store(results: Path, dataset: str) -> Path:
    """Folder of a data set's clips, below the results folder."""
    return Path(results) / "data" / dataset / "clips"


def fingerprint(value: Any) -> str:
    """A short sha256 of any JSON-like value, key order ignored."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
