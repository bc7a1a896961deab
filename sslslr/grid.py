"""From a study's configuration to its runs: one row a pretraining run, one evaluation each.

A run is (method, augmentation, encoder variant, data set, seed, overrides). Its id is readable and
is the name of its folders:

    sl_fpn.temporal_permutation.paper.synthetic.s0          and with an ablation's tag
    sl_fpn.temporal_permutation.paper.synthetic.no_predictor.s0

Nothing here imports torch: the workflow builds its graph from this module.
"""

import hashlib
import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from sslslr.config import (
    EncoderConfig,
    PreprocessConfig,
    PretrainConfig,
    RunBlock,
    StudyConfig,
    TargetConfig,
)
from sslslr.errors import UserError, nearest
from sslslr.methods import METHODS
from sslslr.strict import Strict, parse

if TYPE_CHECKING:
    import pandas as pd

OVERRIDES = ("method_options", "preprocess", "encoder", "pretrain")  # of a block of the grid
LONGEST_ID = 160  # file names may have 255 letters; a temporary one has the host's name as well
NO_DATASET = "none"  # of a method that does not pretrain


class RunSpec(Strict):
    """All that decides what a pretraining run computes, but for the data and the code."""

    run_id: str
    method: str  # name in the study
    method_type: str  # file in sslslr/methods/
    method_options: dict[str, Any]
    augmentation: str
    augmentation_steps: list[dict[str, Any]]
    dataset: str
    preprocess: PreprocessConfig
    encoder: EncoderConfig
    pretrain: PretrainConfig
    seed: int
    tag: str | None = None


class EvaluateSpec(Strict):
    """All that decides what the evaluation of one encoder computes."""

    run: RunSpec
    targets: dict[str, TargetConfig]
    protocols: dict[str, dict[str, Any]]


def _override(model: Any, changes: dict[str, Any], where: str) -> Any:
    return parse(type(model), {**model.model_dump(), **changes}, where)


def _lookup(table: dict[str, Any], name: str, where: str) -> Any:
    if name not in table:
        raise UserError(f"{where}: {name!r} is not defined. {nearest(name, table)}")
    return table[name]


def _method(study: StudyConfig, name: str, where: str) -> dict[str, Any]:
    """A method's options; one that is not in `methods` is the file of its name, with its defaults."""
    if name not in study.methods and name in METHODS.names():
        return {}
    return dict(_lookup(study.methods, name, where))


def _expand(study: StudyConfig, block: RunBlock, where: str) -> list[RunSpec]:
    specs = []
    for method in block.methods:
        entry = _method(study, method, f"{where}.methods")
        method_type = entry.pop("type", method)
        if not isinstance(method_type, str):
            raise UserError(f"methods.{method}.type: must be text (found {method_type!r}).")
        traits = METHODS.traits(method_type)
        trains = traits.get("pretrains", True)
        if trains and not block.datasets:
            raise UserError(
                f"{where}.datasets: {method!r} pretrains and needs at least one data set."
            )
        for dataset in block.datasets:
            _lookup(study.datasets, dataset, f"{where}.datasets")
        encoder = {**block.encoder, **traits.get("encoder", {})}
        for dataset in block.datasets if trains else [NO_DATASET]:
            for augmentation in block.augmentations if trains else [NO_DATASET]:
                steps = []
                if trains:
                    named = _lookup(study.augmentations, augmentation, f"{where}.augmentations")
                    steps = named if block.views is None else block.views
                for seed in block.seeds:
                    specs.append(
                        RunSpec(
                            run_id="pending",
                            method=method,
                            method_type=method_type,
                            method_options={**entry, **block.method_options},
                            augmentation=augmentation,
                            augmentation_steps=steps,
                            dataset=dataset,
                            preprocess=_override(
                                study.preprocess, block.preprocess, f"{where}.preprocess"
                            ),
                            encoder=_override(study.encoder, encoder, f"{where}.encoder"),
                            pretrain=_override(
                                study.pretrain,
                                {**block.pretrain, **({} if trains else {"epochs": 0})},
                                f"{where}.pretrain",
                            ),
                            seed=seed,
                            tag=block.tag,
                        )
                    )
    return specs


def _swept(block: RunBlock, where: str) -> list[RunBlock]:
    """A block without `sweep` for each combination of its values, with a tag that says which.

    Raises:
        UserError: a key that is not one of the block's overrides.
    """
    if not block.sweep:
        return [block]
    for key in block.sweep:
        group, _, name = key.partition(".")
        if group not in OVERRIDES or not name:
            raise UserError(
                f"{where}.sweep: {key!r} is not a key to sweep; write GROUP.KEY with GROUP one of "
                f"{', '.join(OVERRIDES)}, for example encoder.depth."
            )
    blocks = []
    for values in itertools.product(*block.sweep.values()):
        changes: dict[str, dict[str, Any]] = {
            group: dict(getattr(block, group)) for group in OVERRIDES
        }
        for key, value in zip(block.sweep, values, strict=True):
            group, _, name = key.partition(".")
            changes[group][name] = value
        names = [
            _tag(key.partition(".")[2], value)
            for key, value in zip(block.sweep, values, strict=True)
        ]
        tag = "_".join([*([block.tag] if block.tag else []), *names])
        blocks.append(block.model_copy(update={**changes, "tag": tag, "sweep": {}}))
    return blocks


def _tag(name: str, value: Any) -> str:
    """`w_o`, 0.0022: `w_o_0p0022`, -1: `w_o_m1`; a list's or a word's letters and digits."""
    text = re.sub(r"(?<=\d)\.(?=\d)", "p", str(value).lower())
    text = re.sub(r"^-(?=\d)", "m", text)
    return f"{name}_{re.sub(r'[^a-z0-9]+', '_', text).strip('_')}"


def _settled(spec: RunSpec) -> RunSpec:
    """The run with its method's own defaults written out: what runs are compared by."""
    options = METHODS.settled(spec.method_type, spec.method_options)
    return spec.model_copy(update={"method_options": options})


def _changes_nothing(spec: RunSpec, plain: list[RunSpec]) -> bool:
    """Whether a run of a sweep is one of the runs of its block without the sweep, both settled."""
    return any(spec.model_copy(update={"tag": other.tag}) == other for other in plain)


def _named(spec: RunSpec) -> RunSpec:
    parts = [
        spec.method,
        spec.augmentation,
        spec.encoder.variant,
        spec.dataset,
        spec.tag,
        f"s{spec.seed}",
    ]
    return spec.model_copy(update={"run_id": ".".join(part for part in parts if part)})


def _block_runs(study: StudyConfig, block: RunBlock, where: str) -> list[RunSpec]:
    specs = [spec for one in _swept(block, where) for spec in _expand(study, one, where)]
    if not block.sweep:
        return specs
    plain = list(map(_settled, _expand(study, block, where)))
    return [spec for spec in specs if not _changes_nothing(_settled(spec), plain)]


def runs(study: StudyConfig) -> dict[str, RunSpec]:
    """All pretraining runs of a study by id; a run named by two blocks alike is one run.

    Raises:
        UserError: a name that is not defined, or two different runs with one id (give one a `tag`).
    """
    if NO_DATASET in study.datasets:
        raise UserError(
            f"datasets.{NO_DATASET}: this name stands for no data set, in runs that do not pretrain. "
            "Choose another one."
        )
    found: dict[str, RunSpec] = {}
    for number, block in enumerate(study.runs):
        for spec in map(_named, _block_runs(study, block, f"runs[{number}]")):
            if len(spec.run_id) > LONGEST_ID:
                raise UserError(
                    f"runs[{number}]: the name of a run has {len(spec.run_id)} letters, and is that of its "
                    f"files: {spec.run_id[:60]}... Shorten its parts, for example the `tag`, to "
                    f"{LONGEST_ID} in all."
                )
            if _settled(found.setdefault(spec.run_id, spec)) != _settled(spec):
                raise UserError(
                    f"runs[{number}]: run {spec.run_id!r} is already defined with other settings. "
                    "Give this block a `tag`."
                )
    return found


def targets(study: StudyConfig, run: RunSpec) -> dict[str, TargetConfig]:
    """What a run is evaluated on: its own data set, or every target for transfer and untrained encoders.

    A data set that is no target itself (a large set to pretrain on) is evaluated on every target.
    """
    stated = study.evaluate.targets or {name: TargetConfig() for name in study.datasets}
    known = {
        name: target.model_copy(update={"dataset": target.dataset or name})
        for name, target in stated.items()
    }
    for target in known.values():
        _lookup(study.datasets, target.dataset, "evaluate.targets")
    transfer = study.evaluate.transfer
    everywhere = run.method in transfer if isinstance(transfer, list) else transfer
    own = {name: target for name, target in known.items() if target.dataset == run.dataset}
    return known if everywhere or not own else own


def protocol_options(study: StudyConfig) -> dict[str, dict[str, Any]]:
    """Each protocol's own options, without `methods`, which says who runs it.

    Raises:
        UserError: an `augmentation` that is not defined; the steps take the place of its name.
    """
    found = {}
    for name, options in study.evaluate.protocols.items():
        found[name] = {key: value for key, value in options.items() if key != "methods"}
        if isinstance(views := options.get("augmentation"), str):
            where = f"evaluate.protocols.{name}.augmentation"
            found[name]["augmentation"] = _lookup(study.augmentations, views, where)
    return found


def evaluate_spec(study: StudyConfig, run: RunSpec) -> EvaluateSpec:
    """What `sslslr evaluate` needs to know of a run."""
    traits = METHODS.traits(run.method_type)
    protocols = protocol_options(study)
    if only := traits.get("protocols"):
        protocols = {name: protocols.get(name, {}) for name in only}
    stated, skipped = study.evaluate.protocols, traits.get("skips", [])
    protocols = {
        name: options
        for name, options in protocols.items()
        if name not in skipped and run.method in stated.get(name, {}).get("methods", [run.method])
    }
    return EvaluateSpec(run=run, targets=targets(study, run), protocols=protocols)


def table(study: StudyConfig) -> "pd.DataFrame":
    """The grid as a table, one row a run: what a dry run and the report show."""
    import pandas as pd  # here: every job and the workflow itself import this module

    return pd.DataFrame(
        [
            {
                "run_id": spec.run_id,
                "method": spec.method,
                "augmentation": spec.augmentation,
                "variant": spec.encoder.variant,
                "dataset": spec.dataset,
                "tag": spec.tag or "",
                "seed": spec.seed,
                "epochs": spec.pretrain.epochs,
            }
            for spec in runs(study).values()
        ]
    )


def fingerprint(value: Any) -> str:
    """A short sha256 of any JSON-like value, key order ignored."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
