"""`resources.stack`: one job pretrains several runs, each sealed, and both tools agree on what is stale."""

import json
import re

import pytest
from edits import CONFIG, Edit
from test_agreement import check_agreement, pretend_built

from project import Project, copy_repository
from sslslr import seals

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
RUNS = [f"sl_fpn.temporal_permutation.paper.toy.s{seed}" for seed in (0, 1)]


def planned(project: Project) -> set[str]:
    """Jobs of the stage."""
    return project.dry_run("pretrain") - {"pretrain"}


@pytest.fixture
def stacked(tmp_path) -> Project:
    """The tiny study with two seeds, stacked."""
    project = copy_repository(tmp_path / "stacked")
    project.edit(CONFIG, "datasets: [toy]}", "datasets: [toy], seeds: [0, 1]}")
    project.edit(CONFIG, "stack: 1", "stack: 2")
    project.run("python", "scripts/generate.py")
    return project


def test_a_stack_gets_what_a_profile_sets_for_single_runs(stacked):
    """Else it would go to the partition without GPUs, and train there."""
    setting = ("--set-resources", "pretrain_encoder:slurm_partition=gpus")
    done = stacked.run("snakemake", "--dry-run", "pretrain", *setting)
    blocks = re.split(r"\n(?=(?:localrule|rule) )", done.stdout + done.stderr)
    (stack,) = (block for block in blocks if block.startswith("rule pretrain_stack_"))
    assert "slurm_partition=gpus" in stack


def test_runs_of_a_stack_are_one_job_and_sealed_each(stacked):
    jobs = planned(stacked)
    (job,) = (name for name in jobs if name.startswith("pretrain_stack_"))
    assert {name for name in jobs if name.startswith("pretrain_encoder")} == {
        "pretrain_encoder:random.none.paper.none.s0"
    }
    stacked.run("snakemake", "--cores", "2", "pretrain")
    results = stacked.path / "results"
    for run_id, other in zip(RUNS, reversed(RUNS), strict=True):
        record = json.loads((results / "encoders" / run_id / "run.json").read_text())
        assert record["stacked_with"] == [other]
        sealed = seals.read(seals.current(results, "pretrain", run_id))
        names = ("encoder.safetensors", "history.csv", "run.json")
        assert set(sealed) == {f"encoders/{run_id}/{name}" for name in names}
    assert planned(stacked) == set()

    history = results / "encoders" / RUNS[1] / "history.csv"
    history.write_text(history.read_text()[:-10])
    assert planned(stacked) == {job}
    stacked.run("snakemake", "--cores", "2", "pretrain")
    assert planned(stacked) == set()

    stacked.edit(CONFIG, "stack: 2", "stack: 1")
    assert planned(stacked) == {f"pretrain_encoder:{run_id}" for run_id in RUNS}
    stacked.run("snakemake", "--cores", "2", "pretrain")
    assert "stacked_with" not in json.loads(
        (results / "encoders" / RUNS[0] / "run.json").read_text()
    )
    assert planned(stacked) == set()
    assert seals.examine(results, thorough=True)[0] == []


@pytest.mark.slow  # it asks both tools four times
def test_both_tools_agree_on_what_an_edit_of_a_stack_makes_stale(stacked):
    pretend_built(stacked)
    assert stacked.dry_run() == set()
    assert stacked.changed_stages() == set()
    for edit in (
        Edit("a stack's code", "sslslr/stacking.py", lambda text: text + "# edited\n"),
        Edit("a single run's code", "sslslr/pretrain.py", lambda text: text + "# edited\n"),
        Edit("the method", "sslslr/methods/sl_fpn.py", lambda text: text + "# edited\n"),
    ):
        check_agreement(stacked, edit)
    stacked.edit(CONFIG, "stack: 2", "stack: 1")
    assert {name for name in stacked.dry_run() if name.startswith("pretrain_")} == {
        f"pretrain_encoder:{run_id}" for run_id in RUNS
    }
    assert stacked.changed_stages() == {"pretrain", "evaluate", "report"}
