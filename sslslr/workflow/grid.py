"""From a study's configuration to its runs: one row a pretraining run, one evaluation each.

A run is (method, augmentation, encoder variant, data set, seed, overrides). Its id is readable and
is the name of its folders:

    sl_fpn.temporal_permutation.transformer.synthetic.s0          and with an ablation's tag
    sl_fpn.temporal_permutation.transformer.synthetic.no_predictor.s0
"""

import itertools
import math
import re
from pathlib import Path
from typing import Any

from sslslr.config.run import NO_DATASET, EvaluateSpec, RunSpec
from sslslr.config.settings import FORMER_ENCODERS, parse
from sslslr.config.study import (
    EncoderConfig,
    EvaluateConfig,
    RunBlock,
    StudyConfig,
    TargetConfig,
)
from sslslr.data.datasets import DATASETS, options_of
from sslslr.encoders import ENCODERS
from sslslr.encoders.build import encoder_options
from sslslr.methods import METHODS
from sslslr.utils.errors import UserError, nearest
from sslslr.utils.files import sha256_of
from sslslr.utils.user_files import shown

OVERRIDES = ("method_options", "preprocess", "encoder", "pretrain")  # of a block of the grid
MOST_RUNS = 10_000  # of a study: each is looked at before the first job, which takes milliseconds
LONGEST_ID = 160  # file names may have 255 letters; a temporary one has the host's name as well


def _override(model: Any, changes: dict[str, Any], where: str) -> Any:
    return parse(type(model), {**model.model_dump(), **changes}, where)


def _encoder(
    stated: EncoderConfig, changes: dict[str, Any], fixed: dict[str, Any], where: str
) -> EncoderConfig:
    """The study's encoder with a run's changes; of another encoder, what the two have in common.

    Args:
        fixed: by the method (`Method.encoder_settings`), as far as the encoder has such settings.
    """
    variant = fixed.get("variant", changes.get("variant", stated.variant))
    variant = FORMER_ENCODERS.get(variant, variant)
    known = ENCODERS.get(variant).Options.model_fields
    if stray := [name for name in changes if name not in {*known, "variant"}]:
        raise UserError(f"{where}: unknown key {stray[0]!r}. {nearest(stray[0], known)}")
    stray = [name for name in stated.options if name not in known]
    if stray and variant == stated.variant:
        raise UserError(f"encoder: unknown key {stray[0]!r}. {nearest(stray[0], known)}")
    options = {**stated.options, **changes}
    for name, value in fixed.items():
        now = options.get(name, known[name].default if name in known else None)
        options[name] = value.get(now, now) if isinstance(value, dict) else value
    options = {name: value for name, value in options.items() if name in known}
    if fixed and "member" in known:  # of a committee
        member = parse(EncoderConfig, options.get("member", known["member"].default), where)
        options["member"] = _encoder(member, {}, fixed, where).model_dump(mode="json")
    return parse(EncoderConfig, {**options, "variant": variant}, where)


def _lookup(table: dict[str, Any], name: str, where: str) -> Any:
    if name not in table:
        raise UserError(f"{where}: {name!r} is not defined. {nearest(name, table)}")
    return table[name]


def _method(study: StudyConfig, name: str, where: str) -> dict[str, Any]:
    """A method's options; one that is not in `methods` is the file of its name, with its defaults."""
    if name not in study.methods and name in METHODS:
        return {}
    return dict(_lookup(study.methods, name, where))


def _expand(study: StudyConfig, block: RunBlock, where: str) -> list[RunSpec]:
    specs = []
    for method in block.methods:
        entry = _method(study, method, f"{where}.methods")
        method_type = entry.pop("type", method)
        if not isinstance(method_type, str):
            raise UserError(f"methods.{method}.type: must be text (found {method_type!r}).")
        method_class = METHODS.get(method_type)
        trains = method_class.pretrains
        if trains and not block.datasets:
            raise UserError(
                f"{where}.datasets: {method!r} pretrains and needs at least one data set."
            )
        for dataset in block.datasets:
            _lookup(study.datasets, dataset, f"{where}.datasets")
        for dataset in block.datasets if trains else [NO_DATASET]:
            for augmentation in block.augmentations if trains else [NO_DATASET]:
                steps = []
                if trains:
                    named = _lookup(study.augmentations, augmentation, f"{where}.augmentations")
                    steps = named if block.views is None else block.views
                first = RunSpec(
                    run_id="pending",
                    method=method,
                    method_type=method_type,
                    method_options={**entry, **block.method_options},
                    augmentation=augmentation,
                    augmentation_steps=steps,
                    dataset=dataset,
                    preprocess=_override(study.preprocess, block.preprocess, f"{where}.preprocess"),
                    encoder=_encoder(
                        study.encoder,
                        block.encoder,
                        method_class.encoder_settings,
                        f"{where}.encoder",
                    ),
                    pretrain=_override(
                        study.pretrain,
                        {**block.pretrain, **({} if trains else {"epochs": 0})},
                        f"{where}.pretrain",
                    ),
                    seed=block.seeds[0],
                    tag=block.tag,
                )
                # All but the seed is checked once: a block may have thousands.
                specs += [first.model_copy(update={"seed": seed}) for seed in block.seeds]
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
                f"{where}.sweep: {shown(key)!r} is not a key to sweep; write GROUP.KEY with GROUP one of "
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
    """The run with its method's and its encoder's own defaults written out: what runs are compared by."""
    model, where = METHODS.get(spec.method_type).Options, f"methods.{spec.method}"
    options = parse(model, spec.method_options, where)
    encoder = encoder_options(spec.encoder, f"{spec.run_id}: encoder").model_dump()
    encoder = EncoderConfig(variant=spec.encoder.variant, **encoder)
    return spec.model_copy(update={"method_options": options.model_dump(), "encoder": encoder})


def _untagged(spec: RunSpec) -> str:
    """All that a run computes by, settled: what a run of a sweep is compared by."""
    return _settled(spec).model_copy(update={"tag": None}).model_dump_json()


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


def _count(block: RunBlock) -> int:
    """Runs of a block, before any is made."""
    lists = [block.methods, block.augmentations, block.seeds, *block.sweep.values()]
    return math.prod([max(1, len(block.datasets)), *map(len, lists)])


def _block_runs(study: StudyConfig, block: RunBlock, where: str) -> list[RunSpec]:
    specs = [spec for one in _swept(block, where) for spec in _expand(study, one, where)]
    if not block.sweep:
        return specs
    plain = set(map(_untagged, _expand(study, block, where)))
    return [spec for spec in specs if _untagged(spec) not in plain]


def runs(study: StudyConfig) -> dict[str, RunSpec]:
    """All pretraining runs of a study by id; a run named by two blocks alike is one run.

    Raises:
        UserError: a name that is not defined, two different runs with one id (give one a `tag`), or more than
            `MOST_RUNS` runs.
    """
    if NO_DATASET in study.datasets:
        raise UserError(
            f"datasets.{NO_DATASET}: this name stands for no data set, in runs that do not pretrain. "
            "Choose another one."
        )
    if (count := sum(map(_count, study.runs))) > MOST_RUNS:
        why = f"runs: {count} runs, of lists that multiply; at most {MOST_RUNS} are planned."
        raise UserError(f"{why} Shorten a list, or divide the study.")
    found: dict[str, RunSpec] = {}
    for number, block in enumerate(study.runs):
        for spec in map(_named, _block_runs(study, block, f"runs[{number}]")):
            if len(spec.run_id) > LONGEST_ID:
                raise UserError(
                    f"runs[{number}]: the name of a run has {len(spec.run_id)} letters, and is that of its "
                    f"files: {spec.run_id[:60]}... Shorten its parts, for example the `tag`, to "
                    f"{LONGEST_ID} in all."
                )
            same = found.setdefault(spec.run_id, spec)
            if same is not spec and _settled(same) != _settled(spec):
                raise UserError(
                    f"runs[{number}]: run {spec.run_id!r} is already defined with other settings. "
                    "Give this block a `tag`."
                )
    return found


def dataset_options(study: StudyConfig, name: str) -> Any:
    """The options of a data set, checked; raises UserError naming the key."""
    entry = study.datasets[name]
    return options_of(entry.source, entry.options, f"datasets.{name}.options")


def members(study: StudyConfig, dataset: str) -> dict[str, float]:
    """The data sets that a pool is made of, with the share of each; of any other data set none.

    Raises:
        UserError: a member that is not defined, or that is a pool itself.
    """
    if dataset not in study.datasets:
        return {}
    source, where = study.datasets[dataset].source, f"datasets.{dataset}.options.members"
    found = DATASETS.get(source).members(dataset_options(study, dataset))
    for name in found:
        if _lookup(study.datasets, name, where).source == source:
            raise UserError(f"{where}: {name!r} is a pool itself; name its members instead.")
    return found


def targets(study: StudyConfig, run: RunSpec) -> dict[str, TargetConfig]:
    """What a run is evaluated on: its own data set, or every target for transfer and untrained encoders.

    Of a pool, its members are its own; a target whose test clips lie among their training clips (dealt
    anew, say) is left out. A data set that is no target itself (a large set to pretrain on) is evaluated
    on every target.
    """
    usual = [name for name in study.datasets if not members(study, name)]
    stated = study.evaluate.targets or {name: TargetConfig() for name in usual}
    known = {
        name: target.model_copy(update={"dataset": target.dataset or name})
        for name, target in stated.items()
    }
    for target in known.values():
        _lookup(study.datasets, target.dataset, "evaluate.targets")
        if target.dataset not in usual:
            raise UserError(
                f"evaluate.targets: {target.dataset!r} is a pool of training clips; nothing of it can be scored."
            )
    pooled = members(study, run.dataset)
    known = {
        name: target
        for name, target in known.items()
        if not (target.dataset in pooled and (target.split_by == "clips" or target.test == "train"))
    }
    if not known:
        raise UserError(
            f"evaluate.targets: every target's test clips are in the pool {run.dataset!r}."
        )
    transfer = study.evaluate.transfer
    everywhere = run.method in transfer if isinstance(transfer, list) else transfer
    its = {run.dataset, *pooled}
    own = {name: target for name, target in known.items() if target.dataset in its}
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
        if isinstance(table := options.get("table"), str) and Path(table).is_file():
            found[name]["sha256"] = sha256_of(Path(table))  # another table is another evaluation
    return found


def evaluate_spec(study: StudyConfig, run: RunSpec) -> EvaluateSpec:
    """What `sslslr evaluate` needs to know of a run."""
    method = METHODS.get(run.method_type)
    protocols = protocol_options(study)
    if method.protocols:  # those of them that the study has, or all where it has none of them
        usual = [name for name in method.protocols if name in EvaluateConfig().protocols]
        own = [name for name in method.protocols if name in protocols] or usual or method.protocols
        protocols = {name: protocols.get(name, {}) for name in own}
    stated = study.evaluate.protocols
    protocols = {
        name: options
        for name, options in protocols.items()
        if name not in method.skips
        and run.method in stated.get(name, {}).get("methods", [run.method])
    }
    views: dict[str, Any] = {}
    if average := study.evaluate.average:
        where = "evaluate.average.augmentation"
        steps = _lookup(study.augmentations, average.augmentation, where)
        views = {"views": average.views, "view_steps": steps}
    return EvaluateSpec(
        run=run,
        targets=targets(study, run),
        protocols=protocols,
        # A member with the share 0 is scored as the others are, and nothing of it is learnt from.
        members=[name for name, share in members(study, run.dataset).items() if share],
        **views,
    )


def evaluations(study: StudyConfig) -> dict[str, EvaluateSpec]:
    """The evaluation of every run, by the run's id."""
    return {run_id: evaluate_spec(study, run) for run_id, run in runs(study).items()}
