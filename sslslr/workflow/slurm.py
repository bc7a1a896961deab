"""What a job asks the Slurm that runs it. Where there is no Slurm, all of it does nothing.

It goes by `squeue` and `scontrol`, which need no accounting (`sacct` does).

`python -m sslslr.workflow.slurm` in a job puts it back in the queue if a preemption is ending it; the profile
has the shell of every job do so (`precommand`). A cluster with `PreemptMode=CANCEL` would leave it
PREEMPTED, and Snakemake would wait for it for ever.
"""

import os
import re
import shutil
import signal
import socket
import subprocess

# Of squeue's %T. A job in these states that gets a SIGTERM was not ended by its user or by its time limit.
WARNED = {"RUNNING", "SIGNALING", "PREEMPTED"}
TRIES = 3  # a question that is asked while a job is being ended may get the job's own SIGTERM


def job_id() -> str | None:
    """The Slurm job that this process is part of."""
    return os.environ.get("SLURM_JOB_ID")


def about() -> str:
    """For a job's log: which job, on which host, with which GPUs; empty outside Slurm."""
    job = job_id()
    if job is None:
        return ""
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
    return f"Slurm job {job} on {socket.gethostname()}, GPUs {gpus}"


def state(job: str) -> str | None:
    """`RUNNING`, `PENDING`, `CANCELLED`, ...; empty for a job that Slurm has forgotten.

    None where it cannot be known: there is no `squeue`, or no answer from Slurm's controller.
    """
    done = _ask("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T")
    if done is None:
        return None
    if done.returncode == 0:
        return done.stdout.strip().split("\n")[0]
    return "" if "Invalid job id" in done.stderr else None


def preempted(job: str) -> bool:
    """Does a preemption end this start of the job? `state` calls it COMPLETING, as all that end."""
    done = _ask("scontrol", "show", "job", "--oneliner", job)
    if done is None or done.returncode != 0:
        return False
    times = dict(re.findall(r"\b(PreemptTime|StartTime)=(\S+)", done.stdout))
    at, started = times.get("PreemptTime", "None"), times.get("StartTime", "None")
    return "None" not in (at, started) and at >= started  # both as 2026-11-23T06:56:06


def requeue() -> str:
    """Put this process's job back in the queue, if it was warned and is not being ended anyway.

    A job that is preempted is requeued by Slurm itself where the cluster says so, one that its user
    cancelled is to stay so, and one at its time limit is for Snakemake to submit again, with more
    time.

    Returns:
        What was done, in words; empty outside Slurm.
    """
    job = job_id()
    if job is None:
        return ""
    found = state(job)
    if found not in WARNED and not preempted(job):
        return (
            f"Slurm job {job} is {(found or 'of unknown state').lower()}; not requeued from within"
        )
    done = _ask("scontrol", "requeue", job)
    if done is not None and done.returncode == 0:
        return f"Slurm job {job} goes back to the queue"
    why = done.stderr.strip() if done is not None else "scontrol gave no answer"
    return f"Slurm job {job} could not be requeued ({why}); submit it again"


def _ask(*command: str) -> subprocess.CompletedProcess | None:
    if shutil.which(command[0]) is None:
        return None
    for _ in range(TRIES):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        except subprocess.TimeoutExpired:
            return None
        if done.returncode != -signal.SIGTERM:
            return done
    return None


if __name__ == "__main__":  # when the job's shell got a SIGTERM
    if (this_job := job_id()) and preempted(this_job):
        print(requeue(), flush=True)
