"""The workflow on a real Slurm: what a cluster does to jobs, and that the results do not show it.

`make test-slurm` runs these; they need root on Debian and say so where they are skipped. All cases
share one Slurm and, since a Snakemake takes seconds to start, a few runs of the workflow.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import cluster as slurm_cluster
import pytest
import yaml
from cluster import Cluster, wait_for

from project import Project, copy_repository

pytestmark = pytest.mark.slurm
HERE = Path(__file__).parent
RUN = "sl_fpn.temporal_permutation.paper.toy.s{}"
# For a cluster of one idle node: look often.
QUICK = {
    "latency-wait": 5,
    "slurm-init-seconds-before-status-checks": 2,
    "seconds-between-status-checks": 2,
    "jobs": 20,
}


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    try:
        with slurm_cluster.running(tmp_path_factory.mktemp("slurm")) as found:
            yield found
    except slurm_cluster.Unavailable as why:
        pytest.skip(f"no Slurm: {why}")


@pytest.fixture(scope="module")
def make_project(tmp_path_factory):
    """make_project(change): a copy of the repository whose demo is the tests' study, changed."""

    def make(name: str, change) -> Project:
        project = copy_repository(tmp_path_factory.mktemp(name) / "project")
        study = yaml.safe_load((HERE / "study.yaml").read_text())
        change(study)
        (project.path / "config/demo.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
        profile = project.path / "profiles/slurm/config.yaml"
        settings = yaml.safe_load(profile.read_text()) | QUICK
        settings["set-resources"] = {}  # the study says it all
        profile.write_text(yaml.safe_dump(settings, sort_keys=False))
        return project

    return make


class Snakemake:
    """The workflow in its own process group, its text in a file."""

    def __init__(self, project: Project, *targets: str):
        self.project = project
        self.log = project.path / f"snakemake.{len(list(project.path.glob('snakemake.*')))}.log"
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(project.path),
            "OMP_NUM_THREADS": "1",
        }
        command = ["snakemake", *targets, "--workflow-profile", "profiles/slurm"]
        with open(self.log, "w") as stream:
            self.process = subprocess.Popen(
                command, cwd=project.path, env=environment, stdout=stream, stderr=stream
            )

    def ends(self, timeout: float = 240) -> str:
        """Its text, when it has ended well."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"did not end in {timeout} s\n{self.text[-6000:]}") from None
        assert code == 0, self.text[-6000:]
        return self.text

    @property
    def text(self) -> str:
        return self.log.read_text()


def log_of(project: Project, seed: int) -> str:
    return (project.path / "results/logs/pretrain" / f"{RUN.format(seed)}.log").read_text()


def test_the_tiny_study_is_built_by_jobs_with_more_memory_and_a_gpu(cluster: Cluster, make_project):
    """Success; a job out of memory that is tried again with more; a GPU job that sees its GPU."""
    project = make_project("grid", lambda study: None)
    text = Snakemake(project).ends()
    assert (project.path / "results/report.html").stat().st_size > 10_000
    jobs = cluster.jobs()
    states = {
        rule: [state for state, about in jobs.values() if rule in about]
        for rule in ("build_clips", "pretrain_encoder", "evaluate_encoder")
    }
    assert states["pretrain_encoder"] == states["evaluate_encoder"] == ["COMPLETED"]
    # Killed by Slurm for its 200 MB, then tried again.
    assert "COMPLETED" in states["build_clips"]
    assert len(states["build_clips"]) > 1
    killed = [
        job for job, (state, about) in jobs.items() if "build" in about and state != "COMPLETED"
    ]
    asked = [
        int(re.search(r"MinMemoryNode=(\d+)M", cluster.call("scontrol", "show", "job", job))[1])
        for job in sorted(jobs, key=int)
        if "build_clips" in jobs[job][1]
    ]
    assert asked == [200 * attempt for attempt in range(1, len(asked) + 1)]
    assert len(killed) == len(asked) - 1
    # The tables and figures went as a few groups, not one by one.
    assert text.count("has been submitted with SLURM jobid") <= len(asked) + 5
    # The GPU job saw the GPU that Slurm had given it, and only that.
    (job,) = [job for job, (_, about) in jobs.items() if "pretrain_encoder" in about]
    given = re.search(r"GRES=gpu:1\(IDX:(\d)\)", cluster.call("scontrol", "show", "job", "-d", job))
    seen = re.search(r"Slurm job (\d+) on \S+, GPUs (\S+)", log_of(project, 0))
    assert seen is not None
    assert seen[1] == job
    assert given is None or seen[2] == given[1]
    assert seen[2] in {"0", "1"}


EPOCHS = 2500
KILLED, WARNED, CANCELLED, PREEMPTED, OVERDUE = range(5)


@pytest.fixture(scope="module")
def disturbed(cluster: Cluster, make_project):
    """Five runs of one study, each disturbed in its own way; what the second Snakemake said."""

    def change(study: dict) -> None:
        study["runs"][0]["seeds"] = list(range(5))
        study["pretrain"]["epochs"] = EPOCHS
        study["resources"]["extract"]["memory"] = 1500
        study["resources"]["pretrain"] = {"memory": 1500, "runtime": 1}

    project = make_project("disturbed", change)
    Snakemake(project, "extract").ends()
    first = Snakemake(project, "pretrain")
    checkpoints = project.path / "results/checkpoints"
    jobs = {}
    for seed in range(5):
        jobs[seed] = cluster.job_of(RUN.format(seed), "RUNNING", timeout=120)
        found = (checkpoints / f"{RUN.format(seed)}.ckpt").exists
        wait_for(found, f"a checkpoint of seed {seed}", 120, lambda: first.text + cluster.report())
    yield project, first, jobs
