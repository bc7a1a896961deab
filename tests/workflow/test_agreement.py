"""Snakemake and DVC make the same things again, whatever is edited.

DVC must run a stage again if and only if Snakemake would run one of its jobs again. The jobs within
a stage are Snakemake's own choice, for a stage of DVC is a call of Snakemake. The demo is not built
for this: its files are pretended, certified as `make restore` does and locked, which is all that
either tool looks at before it decides.
"""

import json
import os
import random
import re
import sys
from pathlib import Path

import pytest
import yaml
from edits import CONFIG, all_edits, key_edits, leaves, rule_edits, source_edits

from project import Project, copy_repository
from sslslr.config import StudyConfig, load
from sslslr.grid import runs
from sslslr.strict import parse
from toys import ROOT

SAMPLE = 4  # edits that the default suite tries of each kind
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
    made = [project.path / name for name in ("dvc.yaml",) if edit.structural]
    kept = {path: (path.read_bytes(), path.stat()) for path in made}
    with edit.made_in(project.path):
        try:
            if edit.structural:
                project.run(sys.executable, "scripts/generate.py")
            jobs = project.dry_run()
            changed = project.changed_stages()
        finally:
            for path, (content, times) in kept.items():
                path.write_bytes(content)
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    # A stack's job is named after its runs.
    rules = {re.sub(r"_stack_\w+$", "", job.partition(":")[0]) for job in jobs}
    stages = {stage_of[rule] for rule in rules} - {None}
    if edit.file == CONFIG and only_removes_runs(before, edit.change(before)):
        # DVC asks Snakemake, which has nothing to do; the tables lose rows in both.
        assert "report" in stages
        assert stages <= changed
        return
    assert jobs, f"{edit}: nothing would run again"
    if edit.structural:  # a stage that is generated anew is another one, even where no job is
        assert stages <= changed, f"{edit}: Snakemake would run {sorted(jobs)}"
        return
    assert changed == stages, f"{edit}: Snakemake would run {sorted(jobs)}"


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
@pytest.mark.parametrize("kind", [key_edits, source_edits], ids=["keys", "sources"])
def test_a_sample_of_edits_makes_the_same_stages_run_in_both_tools(kind, pretended):
    for edit in random.Random(0).sample(kind(), SAMPLE):
        check_agreement(pretended, edit)


@pytest.mark.slow  # 2 s an edit, some 200 edits: `make test-agreement`
@pytest.mark.workflow
@pytest.mark.agreement
@pytest.mark.parametrize("edit", all_edits(), ids=repr)
def test_an_edit_makes_the_same_stages_run_in_both_tools(edit, pretended):
    check_agreement(pretended, edit)


def test_every_key_of_the_demo_and_every_source_of_a_stage_is_edited():
    from sslslr.stages import stage_sources

    study = yaml.safe_load((ROOT / CONFIG).read_text())
    names = {edit.name for edit in key_edits()}
    assert {".".join(map(str, path)) for path in leaves(study)} == names
    assert {name.partition(".")[0] for name in names} == set(StudyConfig.model_fields)
    sources = stage_sources(load(ROOT / CONFIG)).values()
    assert {f for files in sources for f in files} <= {edit.file for edit in source_edits()}
    assert {Path(edit.file).stem for edit in rule_edits()} == {
        "data",
        "pretrain",
        "evaluate",
        "report",
    }


@pytest.mark.parametrize("edit", key_edits(), ids=repr)
def test_an_edit_leaves_a_valid_configuration(edit):
    from sslslr.study import check

    text = (ROOT / CONFIG).read_text()
    check(parse(StudyConfig, yaml.safe_load(edit.change(text)), "edited"))
