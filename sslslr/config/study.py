"""The configuration of a study: pydantic models are the single truth.

Every key has a description and a default with its reason; an unknown key is an error that names
the nearest known one. `config/README.md` explains the keys for users.
"""

import posixpath
import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from sslslr.config.settings import (
    FASTEST,
    FORMER_NAMES,
    MOST,
    EncoderName,
    Name,
    ProtocolName,
    Seeds,
    Settings,
    Share,
)

# Folders of a study that hold its sources.
NOT_RESULTS = (
    *(".git", ".dvc", ".snakemake", ".venv", ".github", ".ci", "sslslr", "workflow", "config"),
    *("scripts", "tests", "docs", "profiles", "benchmarks", "containers", "shared"),
)
# Folders of the machine: of the first nothing below either is a place for results.
SYSTEM = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys", "usr")
NOT_ITSELF = ("home", "media", "mnt", "opt", "root", "run", "srv", "tmp", "var")
Splits = Annotated[list[Literal["train", "val", "test"]], Field(min_length=1)]


class DatasetConfig(Settings):
    source: str = Field(
        description="File in sslslr/data/datasets/ that knows how to get the data set."
    )
    options: dict[str, Any] = Field({}, description="Options of that data set.")


class DownloadConfig(Settings):
    folder: str | None = Field(
        None,
        description="Where downloads grow and are kept for the next run; default: downloads/ in `results`.",
    )
    parallel: int = Field(4, ge=1, le=32, description="Files fetched at once.")
    allow_http: bool = Field(
        False, description="Permit mirrors without TLS. Anyone on the way could change the files."
    )


class PreprocessConfig(Settings):
    variant: Literal["ours", "picture", "as_released"] = Field(
        "ours",
        description="ours: trim, fill gaps, normalise, fit. picture: the same, but a clip without shoulders keeps "
        "its place and size in the picture. as_released: the authors' (first frames, zero-padded).",
    )
    frames: int = Field(
        30, ge=1, le=1000, description="T, frames a clip has at the encoder (paper: 30)."
    )
    fit: Literal["truncate", "resample"] = Field(
        "truncate",
        description="truncate: the first T frames (paper). resample: every clip stretched to T.",
    )
    gaps: Literal["fill", "keep"] = Field(
        "fill",
        description="Frames that do not show a hand. fill: by interpolation over time. keep: zero, so that an "
        "encoder can tell (two_hands fills them itself).",
    )
    view_frames: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Frames of the clips that views are cut from, before they get T; default: T. More keep the "
        "detail of a view of a part.",
    )

    @model_validator(mode="after")
    def _authors_truncate(self) -> "PreprocessConfig":
        if self.variant == "as_released" and self.fit != "truncate":
            raise ValueError(
                "the authors' preprocessing (as_released) truncates; set fit: truncate"
            )
        if self.view_frames is not None and self.fit != "resample":
            raise ValueError("view_frames needs fit: resample, which stretches views to T as well")
        return self


class EncoderConfig(Settings):
    """Which encoder, and beside it the settings of that encoder, which are checked by its own file."""

    model_config = ConfigDict(extra="allow")

    variant: EncoderName = Field(
        "transformer",
        description="File in sslslr/encoders/: transformer (the paper's), hand_geometry, two_hands, committee, "
        "as_released (the authors' code), raw (the keypoints); the other keys are that encoder's options.",
    )

    @property
    def options(self) -> dict[str, Any]:
        """The settings beside `variant`."""
        return dict(self.model_extra or {})


class PretrainConfig(Settings):
    epochs: int = Field(100, ge=0, le=MOST, description="Passes over the pretraining clips.")
    batch_size: int = Field(512, ge=2, le=MOST, description="Clips a step.")
    learning_rate: float = Field(1e-4, gt=0, le=FASTEST, description="AdamW; the paper's.")
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="constant (paper), or cosine: a warm-up and then a cosine to zero."
    )
    warmup: Share = Field(
        Fraction(1, 20), description="Share of the steps in which a cosine schedule warms up."
    )
    weight_decay: float = Field(0.01, ge=0, le=FASTEST, description="AdamW.")
    decayed: Literal["all", "matrices"] = Field(
        "all",
        description="What weight decay acts on: all parameters, or those of two axes and more.",
    )
    clip_norm: float | None = Field(
        None, gt=0, description="Largest norm of a step's gradient; left out: not clipped."
    )
    precision: Literal["auto", "32-true", "64-true", "bf16-mixed", "16-mixed"] = Field(
        "auto",
        description="auto: bf16-mixed on a GPU that has it, 32-true on CPU. bf16-mixed is followed on a "
        "CPU that multiplies bf16 itself.",
    )
    accelerator: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where to train.")
    devices: int = Field(
        1,
        ge=1,
        le=1024,
        description="GPUs (on CPU: processes) that share a run's batches; the same loss.",
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


class TargetConfig(Settings):
    dataset: Name | None = Field(
        None, description="Data set; left out where the target's name is its name."
    )
    split_by: Literal["given", "clips"] = Field(
        "given",
        description="given: the data set's split. clips: dealt out anew within each gloss, signers on both sides.",
    )
    train: Splits = Field(["train"], description="Splits a probe learns from.")
    test: Literal["train", "val", "test"] = Field("test", description="Split that is scored.")
    protocols: list[ProtocolName] | None = Field(
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


class AverageConfig(Settings):
    """Features as a mean over the clip and views of it."""

    augmentation: Name = Field(description="Name of one of `augmentations`; weak ones.")
    views: int = Field(6, ge=1, le=100, description="Views beside the clip itself.")


class EvaluateConfig(Settings):
    targets: dict[Name, TargetConfig] = Field(
        {},
        description="Data sets that encoders are evaluated on. Empty: every data set, train to test.",
    )
    transfer: bool | list[Name] = Field(
        False,
        description="Evaluate encoders on every target, not on their own set alone: all, or those of named methods.",
    )
    average: AverageConfig | None = Field(
        None,
        description="Features averaged over the clip and views of it, of every encoder; left out: of the clip.",
    )
    protocols: dict[ProtocolName, dict[str, Any]] = Field(
        {"linear": {}, "logistic": {}},
        description="Protocols by file name and their options; `methods` there names the only ones to run it.",
    )

    @field_validator("protocols", mode="before")
    @classmethod
    def _one_name_a_protocol(cls, protocols: Any) -> Any:
        for former, name in FORMER_NAMES.items() if isinstance(protocols, dict) else ():
            if {former, name} <= protocols.keys():
                raise ValueError(f"{name} stands there twice, once as {former}; remove that one")
        return protocols

    @model_validator(mode="after")
    def _methods_are_listed(self) -> "EvaluateConfig":
        for name, options in self.protocols.items():
            methods = options.get("methods", [])
            if not isinstance(methods, list) or not all(isinstance(m, str) for m in methods):
                raise ValueError(
                    f"protocols.{name}.methods must be a list of methods, for example [sl_fpn]; found {methods!r}"
                )
        return self


class RunBlock(Settings):
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


class JobResources(Settings):
    """What a scheduler is asked for, for one job of a stage; a retry asks for as much again."""

    memory: int = Field(4000, ge=1, le=10**8, description="MB of the host's memory.")
    runtime: int = Field(60, ge=1, le=10**6, description="Minutes.")
    gpu: int | None = Field(
        None,
        ge=0,
        le=1024,
        description="GPUs; left out: pretrain.devices where a GPU is seen and wanted, for one of pretrain or evaluate.",
    )
    partition: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_][\w.,-]*$",
        description="Of Slurm; left out: the profile's (profiles/slurm/config.yaml).",
    )


class ResourcesConfig(Settings):
    threads: int = Field(
        1, ge=1, le=1024, description="CPU threads of a process that pretrains or evaluates."
    )
    # What they were measured to need is far less; a limit that is met kills.
    download: JobResources = JobResources(memory=2000, runtime=60)
    extract: JobResources = JobResources(memory=8000, runtime=120)
    pretrain: JobResources = JobResources(memory=8000, runtime=480)
    evaluate: JobResources = JobResources(memory=16000, runtime=240)
    report: JobResources = JobResources(memory=2000, runtime=30)
    clips_per_second: float = Field(
        300.0, gt=0, description="Pretraining speed assumed for the dry run's estimate of hours."
    )


class StudyConfig(Settings):
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
    claims: str = Field(
        "config/claims.yaml",
        description="File of the claims to decide, relative to the repository.",
    )
    resources: ResourcesConfig = ResourcesConfig()

    @field_validator("results")
    @classmethod
    def _results_are_a_folder_of_their_own(cls, results: str) -> str:
        if not re.fullmatch(r"(?![-~])[\w./@+=-]+", results):
            raise ValueError(
                "a path of letters, digits and ./_-@+= is needed (no blank; ~ is not expanded), because the "
                "jobs' shell commands hold it"
            )
        path = posixpath.normpath(results)
        first, *below = path.lstrip("/").split("/")
        systems = path.startswith("/") and (first in SYSTEM or (first in NOT_ITSELF and not below))
        if (
            not path.strip("/.")
            or path.endswith("..")
            or path.split("/")[0] in NOT_RESULTS
            or systems
        ):
            raise ValueError(
                "a folder of the results' own is needed, for example results/mine or /scratch/mine: what is "
                "in it is replaced"
            )
        return results
