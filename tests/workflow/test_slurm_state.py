"""What a job does with Slurm's answers; the answers of a real Slurm are in tests/slurm."""

import subprocess
import sys

import pytest

from sslslr.workflow import slurm

FAKE = """#!{python} -SE
import os
import sys
with open({calls!r}, "a") as stream:
    stream.write(" ".join(["{name}", *sys.argv[1:]]) + "\\n")
if {first_fails!r} and len(open({calls!r}).readlines()) == 1:
    os.kill(os.getpid(), 15)
state = {state!r}
if "{name}" == "squeue":
    print("COMPLETING" if state != "RUNNING" else state)
elif "show" in sys.argv:
    at = {{"PREEMPTED": "2026-11-23T06:56:06", "PREEMPTED BEFORE": "2026-11-23T06:40:00"}}
    print("JobId=7 StartTime=2026-11-23T06:55:53 PreemptEligibleTime=2026-11-23T06:55:53", end=" ")
    print("PreemptTime=" + at.get(state, "None") + " Restarts=1")
"""


@pytest.fixture
def answering(tmp_path, monkeypatch):
    """answering(state): commands of a Slurm whose job 7 is ending in that state; the calls' file."""

    def make(state: str, first_fails: bool = False):
        calls = tmp_path / "calls"
        calls.write_text("")
        about = {"python": sys.executable, "calls": str(calls), "first_fails": first_fails}
        for name in ("squeue", "scontrol"):
            text = FAKE.format(name=name, state=state, **about)
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("SLURM_JOB_ID", "7")
        return calls

    return make


@pytest.mark.parametrize(
    ("state", "back"),
    [
        ("RUNNING", True),
        ("PREEMPTED", True),
        ("PREEMPTED BEFORE", False),
        ("CANCELLED", False),
        ("TIMEOUT", False),
    ],
)
def test_a_job_puts_itself_back_if_it_was_warned_or_preempted_alone(answering, state, back):
    calls = answering(state)
    said = slurm.requeue()
    assert ("goes back to the queue" in said) is back
    assert ("scontrol requeue 7" in calls.read_text()) is back


@pytest.mark.parametrize(("state", "back"), [("PREEMPTED", True), ("CANCELLED", False)])
def test_the_shell_of_a_job_puts_it_back_when_it_is_preempted(answering, state, back):
    calls = answering(state)
    done = subprocess.run(
        [sys.executable, "-m", "sslslr.workflow.slurm"], capture_output=True, text=True, check=True
    )
    assert ("scontrol requeue 7" in calls.read_text()) is back
    assert bool(done.stdout) is back


def test_a_question_that_got_the_jobs_own_sigterm_is_asked_again(answering):
    calls = answering("RUNNING", first_fails=True)
    assert "goes back to the queue" in slurm.requeue()
    assert calls.read_text().count("squeue") == 2


def test_outside_slurm_nothing_is_asked(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert slurm.requeue() == ""
