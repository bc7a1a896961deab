"""What happens before the first job of a workflow, by what Snakemake was asked to do.

Snakemake reads the rules whatever it was asked; only where it executes does it have an executor. So
nothing is prepared by reading: `--list-changes`, `--summary`, `--unlock` and their like neither take
the results folder nor end a job nor break a seal. A dry run says what it sees and changes nothing.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sslslr.config.published import AT_HOME, unpublished_places
from sslslr.config.run import RunSpec
from sslslr.config.study import StudyConfig
from sslslr.data.datasets import DATASETS
from sslslr.data.writer import STORE_FILES
from sslslr.utils.errors import UserError
from sslslr.utils.files import has_key, read_json
from sslslr.workflow import results_lock, seals
from sslslr.workflow.check import left_checkpoints, outdated
from sslslr.workflow.estimate import estimate
from sslslr.workflow.grid import dataset_options, members

LOCKS = ".snakemake/locks"


class Start:
    """The start of a workflow.

    Args:
        workflow: Snakemake's `workflow`.
        runs: the study's runs by id.
        error: what Snakemake raises to say a sentence and end.
    """

    def __init__(
        self, workflow: Any, study: StudyConfig, runs: dict[str, RunSpec], error: type[Exception]
    ):
        self._workflow, self._study, self._runs, self._error = workflow, study, runs, error
        self._broken: list[Path] = []  # seals of files that were changed behind the workflow's back
        if workflow.is_main_process:
            self._execute, workflow.execute = workflow.execute, self._prepared

    def seal(self, stage: str, job: str) -> Callable:
        """The parameter `seal` of a rule's jobs: where hashes of their outputs are kept.

        Args:
            job: the job's name, with wildcards in braces.
        """

        def parameter(wildcards: Any) -> str:
            name = job.format(**dict(wildcards.items()))
            return str(seals.current(self._study.results, stage, name, self._broken))

        return parameter

    def _prepared(self, executor_plugin: Any, **settings: Any) -> Any:
        """Snakemake's `Workflow.execute`, with the results folder prepared for it."""
        mode = executor_plugin.common_settings
        try:
            if mode.dryrun_exec:
                self._say(self._estimate())
            else:
                # `--jobs` without `--cores` is how a cluster is told how many jobs to hold.
                cluster = self._workflow.resource_settings.nodes is not None
                for sentence in results_lock.enter(self._study.results, cluster, LOCKS):
                    self._say(sentence)
            self._say_what_stays()
            if not mode.touch_exec:
                self._find_changed_files(dry=mode.dryrun_exec)
        except UserError as error:
            raise self._error(str(error)) from None
        outcome = self._execute(executor_plugin=executor_plugin, **settings)
        if mode.touch_exec:
            for job in self._workflow.dag.finished_jobs:
                if seal := job.params.get("seal"):
                    seals.write(seal, job.output)
        return outcome

    def _find_changed_files(self, dry: bool) -> None:
        for record in outdated(self._study.results, self._runs):
            self._say(f"{record.parent}: made by hand, of other settings or code; to be made again")
            if not dry:
                record.unlink()
        for damage in seals.examine(self._study.results, renew=not dry)[0]:
            self._say(f"changed since it was written, to be made again: {damage}")
            self._broken.append(damage.seal)
        if not dry:
            for seal in set(self._broken):
                seals.break_seal(seal)
            self._broken.clear()

    def _say_what_stays(self) -> None:
        """What Snakemake passes over: results that nothing goes on from, inputs that are gone."""
        if left := left_checkpoints(self._study):
            size = sum(path.stat().st_size for path in left) / 1e6
            self._say(
                f"{self._study.results}/checkpoints: {len(left)} checkpoints ({size:.1f} MB) that no job "
                "of this configuration goes on from; remove them unless you go back to the one that "
                "made them: "
                + ", ".join(path.name for path in left[:3])
                + ", ..." * (len(left) > 3)
            )
        for name in self._study.datasets:
            if not downloads(self._study, name) and all(
                map(os.path.isfile, store_files(self._study, name))
            ):
                try:
                    local_files(self._study, name)
                except UserError as error:
                    self._say(
                        f"data set {name!r} stays as it was built, whatever its settings are now: {error}"
                    )

    def _estimate(self) -> str:
        cards = Path(self._study.results, "data").glob("*/clips/card.json")
        built = {c.parts[-3]: read_json(c)["n_clips"] for c in cards if has_key(c, "n_clips")}
        published = {}
        for name, entry in self._study.datasets.items():
            source = DATASETS.get(entry.source)
            published[name] = source.published(dataset_options(self._study, name))
        known = {name: clips for name, clips in published.items() if clips is not None}
        # At most: of a member its training clips alone are in a pool.
        for name in self._study.datasets:
            shares = members(self._study, name)
            if shares and all(member in known | built for member in shares):
                known[name] = round(sum((known | built)[m] * share for m, share in shares.items()))
        return estimate(self._study, built, known)

    @staticmethod
    def _say(sentence: str) -> None:
        print(sentence, file=sys.stderr)


def downloads(study: StudyConfig, name: str) -> bool:
    """Has the data set something to download?"""
    return DATASETS.get(study.datasets[name].source).downloads


def store_files(study: StudyConfig, name: str) -> list[str]:
    """The three files of a data set's clip store."""
    return [f"{study.results}/data/{name}/clips/{file}" for file in STORE_FILES]


def member_files(study: StudyConfig, name: str) -> list[str]:
    """Files of the clip stores that a pool is made of; of any other data set none."""
    return [file for member in members(study, name) for file in store_files(study, member)]


def local_files(study: StudyConfig, name: str) -> list[str]:
    """Files of the user's that a data set is made of.

    Raises:
        UserError: one that is absent, or that Snakemake cannot name.
    """
    source = DATASETS.get(study.datasets[name].source)
    files = [str(path) for path in source.inputs(dataset_options(study, name))]
    for path in filter(re.compile(r"\{\s*\w").search, files):
        raise UserError(
            f"{path}: Snakemake takes what stands in braces for a wildcard; rename it (data set {name!r})."
        )
    return files


def refuse_places_in_dvc_lock(study: StudyConfig) -> None:
    """Raise UserError where DVC, which runs this, would record a place of this machine's.

    It copies the settings that it watches into dvc.lock once a stage has succeeded.
    """
    stated = study.model_dump(mode="json", exclude=set(AT_HOME))
    if "DVC_STAGE" in os.environ and (key := next(unpublished_places(stated), "")):
        raise UserError(
            f"{key}: it leads out of the study's folder, or holds what is not published of an address (its query, "
            "and what follows #), and DVC would write it into dvc.lock, which is published. Name a link within the "
            "folder (ln -s PLACE NAME), leave that part of the address out, or run Snakemake without DVC."
        )


def refuse_missing_profile(arguments: list[str], snakefile: Path) -> None:
    """Raise UserError where `--workflow-profile` names no profile: Snakemake goes on without one.

    All jobs would then run on this machine, which may be a cluster's login node.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--workflow-profile", default="none")
    name = parser.parse_known_args(arguments)[0].workflow_profile
    # With `--directory` the folder that Snakemake was called in is no longer the current one.
    called_in = (Path.cwd(), Path(os.environ.get("PWD", ".")), snakefile.parent)
    places = [folder / within / name for folder in called_in for within in ("", "profiles")]
    if name != "none" and not any(p.is_file() or any(p.glob("config*.yaml")) for p in places):
        raise UserError(
            f"--workflow-profile {name}: there is no such profile (a folder with config.yaml, here or "
            "in profiles/). Snakemake would go on without it, with every job on this machine."
        )
