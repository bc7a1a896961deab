"""Snakemake and DVC make the same things again, whatever is edited.

DVC must run a stage again if and only if Snakemake would run one of its jobs again. The jobs within
a stage are Snakemake's own choice, for a stage of DVC is a call of Snakemake. The demo is not built
for this: its files are pretended, certified as `make restore` does and locked, which is all that
either tool looks at before it decides.
"""

import json
import re

import pytest
import yaml
from edits import CONFIG, KEYS, SOURCES, all_edits

from project import Project, copy_repository
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.workflow import stages
from sslslr.workflow.check import check
from sslslr.workflow.grid import runs
from toys import ROOT

DATA_STAGES = {"fetch_raw": "download"}
FILE_STAGES = {"data": "extract", "pose": "extract"}


@pytest.fixture(scope="session")
def pretended(tmp_path_factory) -> Project:
    """The real demo as if it were built; edits in it are undone."""
    project = copy_repository(tmp_path_factory.mktemp("pretended") / "project", study=None)
    pretend_built(project)
    assert project.dry_run() == set()
    assert project.changed_stages() == set()
    return project


def pretend_built(project: Project) -> None:
    """Every output of the workflow, certified for Snakemake and locked for DVC."""
    summary = project.run("snakemake", "--summary").stdout
    for name in re.findall(r"^(results/[^\t]+)\t", summary, re.MULTILINE):
        is_folder = re.search(r"/(raw|features/[^/]+)$", name)
        path = project.path / name / ("content" if is_folder else "")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"n_clips": 100}) if path.name == "card.json" else name)
    project.run("snakemake", "--touch", "--forceall", "--cores", "1")
    project.run("dvc", "commit", "--force", "--quiet")


def stage_of_rule() -> dict[str, str]:
    """Rule -> stage; a rule of `pretrain.smk` belongs to the stage `pretrain`."""
    found = {}
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        for rule in re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE):
            found[rule] = DATA_STAGES.get(rule, FILE_STAGES.get(file.stem, file.stem))
    return found


def only_removes_runs(before: str, after: str) -> bool:
    """Does an edit of the configuration take runs away and add or change none?"""
    old, new = (
        {run.model_dump_json() for run in runs(parse(StudyConfig, yaml.safe_load(text), "study")).values()}
        for text in (before, after)
    )  # fmt: skip
    return new < old


def check_agreement(project: Project, edit) -> None:
    stage_of = stage_of_rule()
    before = (project.path / edit.file).read_text()
    with edit.made_in(project.path):
        jobs = project.dry_run()
        changed = project.changed_stages()
    made_again = {stage_of[job.partition(":")[0]] for job in jobs}
    if edit.file == CONFIG and only_removes_runs(before, edit.change(before)):
        # DVC asks Snakemake, which has nothing to do; the tables lose rows in both.
        assert "report" in made_again
        assert made_again <= changed
        return
    assert jobs, f"{edit}: nothing would run again"
    assert changed == made_again, f"{edit}: Snakemake would run {sorted(jobs)}"


@pytest.mark.slow  # `make test-agreement`
@pytest.mark.workflow
@pytest.mark.agreement
@pytest.mark.parametrize("edit", all_edits(), ids=repr)
def test_an_edit_makes_the_same_stages_run_in_both_tools(edit, pretended):
    check_agreement(pretended, edit)


def test_the_edits_reach_every_room_that_is_hashed_and_leave_valid_configurations():
    assert {name.partition("/")[0] for name in SOURCES} == set(stages.REPORT)
    text = (ROOT / CONFIG).read_text()
    for old, new in KEYS:
        assert old in text, old
        check(parse(StudyConfig, yaml.safe_load(text.replace(old, new, 1)), "edited"))
