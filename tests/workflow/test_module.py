"""The workflow in other hands: as a module of another folder, and the scenario that CI runs."""

import pytest
import yaml

from project import Project
from sslslr.config.load import load
from sslslr.utils.errors import UserError
from sslslr.workflow.start import refuse_missing_profile
from toys import ROOT

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
SNAKEFILE = """
configfile: "study.yaml"

module sslslr:
    snakefile: "{root}/workflow/Snakefile"
    config: config

use rule * from sslslr
"""


@pytest.fixture
def folder(tmp_path) -> Project:
    """A folder that has only a configuration, and a Snakefile that uses this workflow."""
    project = Project(tmp_path / "of_another")
    project.path.mkdir()
    (project.path / "study.yaml").write_text((ROOT / ".test/config/config.yaml").read_text())
    # Of another study: the demo's name has no meaning here.
    (project.path / "config").mkdir()
    (project.path / "config/demo.yaml").write_text("name: a\nname: b\n")
    (project.path / "Snakefile").write_text(SNAKEFILE.format(root=ROOT))
    project.environment = lambda quick=True: {
        **Project.environment(project, quick), "PYTHONPATH": str(ROOT)
    }  # fmt: skip
    return project


def test_the_workflow_is_a_module_of_a_folder_that_has_only_a_configuration(folder):
    jobs = folder.dry_run("--cores", "1")
    assert {"build_clips:toy", "page", "tables", "figures"} <= jobs


@pytest.mark.slow  # builds the study
def test_a_folder_that_has_only_a_configuration_gets_the_whole_report(folder):
    folder.run("snakemake", "--cores", "2", timeout=600)
    assert "sl_fpn" in (folder.path / "results/tables/linear.csv").read_text()
    assert (folder.path / "results/tables/verdicts.md").stat().st_size > 100
    assert folder.dry_run("--cores", "1") == set()
    said = folder.run("sslslr", "why", "results/tables/verdicts.csv:1:verdict").stdout
    assert "sslslr report table verdicts --results results" in said


def test_the_scenario_of_the_catalogue_is_planned_in_its_own_folder():
    project = Project(ROOT)
    arguments = ("--directory", ".test", "--configfile", ".test/config/config.yaml", "--cores", "2")
    assert "page" in project.dry_run(*arguments)
    stated = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert stated["software-stack-deployment"] == {"conda": True}
    demo, shown = (load(ROOT / "config" / name) for name in ("demo.yaml", "config.yaml"))
    assert shown == demo


def test_keys_within_keys_of_the_command_line_keep_their_neighbours(fresh):
    """`--config 'preprocess={fit: truncate}'` set the frames back to 30."""
    done = fresh.run(
        "snakemake", "--dry-run", "--config", "preprocess={fit: truncate}", "--printshellcmds"
    )
    text = done.stdout + done.stderr
    assert '"frames":12,"fit":"truncate"' in text.replace(" ", "")


def test_a_profile_that_is_none_stops_the_workflow(fresh, monkeypatch):
    """Without it everything would run here, on a login node for one."""
    name = "profiles/slrum"
    done = fresh.run("snakemake", "--dry-run", "--workflow-profile", name, check=False)
    assert done.returncode != 0
    assert f"--workflow-profile {name}: there is no such profile" in done.stdout + done.stderr
    monkeypatch.chdir(fresh.path)
    refuse_missing_profile(["--workflow-profile", "profiles/slurm"], fresh.path / "Snakefile")
    with pytest.raises(UserError, match="--workflow-profile docs: there is no such profile"):
        refuse_missing_profile(["--workflow-profile", "docs"], fresh.path / "Snakefile")


def test_braces_in_a_users_text_are_text(fresh, copy_of):
    """A BibTeX entry is what a citation is; `{word}` was taken for a wildcard."""
    project = copy_of(fresh)
    project.edit(
        "config/demo.yaml", "For tests alone.", "'@inproceedings{sslslr, title = {Signs}}'"
    )
    assert "page" in project.dry_run()
