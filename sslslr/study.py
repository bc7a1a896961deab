"""The checks of a study that need its methods, data sets and transforms to be imported."""

import json
import shlex
from pathlib import Path

from sslslr import seals, stages
from sslslr.config import StudyConfig
from sslslr.datasets import DATASETS
from sslslr.errors import UserError, nearest
from sslslr.files import read_json
from sslslr.grid import RunSpec, evaluate_spec, protocol_options, runs
from sslslr.methods import METHODS
from sslslr.protocols import PROTOCOLS
from sslslr.strict import parse

# Bytes of one argument of a program (MAX_ARG_STRLEN), of which a shell's command is one; the rest of
# the command takes less than the 4 KiB that are left.
LONGEST_COMMAND = (128 - 4) * 1024


def check(study: StudyConfig) -> int:
    """Check every option of every run, data set, transform and protocol, before any job starts.

    Returns:
        The number of runs.

    Raises:
        UserError: the first setting that is wrong, with its place in the file.
    """
    from sslslr.augment import compose

    for name, dataset in study.datasets.items():
        parse(DATASETS.get(dataset.source).Options, dataset.options, f"datasets.{name}.options")
    _check_licences(study.accept_licences)
    for name, steps in study.augmentations.items():
        compose(steps, f"augmentations.{name}")
    for number, block in enumerate(study.runs):
        compose(block.views or [], f"runs[{number}].views")
    specs = runs(study)
    _check_evaluation(study, specs)
    for name, options in protocol_options(study).items():
        wanted = study.evaluate.protocols[name].get("methods", [])
        _check_methods(study, wanted, f"evaluate.protocols.{name}.methods")
        parsed = parse(PROTOCOLS.get(name).Options, options, f"evaluate.protocols.{name}")
        compose(getattr(parsed, "augmentation", []), f"evaluate.protocols.{name}.augmentation")
    _check_stacks(study)
    for run in specs.values():
        _check_method(run)
        spec = evaluate_spec(study, run)
        if not any(
            target.protocols is None or set(target.protocols) & set(spec.protocols)
            for target in spec.targets.values()
            if spec.protocols
        ):
            raise UserError(
                f"evaluate.protocols: none is left for {run.run_id!r}; their `methods`, or the targets' "
                "`protocols`, leave it out."
            )
    return len(specs)


def _check_method(run: RunSpec) -> None:
    """A method's options, and whether it can train the run's encoder."""
    method = METHODS.get(run.method_type)
    options = parse(method.Options, run.method_options, f"methods.{run.method}")
    variant = run.encoder.variant
    if variant == "paper" or not METHODS.traits(run.method_type).get("pretrains", True):
        return
    if variant == "raw":
        raise UserError(
            f"{run.run_id}: encoder.variant raw has nothing that {run.method!r} could train. The method "
            "`raw_keypoints` stands for it; elsewhere leave the variant out."
        )
    from sslslr.encoder import build_encoder

    small = run.encoder.model_copy(update={"depth": 1, "width": 8, "heads": 1})
    method(build_encoder(small, 1, 0), options)


def _check_evaluation(study: StudyConfig, specs: dict[str, RunSpec]) -> None:
    """A name that nothing answers to would leave something out without a word."""
    methods = {run.method for run in specs.values()} | set(study.methods)
    protocols = {name for run in specs.values() for name in evaluate_spec(study, run).protocols}
    protocols |= set(study.evaluate.protocols)
    transfer = study.evaluate.transfer
    named = [("transfer", transfer if isinstance(transfer, list) else [], methods)]
    for target, settings in study.evaluate.targets.items():
        named.append((f"targets.{target}.protocols", settings.protocols or [], protocols))
    for where, names, known in named:
        for name in names:
            if name not in known:
                hint = nearest(name, known)
                raise UserError(f"evaluate.{where}: {name!r} is not defined. {hint}")


def outdated(results: str | Path, specs: dict[str, RunSpec]) -> list[Path]:
    """run.json of encoders that no workflow made and that are of other settings or code.

    Of those that it made itself Snakemake knows; one of `sslslr pretrain` or `pretrain-stack` would
    stay as it is for good.
    """
    found = []
    for run_id, run in specs.items():
        record = Path(results, "encoders", run_id, "run.json")
        if not record.is_file() or seals.read(seals.current(results, "pretrain", run_id)):
            continue
        try:
            made = read_json(record)
        except UserError:  # cut short: who reads it next says so
            continue
        alone = stages.pretrain_modules(run)
        hashes = {stages.code_hash(*names) for names in (alone, stages.stack_modules(run))}
        stated = made if isinstance(made, dict) else {}
        same = stated.get("spec") == run.model_dump(mode="json")
        if not same or stated.get("code_hash") not in hashes:
            found.append(record)
    return found


def _check_methods(study: StudyConfig, names: list[str], where: str) -> None:
    known = {*study.methods, *METHODS.names()}  # a method needs no entry of its own
    for name in names:
        if name not in known:
            raise UserError(f"{where}: {name!r} is not defined. {nearest(str(name), known)}")


def left_checkpoints(study: StudyConfig) -> list[Path]:
    """Checkpoints that no job of the study goes on from: of stacks that it has not, of other runs.

    They are not removed: with the settings that they were made with, training would go on from them.
    """
    stacks = stages.stacked(study)
    within = {spec.run_id for group in stacks.values() for spec in group}
    known = {f"stack_{name}" for name in stacks} | (set(runs(study)) - within)
    found = Path(study.results, "checkpoints").glob("*.ckpt")
    return sorted(path for path in found if path.stem not in known)


def _check_stacks(study: StudyConfig) -> None:
    """A stack's job is one command, which names every run of it with its settings."""
    for group in stages.stacked(study).values():
        settings = shlex.quote(json.dumps([spec.model_dump(mode="json") for spec in group]))
        names = sum(len(f"--seal {study.results}/seals/pretrain/{s.run_id}~9.json ") for s in group)
        size = len(settings.encode()) + names
        if size > LONGEST_COMMAND:
            most = max(1, len(group) * LONGEST_COMMAND // size)
            raise UserError(
                f"resources.stack: {len(group)} runs of {group[0].method!r} in one process would make a "
                f"command of {size / 1024:.0f} KiB; Linux takes {LONGEST_COMMAND / 1024:.0f}. Set it to "
                f"{most} or less."
            )


def _check_licences(accepted: list[str]) -> None:
    """An id that no data set asks for is a slip of the pen."""
    known = {getattr(DATASETS.get(name), "consent", "") for name in DATASETS.names()} - {""}
    for licence in accepted:
        if licence not in known:
            hint = nearest(licence, known)
            raise UserError(f"accept_licences: no data set asks for {licence!r}. {hint}")
