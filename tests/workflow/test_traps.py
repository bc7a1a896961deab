"""The traps of Snakemake and DVC together: each silent wrong result has its test here."""

import re

import pytest
import yaml

from toys import ROOT

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
TRAINED = "sl_fpn.temporal_permutation.transformer.toy.s0"
RANDOM = "random.none.transformer.none.s0"
RENDER = {"tables", "figures", "page", "provenance", "model"}
EVERYTHING = RENDER | {
    "build_clips:toy",
    f"pretrain_encoder:{TRAINED}",
    f"pretrain_encoder:{RANDOM}",
    f"evaluate_encoder:{TRAINED}",
    f"evaluate_encoder:{RANDOM}",
}


def test_a_fresh_clone_has_everything_to_do(fresh):
    """Trap 1: a bare include says `Nothing to be done`, with exit 0."""
    assert fresh.dry_run() == EVERYTHING


def test_repro_builds_everything_and_a_second_time_neither_tool_does_anything(built, copy_of):
    results = built.path / "results"
    for name in (
        "tables/linear.csv",
        "tables/linear.tex",
        "figures/training.pdf",
        "figures/clip.png",
        "report.html",
    ):
        assert (results / name).stat().st_size > 200, name
    assert built.dry_run() == set()
    project = copy_of(built)
    before = {
        file: file.stat().st_mtime_ns
        for file in (project.path / "results").rglob("*")
        if file.is_file()
    }
    again = project.run("dvc", "repro")
    assert "Data and pipelines are up to date" in again.stdout + again.stderr
    assert before == {
        f: f.stat().st_mtime_ns for f in (project.path / "results").rglob("*") if f.is_file()
    }


@pytest.mark.parametrize(
    ("file", "old", "new", "jobs", "stages"),
    [
        (
            "sslslr/methods/sl_fpn.py",
            "import math",
            "import math  # edited",
            {f"pretrain_encoder:{TRAINED}", f"evaluate_encoder:{TRAINED}", *RENDER},
            {"pretrain"},
        ),
        pytest.param(
            "sslslr/evaluation/protocols/logistic.py",
            "import torch\n",
            "import torch  # edited\n",
            {
                f"evaluate_encoder:{TRAINED}",
                f"evaluate_encoder:{RANDOM}",
                *RENDER,  # a protocol says how it is shown
            },
            {"evaluate"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "config/demo.yaml",
            "pretrain: {epochs: 2",
            "pretrain: {epochs: 3",
            # Whatever is rendered is told the whole study.
            {f"pretrain_encoder:{TRAINED}", f"evaluate_encoder:{TRAINED}", *RENDER},
            {"pretrain", "evaluate", "report"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "config/demo.yaml",
            "For tests alone.",
            "Another note.",
            # Each table ends with the study's note, and the page shows all settings.
            RENDER - {"model"},
            {"report"},
            marks=pytest.mark.slow,
        ),
        (
            "config/demo.yaml",
            "clips: 60",
            "clips: 66",
            EVERYTHING - {f"pretrain_encoder:{RANDOM}"},
            None,
        ),
    ],
    ids=["method", "protocol", "epochs", "note", "data"],
)
def test_a_change_makes_the_same_things_stale_in_both_tools(
    built, copy_of, file, old, new, jobs, stages
):
    """Trap 2: code run by `shell:` is invisible to Snakemake, and DVC locks the stale result as good."""
    project = copy_of(built)
    project.edit(file, old, new)
    assert project.dry_run() == jobs
    assert project.changed_stages() >= (stages or {"extract"})


def test_every_job_has_a_code_hash_a_log_and_an_environment():
    """Trap 2 again, for rules to come; and `run:`, which costs 7 s a job, is never used."""
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        for name, body in re.findall(
            r"^rule (\w+):\n((?:[ \t]+.*\n|\n)*)", file.read_text(), re.MULTILINE
        ):
            assert not re.search(r"^\s+run:", body, re.MULTILINE), name
            if "shell:" in body or "script:" in body:
                for needed in (
                    r"code=\w",
                    r"log:",
                    r"conda:",
                    r"seal\w*=",
                    r"sslslr --seal \{params.seal\} --outputs '\{output\}'",
                ):
                    assert re.search(needed, body), f"{file.name}: rule {name} lacks {needed}"


def test_dvc_never_links_results_and_keeps_outputs_while_a_stage_runs(built):
    """Trap 3: symlinks with `persist: true` record stale metrics as up to date."""
    text = (ROOT / ".dvc/config").read_text()
    assert re.search(r'type = "?reflink,copy"?', text)
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert list(stages) == ["download", "extract", "pretrain", "evaluate", "report"]
    for name, stage in stages.items():
        for out in stage["outs"]:
            assert next(iter(out.values()))["persist"] is True, f"{name}: {out}"
    assert not [path for path in (built.path / "results").rglob("*") if path.is_symlink()]


def test_dvc_lists_the_sources_that_the_rules_hash():
    from sslslr.config.load import load
    from sslslr.workflow.stages import stage_sources

    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for name, sources in stage_sources(load(ROOT / "config/demo.yaml")).items():
        assert set(sources) <= set(stages[name]["deps"]), name


def test_a_configuration_replaces_the_demos_and_does_not_merge_with_it(fresh, copy_of):
    project = copy_of(fresh)
    other = yaml.safe_load((project.path / "config/demo.yaml").read_text())
    other["datasets"] = {"other": other["datasets"]["toy"]}
    other["runs"] = [{"methods": ["random"]}]
    (project.path / "config/other.yaml").write_text(yaml.safe_dump(other))
    jobs = project.dry_run("--configfile", "config/other.yaml")
    assert "build_clips:other" in jobs
    assert not [job for job in jobs if "toy" in job or "sl_fpn" in job]


def test_a_wrong_key_stops_the_workflow_with_the_nearest_known_one(fresh, copy_of):
    project = copy_of(fresh)
    project.edit("config/demo.yaml", "pretrain: {epochs", "pretrain: {epoch")
    done = project.run("snakemake", "--dry-run", check=False)
    assert done.returncode != 0
    assert "unknown key 'pretrain.epoch'. Did you mean 'epochs'?" in done.stdout + done.stderr
    assert not list((project.path / "results").iterdir()) or [
        p.name for p in (project.path / "results").iterdir()
    ] == [".gitignore"]


def test_a_failed_job_shows_its_log_and_leaves_nothing_half_written(built, copy_of):
    project = copy_of(built)
    project.edit("config/demo.yaml", "pretrain: {", "pretrain: {learning_rate: 1.0e+6, ")
    done = project.run("snakemake", "--cores", "1", "pretrain", check=False)
    assert done.returncode != 0
    assert "Lower `pretrain.learning_rate`" in done.stdout + done.stderr
    assert not (project.path / f"results/encoders/{TRAINED}/run.json").exists()
