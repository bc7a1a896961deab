"""The configuration of a study: pydantic models are the single truth.

`workflow/schemas/config.schema.yaml` is generated from here (`make schema`; a test compares).
Every key has a description and a default with its reason; an unknown key is an error that names
the nearest known one. `config/README.md` explains the keys for users.
"""

import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from sslslr import yaml_file
from sslslr.strict import Name, Seeds, Share, Strict, parse

Splits = Annotated[list[Literal["train", "val", "test"]], Field(min_length=1)]


class DatasetConfig(Strict):
    source: str = Field(description="File in sslslr/datasets/ that knows how to get the data set.")
    options: dict[str, Any] = Field({}, description="Options of that data set.")


class DownloadConfig(Strict):
    folder: str | None = Field(
        None,
        description="Where downloads grow and are kept for the next run; default: downloads/ in `results`.",
    )
    parallel: int = Field(4, ge=1, le=32, description="Files fetched at once.")
    allow_http: bool = Field(
        False, description="Permit mirrors without TLS. Anyone on the way could change the files."
    )


class PreprocessConfig(Strict):
    variant: Literal["ours", "as_released"] = Field(
        "ours",
        description="ours: trim, fill gaps, normalise, fit. as_released: the authors' (first frames, zero-padded).",
    )
    frames: int = Field(
        30, ge=1, le=1000, description="T, frames a clip has at the encoder (paper: 30)."
    )
    fit: Literal["truncate", "resample"] = Field(
        "truncate",
        description="truncate: the first T frames (paper). resample: every clip stretched to T.",
    )

    @model_validator(mode="after")
    def _authors_truncate(self) -> "PreprocessConfig":
        if self.variant == "as_released" and self.fit != "truncate":
            raise ValueError(
                "the authors' preprocessing (as_released) truncates; set fit: truncate"
            )
        return self


class EncoderConfig(Strict):
    variant: Literal["paper", "as_released", "raw"] = Field(
        "paper",
        description="paper: as described. as_released: as the authors' code computes. raw: the keypoints, no encoder.",
    )
    depth: int = Field(12, ge=1, description="Transformer blocks.")
    width: int = Field(512, ge=8, description="Channels of a token and of the features.")
    heads: int = Field(8, ge=1, description="Attention heads; divides the width.")
    feedforward: int = Field(4, ge=1, description="Hidden width of a block's MLP, in widths.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout in the blocks.")
    inputs: Annotated[list[Literal["position", "hand_shape", "velocity"]], Field(min_length=1)] = (
        Field(
            ["position"],
            description="What a frame's token is made of: position (paper), each hand's shape by itself, velocity.",
        )
    )
    pooling: Literal["class_token", "mean"] = Field(
        "class_token", description="class_token (paper) or the mean over valid frames."
    )

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "EncoderConfig":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


class PretrainConfig(Strict):
    epochs: int = Field(100, ge=0, description="Passes over the pretraining clips.")
    batch_size: int = Field(512, ge=2, description="Clips a step.")
    learning_rate: float = Field(1e-4, gt=0, description="AdamW; the paper's.")
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="constant (paper), or warm-up over 5 % and then a cosine to zero."
    )
    weight_decay: float = Field(0.01, ge=0, description="AdamW.")
    precision: Literal["auto", "32-true", "64-true", "bf16-mixed", "16-mixed"] = Field(
        "auto",
        description="auto: bf16-mixed on a GPU that has it, 32-true on CPU. bf16-mixed is followed on a "
        "CPU that multiplies bf16 itself.",
    )
    accelerator: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where to train.")
    devices: int = Field(
        1, ge=1, description="GPUs (on CPU: processes) that share a run's batches; the same loss."
    )
    compile: Literal["auto", "on", "off"] = Field(
        "auto",
        description="torch.compile of the encoder; auto: on a GPU. Where it fails the run goes on without, recorded.",
    )
    checkpoint_every: int = Field(10, ge=1, description="Epochs between checkpoints.")
    splits: Splits = Field(
        ["train"], description="Splits of the pretraining set that are used (labels are not)."
    )
    share: Share = Field(
        Fraction(1),
        description="Share of those clips, drawn by the run's seed: pretraining-set size.",
    )
    collapse_spread: float = Field(
        0.1,
        gt=0,
        description="Warn when the projections' spread falls below this share of its start.",
    )
    collapse_rank: float = Field(
        2.0, ge=1, description="Warn when the effective rank falls below this."
    )

    @field_validator("share")
    @classmethod
    def _share_of_something(cls, share: Fraction) -> Fraction:
        if share == 0:
            raise ValueError("must be above 0; methods that do not pretrain need no share")
        return share


class LinearConfig(Strict):
    """The paper's linear evaluation: three linear layers without a non-linearity between."""

    hidden: list[Annotated[int, Field(ge=1)]] = Field(
        [1024, 500], description="Widths between features and classes."
    )
    epochs: int = Field(1000, ge=1, description="Passes over the labelled clips.")
    warmup_epochs: int = Field(20, ge=0, description="Epochs of linear warm-up, then linear decay.")
    learning_rate: float = Field(0.01, gt=0, description="SGD.")
    batch_size: int = Field(512, ge=1, description="Clips a step.")
    seeds: Seeds = Field([0], description="Probe seeds, fitted at once.")

    @model_validator(mode="after")
    def _warm_up_ends(self) -> "LinearConfig":
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs} is above epochs {self.epochs}: the learning rate would "
                "never be reached. Lower `warmup_epochs` (the paper has 20 of 1000)"
            )
        return self


Strength = Annotated[float, Field(gt=0)]


class LogisticConfig(Strict):
    """A plain logistic regression on standardised features."""

    C: Strength | Annotated[list[Strength], Field(min_length=1)] = Field(
        1.0,
        description="Inverse L2 strength (scikit-learn's default). Of a list the best is taken, by a fifth "
        "of each class's training clips that the others are fitted without.",
    )
    max_iter: int = Field(2000, ge=1, description="Iterations at most.")


class FineTuneConfig(Strict):
    """Encoder and a linear head trained end to end on the labels."""

    epochs: int = Field(100, ge=1, description="Passes over the labelled clips.")
    batch_size: int = Field(64, ge=1, description="Clips a step.")
    learning_rate: float = Field(
        3e-4, gt=0, description="AdamW, 10 % warm-up, then cosine to zero."
    )
    weight_decay: float = Field(0.05, ge=0, description="AdamW.")


class TargetConfig(Strict):
    dataset: Name | None = Field(
        None, description="Data set; left out where the target's name is its name."
    )
    split_by: Literal["given", "clips"] = Field(
        "given",
        description="given: the data set's split. clips: dealt out anew within each gloss, signers on both sides.",
    )
    train: Splits = Field(["train"], description="Splits a probe learns from.")
    test: Literal["train", "val", "test"] = Field("test", description="Split that is scored.")
    protocols: list[str] | None = Field(
        None, description="The only protocols to run on this target; left out: all of the study."
    )
    parts: Annotated[list[Literal["left_hand", "right_hand", "body"]], Field(min_length=1)] = Field(
        ["left_hand", "right_hand", "body"],
        description="Parts that encoders see of this target, pretrained or not: the same joints for all of them.",
    )
    unseen_labels: Literal["error", "drop"] = Field(
        "error", description="What to do with test clips whose gloss no training clip has."
    )

    @model_validator(mode="after")
    def _scored_clips_are_not_learnt_from(self) -> "TargetConfig":
        if self.test in self.train:
            raise ValueError(
                f"split {self.test!r} is both in `train` and the `test` split: a probe would be scored on "
                "the clips that it learnt from. Take it out of `train`"
            )
        return self


class EvaluateConfig(Strict):
    targets: dict[Name, TargetConfig] = Field(
        {},
        description="Data sets that encoders are evaluated on. Empty: every data set, train to test.",
    )
    transfer: bool | list[Name] = Field(
        False,
        description="Evaluate encoders on every target, not on their own set alone: all, or those of named methods.",
    )
    protocols: dict[str, dict[str, Any]] = Field(
        {"linear": {}, "logistic": {}},
        description="Files in sslslr/protocols/ and their options; `methods` there names the only ones to run it.",
    )

    @model_validator(mode="after")
    def _methods_are_listed(self) -> "EvaluateConfig":
        for name, options in self.protocols.items():
            methods = options.get("methods", [])
            if not isinstance(methods, list) or not all(isinstance(m, str) for m in methods):
                raise ValueError(
                    f"protocols.{name}.methods must be a list of methods, for example [sl_fpn]; found {methods!r}"
                )
        return self


class RunBlock(Strict):
    """A block of the grid: the product of its lists, with what it overrides."""

    methods: list[Name] = Field(min_length=1, description="Names from `methods`.")
    datasets: list[Name] = Field(
        [], description="Pretraining sets; left empty for methods that do not pretrain."
    )
    augmentations: list[Name] = Field(
        ["temporal_permutation"], description="Names from `augmentations`."
    )
    seeds: Seeds = Field([0], description="One run a seed.")
    tag: Name | None = Field(None, description="Name of the ablation, part of the run's id.")
    views: list[dict[str, Any]] | None = Field(
        None, description="Transforms in place of the named composition's, under its name."
    )
    sweep: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        {},
        description="Dotted keys of this block (encoder.depth, method_options.w_o) and their values: one tagged run "
        "for each combination but the one that changes nothing.",
    )
    method_options: dict[str, Any] = Field({}, description="Overrides of the method's options.")
    preprocess: dict[str, Any] = Field({}, description="Overrides of `preprocess`.")
    encoder: dict[str, Any] = Field({}, description="Overrides of `encoder`.")
    pretrain: dict[str, Any] = Field({}, description="Overrides of `pretrain`.")


class JobResources(Strict):
    """What a scheduler is asked for, for one job of a stage; a retry asks for as much again."""

    memory: int = Field(4000, ge=1, description="MB of the host's memory.")
    runtime: int = Field(60, ge=1, description="Minutes.")
    gpu: int | None = Field(
        None,
        ge=0,
        description="GPUs; left out: pretrain.devices where a GPU is seen and wanted, for one of pretrain or evaluate.",
    )
    partition: str | None = Field(
        None, description="Of Slurm; left out: the profile's (profiles/slurm/config.yaml)."
    )


class ResourcesConfig(Strict):
    threads: int = Field(
        1, ge=1, description="CPU threads of a process that pretrains or evaluates."
    )
    stack: int = Field(
        1,
        ge=1,
        description="Runs of one method that pretrain in one process, at most; 1: each by itself.",
    )
    # What they were measured to need is far less; a limit that is met kills.
    download: JobResources = JobResources(memory=1000, runtime=60)
    extract: JobResources = JobResources(memory=8000, runtime=120)
    pretrain: JobResources = JobResources(memory=8000, runtime=480)
    evaluate: JobResources = JobResources(memory=16000, runtime=240)
    report: JobResources = JobResources(memory=1000, runtime=30)
    clips_per_second: float = Field(
        300.0, gt=0, description="Pretraining speed assumed for the dry run's estimate of hours."
    )


class StudyConfig(Strict):
    name: Name = Field("study", description="Name of the study, shown in the report.")
    note: str = Field("", description="Shown at the top of the report: what the numbers are worth.")
    results: str = Field(
        "results", description="Folder that everything is built in, relative to the repository."
    )
    datasets: dict[Name, DatasetConfig] = Field(min_length=1, description="Data sets by name.")
    accept_licences: list[str] = Field(
        [],
        description="Ids of the licences that you have read and accept; without its own a data set is not downloaded.",
    )
    downloads: DownloadConfig = DownloadConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    encoder: EncoderConfig = EncoderConfig()
    augmentations: dict[Name, list[dict[str, Any]]] = Field(
        {"temporal_permutation": [{"name": "temporal_permutation"}]},
        description="Named compositions: a list of transforms with their options.",
    )
    methods: dict[Name, dict[str, Any]] = Field(
        {"sl_fpn": {}},
        description="Named methods; `type` is the file in sslslr/methods/ (default: the name), the rest its options.",
    )
    pretrain: PretrainConfig = PretrainConfig()
    runs: list[RunBlock] = Field(min_length=1, description="The grid.")
    evaluate: EvaluateConfig = EvaluateConfig()
    resources: ResourcesConfig = ResourcesConfig()

    @field_validator("results")
    @classmethod
    def _results_can_be_named_in_a_shell(cls, results: str) -> str:
        if not re.fullmatch(r"(?![-~])[\w./@+=-]+", results):
            raise ValueError(
                "a path of letters, digits and ./_-@+= is needed (no blank; ~ is not expanded), because the "
                "jobs' shell commands hold it"
            )
        return results


def load(path: str | Path) -> StudyConfig:
    """Read a study's YAML file.

    Raises:
        UserError: no such file, not YAML, or an invalid key or value.
    """
    return parse(StudyConfig, yaml_file.read(path), str(path))


def schema() -> dict[str, Any]:
    """The JSON schema that Snakemake validates a configuration with."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Generated from sslslr/config.py by `make schema`; do not edit.",
        **StudyConfig.model_json_schema(),
    }
