"""One workflow in a results folder; the traces of one that was killed are understood."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from disks import read_only, small_disk
from sslslr.utils.errors import UserError
from sslslr.utils.files import HOST, atomic_file
from sslslr.workflow import results_lock

HOLDER = """
import subprocess, sys, time
from sslslr.workflow import results_lock
results_lock.enter(sys.argv[1])
job = subprocess.Popen(["sleep", "60"])
print(job.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def results(tmp_path):
    """A results folder that this process lets go of afterwards."""
    folder = tmp_path / "results"
    yield folder
    results_lock.leave(folder)


@pytest.fixture
def holder(results):
    """A workflow of another process, with one job; (process, pid of the job)."""
    command = [sys.executable, "-c", HOLDER, str(results)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        job = int(process.stdout.readline())
        yield process, job
        for pid in (process.pid, job):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def locks_of(results, *names):
    """Snakemake's lock of a workflow that makes these files."""
    folder = results.parent / "locks"
    folder.mkdir(exist_ok=True)
    lock = folder / f"{len(list(folder.iterdir()))}.output.lock"
    lock.write_text("".join(f"{name}\n" for name in names))
    return lock


def test_a_second_workflow_is_told_who_is_at_work_and_leaves(results, holder):
    process, _ = holder
    before = (results / results_lock.RECORD).read_text()
    with pytest.raises(UserError, match=rf"process {process.pid} on {HOST}.*leaves"):
        results_lock.enter(results)
    assert (results / results_lock.RECORD).read_text() == before
    assert results_lock.TOKEN not in os.environ


def test_after_a_kill_the_orphans_are_ended_and_the_locks_removed(results, holder):
    process, job = holder
    mine = locks_of(results, results / "encoders/a/run.json", "config/claims.yaml")
    of_another = locks_of(results, results / "other/encoders/a/run.json")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert psutil.pid_exists(job), "an orphan lives on"
    said = results_lock.enter(results, locks=mine.parent)
    assert not mine.exists()
    assert of_another.exists(), "the lock of another study"
    deadline = time.monotonic() + 5
    while psutil.pid_exists(job) and psutil.Process(job).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert any("ended 1 processes" in sentence for sentence in said)
    assert any(str(process.pid) in sentence and "killed" in sentence for sentence in said)
    assert os.environ[results_lock.TOKEN]


@pytest.mark.parametrize("change", [{"cluster": True}, {"host": "elsewhere"}])
def test_what_may_live_on_other_machines_is_left_and_said(results, change):
    results.mkdir()
    lock = locks_of(results, results / "metrics/a/metrics.csv")
    record = {"host": HOST, "pid": 1, "since": "then", "cluster": False, "token": "t", **change}
    (results / results_lock.RECORD).write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"squeue.*snakemake --unlock"):
        results_lock.enter(results, locks=lock.parent)
    assert lock.exists()


def test_a_second_kill_is_understood_as_the_first_was(results):
    """The record is replaced, not added to: else the second kill's orphans would not be known."""
    for _ in range(2):
        command = [sys.executable, "-c", HOLDER, str(results)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            job = int(process.stdout.readline())
            process.kill()
    said = results_lock.enter(results)
    assert any("ended 1 processes" in sentence for sentence in said)
    assert not psutil.pid_exists(job) or psutil.Process(job).status() == psutil.STATUS_ZOMBIE


def test_a_record_that_was_cut_is_no_hindrance(results):
    results.mkdir()
    (results / results_lock.RECORD).write_text('{"host": "vm", "pi')
    assert results_lock.enter(results) == []
    assert json.loads((results / results_lock.RECORD).read_text())["pid"] == os.getpid()


def test_half_written_files_of_the_dead_go_and_those_of_the_living_stay(results):
    folder = results / "encoders/a"
    folder.mkdir(parents=True)
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True)  # fmt: skip
    pid = dead.stdout.strip()
    left = folder / f".run.json.{HOST}.{pid}.0123abcd.tmp"
    far = folder / f".run.json.elsewhere.{pid}.0123abcd.tmp"
    half_a_store = folder / f".clips.{HOST}.{pid}.0123abcd.tmp"
    half_a_store.mkdir()
    for path in (left, far, half_a_store / "x"):
        path.write_text("half")
    aside = results / f".data.{HOST}.{pid}.0123abcd.old"
    aside.mkdir()
    with atomic_file(folder / "history.csv") as living:
        living.write_text("mine")
        (said,) = results_lock.enter(results)
        assert living.exists()
    assert "3 half-written" in said
    assert not left.exists()
    assert not half_a_store.exists()
    assert far.exists()
    assert (results / "data").is_dir(), "a folder that was to be replaced is put back"


def test_a_folder_that_was_to_be_replaced_is_not_put_back_over_the_new_one(results):
    (results / "data").mkdir(parents=True)
    old = results / f".data.{HOST}.999999.0123abcd.old"
    old.mkdir()
    results_lock.enter(results)
    assert not old.exists()
    assert (results / "data").is_dir()


def test_files_of_the_future_are_said_and_left_as_they_are(results):
    """They were dated in 2001, all of them: a file time is its owner's."""
    (results / "encoders").mkdir(parents=True)
    late = results / "encoders/a"
    late.write_text("a")
    ahead = time.time() + 1000
    os.utime(late, (ahead, ahead))
    (said,) = results_lock.enter(results)
    assert "1 files" in said
    assert "dated in the future (the first: " + str(late) in said
    assert late.stat().st_mtime == pytest.approx(ahead)


def test_a_read_only_folder_is_said_and_nothing_is_changed(tmp_path):
    with (
        read_only(tmp_path / "results") as folder,
        pytest.raises(UserError, match="not writable"),
    ):
        results_lock.enter(folder)


def test_a_full_disk_is_said(tmp_path):
    with small_disk(tmp_path / "disk", "size=16k") as disk:
        with pytest.raises(OSError):  # noqa: PT011
            (disk / "fill").write_bytes(bytes(64 * 1024))
        with pytest.raises(UserError, match="no space left"):
            results_lock.enter(disk / "results")
        results_lock.leave(disk / "results")
