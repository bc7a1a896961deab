"""The checks of a study that need its methods, data sets and transforms to be imported."""

from pathlib import Path

import pandas as pd
import torch

from sslslr.config.run import EvaluateSpec, RunSpec
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.data.datasets import DATASETS
from sslslr.encoders import ENCODERS
from sslslr.encoders.build import build_encoder, encoder_options
from sslslr.evaluation.protocols import PROTOCOLS
from sslslr.methods import METHODS
from sslslr.methods._members_apart import method_around
from sslslr.report.results import of_the_study
from sslslr.statistics.claims import load as load_claims
from sslslr.statistics.claims.matching import SELECTED, without_runs
from sslslr.utils.errors import UserError, nearest
from sslslr.utils.files import read_json
from sslslr.workflow import seals, stages
from sslslr.workflow.grid import dataset_options, evaluate_spec, protocol_options, runs
from sslslr.workflow.results_folder import check_results


def check(study: StudyConfig) -> int:
    """Check every option of every run, data set, transform and protocol, before any job starts.

    Returns:
        The number of runs.

    Raises:
        UserError: the first setting that is wrong, with its place in the file.
    """
    from sslslr.augment import compose

    check_results(study.results)
    for name in study.datasets:
        dataset_options(study, name)
    _check_licences(study.accept_licences)
    for name, steps in study.augmentations.items():
        compose(steps, f"augmentations.{name}")
    for number, block in enumerate(study.runs):
        compose(block.views or [], f"runs[{number}].views")
    specs = runs(study)
    # Runs that differ in their seed alone are checked once.
    apart = {
        s.model_copy(update={"run_id": "", "seed": 0}).model_dump_json(): s for s in specs.values()
    }
    evaluations = [evaluate_spec(study, run) for run in apart.values()]
    _check_evaluation(study, evaluations)
    for name, options in protocol_options(study).items():
        wanted = study.evaluate.protocols[name].get("methods", [])
        _check_methods(study, wanted, f"evaluate.protocols.{name}.methods")
        parsed = parse(PROTOCOLS.get(name).Options, options, f"evaluate.protocols.{name}")
        compose(getattr(parsed, "augmentation", []), f"evaluate.protocols.{name}.augmentation")
    trained: set[str] = set()  # what a method and its encoder are built of
    for spec in evaluations:
        parts = spec.run.model_dump_json(
            include={"method", "method_options", "preprocess", "encoder"}
        )
        if parts not in trained:
            _check_method(spec.run)
        trained.add(parts)
        _check_clips(study, spec.run)
        if not any(
            target.protocols is None or set(target.protocols) & set(spec.protocols)
            for target in spec.targets.values()
            if spec.protocols
        ):
            raise UserError(
                f"evaluate.protocols: none is left for {spec.run.run_id!r}; their `methods`, or the "
                "targets' `protocols`, leave it out."
            )
    return len(specs)


def _check_method(run: RunSpec) -> None:
    """A method's options, and whether it can train the run's encoder."""
    method = METHODS.get(run.method_type)
    options = parse(method.Options, run.method_options, f"methods.{run.method}")
    try:
        encoder = ENCODERS.get(run.encoder.variant)
    except UserError as error:
        raise UserError(f"encoder.variant: {error}") from None
    encoder_options(run.encoder, f"{run.run_id}: encoder")
    if encoder.name == "transformer" or not method.pretrains:  # which all methods can train
        return
    if not encoder.trains:
        raise UserError(
            f"{run.run_id}: encoder.variant {encoder.name} has nothing that {run.method!r} could train. "
            "The method `raw_keypoints` stands for it; elsewhere leave the variant out."
        )
    with torch.device("meta"):  # no memory and no time for the weights
        method_around(method, build_encoder(run.encoder, run.preprocess.frames, 0), options)


def _check_clips(study: StudyConfig, run: RunSpec) -> None:
    """A method's options against the most clips that its data set can have."""
    if run.dataset not in study.datasets:
        return
    dataset = DATASETS.get(study.datasets[run.dataset].source)
    clips = dataset.published(dataset_options(study, run.dataset))
    method = METHODS.get(run.method_type)
    options = parse(method.Options, run.method_options, f"methods.{run.method}")
    if clips and (said := method.concern(options, clips)):
        raise UserError(f"methods.{run.method}: on {run.dataset!r} {said}.")


def _check_evaluation(study: StudyConfig, specs: list[EvaluateSpec]) -> None:
    """A name that nothing answers to would leave something out without a word."""
    methods = {spec.run.method for spec in specs} | set(study.methods)
    protocols = {name for spec in specs for name in spec.protocols}
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

    Of those that it made itself Snakemake knows; one of `sslslr pretrain` would stay as it is for good.
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
        code = stages.code_hash(*stages.pretrain_code(run))
        stated = made if isinstance(made, dict) else {}
        same = stated.get("spec") == run.model_dump(mode="json")
        if not same or stated.get("code_hash") != code:
            found.append(record)
    return found


def _check_methods(study: StudyConfig, names: list[str], where: str) -> None:
    known = {*study.methods, *METHODS.names()}  # a method needs no entry of its own
    for name in names:
        if name not in known:
            raise UserError(f"{where}: {name!r} is not defined. {nearest(str(name), known)}")


def unanswered(study: StudyConfig) -> list[str]:
    """Claims of the study that its runs cannot answer, each with the first run that it lacks."""
    columns = [
        (run.method, run.augmentation, run.encoder.variant, run.tag or "")
        for run in runs(study).values()
    ]
    claims = load_claims(of_the_study(Path(study.claims), Path(study.results)))
    return without_runs(claims, pd.DataFrame(columns, columns=SELECTED))


def left_checkpoints(study: StudyConfig) -> list[Path]:
    """Checkpoints that no job of the study goes on from: they are of other runs.

    They are not removed: with the settings that they were made with, training would go on from them.
    """
    run_ids = runs(study)
    checkpoints = Path(study.results, "checkpoints").glob("*.ckpt")
    return sorted(path for path in checkpoints if path.stem not in run_ids)


def _check_licences(accepted: list[str]) -> None:
    """An id that no data set asks for is a slip of the pen."""
    known = {entry.consent for entry in DATASETS.classes().values()} - {""}
    for licence in accepted:
        if licence not in known:
            hint = nearest(licence, known)
            raise UserError(f"accept_licences: no data set asks for {licence!r}. {hint}")
