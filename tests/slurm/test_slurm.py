"""The workflow on a real Slurm: what a cluster does to jobs, and that the results do not show it.

`make test-slurm` runs these; they need root on Debian and say so where they are skipped. All cases
share one Slurm and, since each job and each Snakemake takes seconds to start, one built clip store and
few runs of the workflow.
"""

import contextlib
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

import cluster as slurm_cluster
from cluster import Cluster, wait_for
from project import Project, copy_repository
from sslslr.config.load import load
from sslslr.data.store import ClipStore
from sslslr.training.pretrain import pretrain
from sslslr.workflow import grid

pytestmark = pytest.mark.slurm
HERE = Path(__file__).parent
EPOCHS = 150  # seconds on a quiet machine: a job is held as soon as it has a checkpoint
TARGETS = ("tables/linear.md", "figures/training.png")
RUN = "sl_fpn.temporal_permutation.transformer.toy.s{}"
# For a cluster of one idle node: look often.
QUICK = {
    "latency-wait": 5,
    "slurm-init-seconds-before-status-checks": 2,
    "seconds-between-status-checks": 2,
    "max-jobs-per-timespan": "20/1s",  # Snakemake ends no sooner than that after its last submission
    "jobs": 20,
    "cores": 2,  # in a group, which else asks for the memory of all of its jobs at once
}


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    try:
        with slurm_cluster.running(tmp_path_factory.mktemp("slurm")) as found:
            yield found
    except slurm_cluster.Unavailable as why:
        pytest.skip(f"no Slurm: {why}")


@pytest.fixture(autouse=True)
def no_workflow_is_left_behind():
    """A test that fails while Snakemake works would leave it waiting for jobs of a Slurm that is gone."""
    yield
    while Snakemake.STARTED:
        Snakemake.STARTED.pop().process.kill()


@dataclasses.dataclass
class Built:
    """The tests' study as a plain run on Slurm left it, and what was said."""

    project: Project
    text: str
    jobs: dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def built(cluster: Cluster, tmp_path_factory) -> Built:
    """A copy of the repository whose demo is the tests' study, and whose first run has ended."""
    project = copy_repository(tmp_path_factory.mktemp("grid") / "project")
    shutil.copy(HERE / "study.yaml", project.path / "config/demo.yaml")
    profile = project.path / "profiles/slurm/config.yaml"
    settings = yaml.safe_load(profile.read_text()) | QUICK
    del settings["set-resources"]  # the study says it all
    profile.write_text(yaml.safe_dump(settings, sort_keys=False))
    text = Snakemake(project, *(f"results/{name}" for name in TARGETS)).ends()
    return Built(project, text, cluster.jobs())


@pytest.fixture
def long_runs(built, tmp_path):
    """long_runs(seeds): the built study with those runs still to do, long enough to be disturbed."""

    def make(*seeds: int) -> Project:
        project = Project(tmp_path / "project")
        shutil.copytree(built.project.path, project.path, symlinks=True)
        study = yaml.safe_load((HERE / "study.yaml").read_text())
        study["runs"][0]["seeds"] = list(seeds)
        study["pretrain"]["epochs"] = EPOCHS
        study["resources"]["pretrain"] = {"memory": 2500, "runtime": 10}
        (project.path / "config/demo.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
        return project

    return make


class Snakemake:
    """The workflow as a process, its text in a file."""

    STARTED: ClassVar[list["Snakemake"]] = []

    def __init__(self, project: Project, *targets: str):
        self.project = project
        self.log = project.path / f"snakemake.{len(list(project.path.glob('snakemake.*')))}.log"
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(project.path),
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, HERE / "often.py", *targets]
        command += ["--workflow-profile", "profiles/slurm"]
        with open(self.log, "w") as stream:
            self.process = subprocess.Popen(
                command, cwd=project.path, env=environment, stdout=stream, stderr=stream
            )
        self.STARTED.append(self)

    def must_live(self) -> None:
        """Fails if it has ended: then there is nothing to wait for."""
        assert self.process.poll() is None, f"Snakemake has ended\n{self.text[-6000:]}"

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


def test_the_tiny_study_is_built_by_jobs_with_more_memory_and_a_gpu(cluster: Cluster, built: Built):
    """Success; a job out of memory that is tried again with more; a GPU job that sees its GPU."""
    project, text, jobs = built.project, built.text, built.jobs
    table, figure = (project.path / "results" / name for name in TARGETS)
    assert "| SL-FPN |" in table.read_text()
    assert figure.stat().st_size > 1000
    states = {
        rule: [state for state, about in jobs.values() if rule in about]
        for rule in ("build_clips", "pretrain_encoder", "evaluate_encoder")
    }
    assert states["pretrain_encoder"] == states["evaluate_encoder"] == ["COMPLETED"]
    # Killed by Slurm for its 400 MB, then tried again.
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
    assert asked == [400 * attempt for attempt in range(1, len(asked) + 1)]
    assert len(killed) == len(asked) - 1
    slurmd = (cluster.folder / "log" / "slurmd.log").read_text()
    # The batch script's own Snakemake, or the step that it starts: whichever Slurm looked at first.
    assert all(re.search(rf"StepId={job}\.\w+ exceeded memory limit", slurmd) for job in killed)
    # A pretraining, an evaluation, and the table and the figure together as one job.
    assert text.count("has been submitted with SLURM jobid") == len(asked) + 3
    # The GPU job saw the GPU that Slurm had given it, and only that.
    (job,) = [job for job, (_, about) in jobs.items() if "pretrain_encoder" in about]
    given = re.search(r"GRES=gpu:1\(IDX:(\d)\)", cluster.call("scontrol", "show", "job", "-d", job))
    seen = re.search(r"Slurm job (\d+) on \S+, GPUs (\S+)", log_of(project, 0))
    assert seen is not None
    assert seen[1] == job
    assert given is None or seen[2] == given[1]
    assert seen[2] in {"0", "1"}


def last_words(project: Project, seed: int) -> str:
    """The log of a job that was asked to stop, when it has said what it did."""

    def found() -> str:
        with contextlib.suppress(FileNotFoundError):
            text = log_of(project, seed)
            return text if re.search(r"asked to stop; saved .*\n.*Slurm job \d+", text) else ""
        return ""

    return wait_for(found, f"seed {seed} to stop", 150)


@dataclasses.dataclass
class Held:
    """A job at work whose training process is stopped, so that a fast machine does not end it."""

    job: str
    process: int

    def release(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGCONT)


def started(cluster: Cluster, workflow: Snakemake, *seeds: int) -> list[Held]:
    """Wait until each run's job is at work and has a checkpoint, and hold it there.

    All are watched at once: while one is waited for, a fast machine would end another.
    """
    processes: dict[int, int] = {}

    def hold() -> bool:
        workflow.must_live()
        results = workflow.project.path / "results"
        for seed in set(seeds) - set(processes):
            lock = results / "encoders" / f".{RUN.format(seed)}.lock"
            if (results / "checkpoints" / f"{RUN.format(seed)}.ckpt").exists():
                process = int(re.search(r"^pid=(\d+)$", lock.read_text(), re.MULTILINE)[1])
                os.kill(process, signal.SIGSTOP)
                processes[seed] = process
        return len(processes) == len(seeds)

    report = lambda: f"held: {processes}\n{workflow.text[-3000:]}{cluster.report()}"  # noqa: E731
    wait_for(hold, f"checkpoints of seeds {seeds}", 300, report)
    jobs = [cluster.job_of(RUN.format(seed), "RUNNING") for seed in seeds]
    return [Held(job, processes[seed]) for job, seed in zip(jobs, seeds, strict=True)]


def assert_undisturbed(project: Project, seed: int, folder: Path) -> None:
    """The encoder and its history are, byte for byte, those of a run that nothing happened to."""
    spec = grid.runs(load(project.path / "config/demo.yaml"))[RUN.format(seed)]
    store = ClipStore.open(project.path / "results/data/toy/clips")
    pretrain(spec, store, folder / str(seed), folder / "ckpt", "code", say=str)
    for name in ("encoder.safetensors", "history.csv"):
        found = project.path / "results/encoders" / spec.run_id / name
        assert found.read_bytes() == (folder / str(seed) / name).read_bytes(), (seed, name)


def test_disturbed_jobs_go_on_and_end_as_if_undisturbed(cluster: Cluster, long_runs, tmp_path):
    """One is warned, one cancelled by its user, one at its time limit, one preempted by another job."""
    project = long_runs(0, 1, 2, 3)
    workflow = Snakemake(project, "pretrain")
    warned, cancelled, overdue, preempted = started(cluster, workflow, *range(4))
    soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 2))
    cluster.call("scontrol", "update", f"JobId={overdue.job}", f"EndTime={soon}")
    cluster.call("scancel", "--signal=TERM", warned.job)  # as --signal warns a job
    warned.release()
    # A log is begun anew when its job is, so it is read in between.
    assert "asked to stop; saved" in last_words(project, 0)
    cluster.call("scancel", cancelled.job)
    cancelled.release()
    assert "goes back to the queue" not in last_words(project, 1)
    over = lambda: cluster.jobs()[overdue.job][0] in {"TIMEOUT", "COMPLETING"}  # noqa: E731
    wait_for(over, "the time limit", 150, cluster.report)
    overdue.release()
    assert "goes back to the queue" not in last_words(project, 2)
    encoders = [project.path / "results/encoders" / RUN.format(seed) for seed in range(3)]
    ended = lambda: all((path / "encoder.safetensors").exists() for path in encoders)  # noqa: E731
    wait_for(ended, "the other three encoders", 150, cluster.report)
    alone = lambda: set(cluster.jobs("PENDING,RUNNING,COMPLETING")) == {preempted.job}  # noqa: E731
    wait_for(alone, "the other three jobs", 30, cluster.report)
    cluster.call("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=:")
    last_words(project, 3)  # Slurm itself lets a stopped process go on before it warns it
    said = workflow.ends()
    states = {job: state for job, (state, _) in cluster.jobs().items()}
    # The warned one put itself back and the preempted one was put back by Slurm: the same jobs ran
    # twice, and Snakemake had nothing to do.
    for job in (warned.job, preempted.job):
        assert states[job] == "COMPLETED"
        assert "Restarts=1" in cluster.call("scontrol", "show", "job", job)
        assert f"SLURM-job '{job}' failed" not in said
    # The other two were ended, stayed so, and Snakemake submitted others.
    for seed, job, state in ((1, cancelled.job, "CANCELLED"), (2, overdue.job, "TIMEOUT")):
        assert states[job] == state
        assert f"SLURM-job '{job}' failed, SLURM status is: '{state}'" in said
        assert len([1 for _, about in cluster.jobs().values() if RUN.format(seed) in about]) > 1
    for seed in range(4):
        assert log_of(project, seed).count("resumed after epoch") == 1
        assert_undisturbed(project, seed, tmp_path)


def test_killed_with_9_and_run_again_two_jobs_do_not_write_one_file(
    cluster: Cluster, long_runs, tmp_path
):
    seed = 4  # not a run of the other tests, by whose names jobs are found
    project = long_runs(seed)
    first = Snakemake(project, "pretrain")
    (held,) = started(cluster, first, seed)
    job = held.job
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    assert job in cluster.jobs("RUNNING")  # what makes it dangerous
    project.run("snakemake", "--unlock", quick=False)
    second = Snakemake(project, "pretrain")
    waits = f"process {held.process} on "
    log = project.path / "results/logs/pretrain" / f"{RUN.format(seed)}.log"
    said_so = lambda: log.exists() and waits in log.read_text()  # noqa: E731
    wait_for(said_so, "the second job's line", 150, lambda: second.text)
    line = next(line for line in log_of(project, seed).splitlines() if waits in line)
    assert "is at work on this output; waiting for it to end" in line
    assert "`scancel` its job" in line
    assert job in cluster.jobs("RUNNING")
    held.release()
    second.ends()
    assert "the other job has made it; nothing is left to do" in log_of(project, seed)
    assert not list((project.path / "results").rglob(".*.lock"))
    assert_undisturbed(project, seed, tmp_path)


def test_jobs_that_a_preemption_cancels_put_themselves_back(cluster: Cluster, long_runs, tmp_path):
    """On a cluster with `PreemptMode=CANCEL` and no time of grace Slurm would leave them PREEMPTED."""
    seed = 5
    project = long_runs(seed)
    cluster.call("scontrol", "update", "PartitionName=cpu", "PreemptMode=CANCEL", "GraceTime=0")
    urgent = ("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=:")
    try:
        workflow = Snakemake(project, f"results/metrics/{RUN.format(seed)}/metrics.csv")
        pretraining = started(cluster, workflow, seed)[0].job
        cluster.call(*urgent)
        last_words(project, seed)
        # A job that knows nothing of signals, and that may not even have begun to work.
        evaluation = cluster.job_of("evaluate_encoder", "RUNNING", 150, workflow.must_live)
        cluster.call(*urgent)
        said = workflow.ends()
    finally:
        cluster.call("scontrol", "update", "PartitionName=cpu", "PreemptMode=REQUEUE")
    for job in (pretraining, evaluation):
        assert cluster.jobs()[job][0] == "COMPLETED"
        assert "Restarts=1" in cluster.call("scontrol", "show", "job", job)
        assert f"SLURM-job '{job}' failed" not in said
    assert log_of(project, seed).count("resumed after epoch") == 1
    assert_undisturbed(project, seed, tmp_path)
