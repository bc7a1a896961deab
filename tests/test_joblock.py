"""One job at a time on an output: who holds it, who waits, whose lock is left behind."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from sslslr import joblock, slurm
from sslslr.joblock import held, lock_path


def held_by(output, **owner) -> None:
    """A lock as another process would leave it."""
    me = {"token": "theirs", "job": None, "host": socket.gethostname(), "pid": os.getpid()}
    me["started"] = joblock._start(os.getpid())
    lock_path(output).write_text(json.dumps(me | owner))


def test_it_is_beside_the_output_while_the_work_is_done(tmp_path):
    output = tmp_path / "encoders" / "run"
    with held(output, print) as waited:
        assert not waited
        assert [path.name for path in output.parent.iterdir()] == [".run.lock"]
    assert list(output.parent.iterdir()) == []


def test_it_is_given_back_when_the_work_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), held(tmp_path / "run", print):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_second_one_waits_and_says_for_whom(tmp_path):
    said, order = [], []

    def second() -> None:
        with held(tmp_path / "run", said.append, poll=0.01) as waited:
            order.append(("second", waited))

    with held(tmp_path / "run", print):
        thread = threading.Thread(target=second)
        thread.start()
        while not said:
            time.sleep(0.01)
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", ("second", True)]
    assert len(said) == 1
    assert f"process {os.getpid()} on {socket.gethostname()} is at work" in said[0]
    assert f"kill {os.getpid()}" in said[0]


def test_many_at_once_have_it_one_after_another(tmp_path):
    """Processes that count in a file, read and write apart: without a lock counts are lost."""
    (tmp_path / "count").write_text("0")
    held_by(tmp_path / "run", pid=2**22 + 1)  # a dead owner's lock, which all of them find
    script = (
        "import sys, time; from pathlib import Path; from sslslr.joblock import held\n"
        "folder = Path(sys.argv[1])\n"
        "for _ in range(5):\n"
        "    with held(folder / 'run', lambda text: None, poll=0.001):\n"
        "        n = int((folder / 'count').read_text()); time.sleep(0.002)\n"
        "        (folder / 'count').write_text(str(n + 1))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    assert (tmp_path / "count").read_text() == "20"
    assert [path.name for path in tmp_path.iterdir()] == ["count"]


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    script = "import os, signal, sys; from pathlib import Path; from sslslr.joblock import held\n"
    script += "with held(Path(sys.argv[1]), print): os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "run")], check=False)
    assert lock_path(tmp_path / "run").exists()
    said: list[str] = []
    with held(tmp_path / "run", said.append) as waited:
        assert not waited
    assert "left behind by process" in said[0]
    assert "no longer runs on this host" in said[0]


def test_a_pid_that_was_given_to_another_process_does_not_hold_it(tmp_path):
    held_by(tmp_path / "run", started=1.0)
    with held(tmp_path / "run", print) as waited:
        assert not waited


@pytest.mark.parametrize(
    ("state", "lives"),
    [("RUNNING", True), ("COMPLETING", True), (None, True)]
    + [(state, False) for state in ("", "PENDING", "CANCELLED", "COMPLETED", "TIMEOUT")],
)
def test_a_slurm_job_on_another_host_is_asked_after(tmp_path, monkeypatch, state, lives):
    """PENDING: it was requeued, and its process ended. None: Slurm does not answer, so it may live."""
    monkeypatch.setattr(slurm, "state", lambda job: {"7": state}[job])
    held_by(tmp_path / "run", host="node1", job="7")
    owner = joblock._read(lock_path(tmp_path / "run"))
    assert joblock._gone(owner, age=1.0) == "" if lives else joblock._gone(owner, age=1.0)
    assert joblock._named(owner).startswith("Slurm job 7 (process")
    assert joblock._how_to_stop(owner) == "scancel 7"


def test_the_same_slurm_job_started_again_elsewhere_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    held_by(tmp_path / "run", host="node1", job="7")
    with held(tmp_path / "run", print) as waited:
        assert not waited


def test_a_silent_owner_that_cannot_be_asked_counts_as_dead_after_a_while(tmp_path):
    held_by(tmp_path / "run", host="node1")
    path = lock_path(tmp_path / "run")
    assert not joblock._gone(joblock._read(path), joblock._age(path))
    old = time.time() - joblock.SILENCE - 5
    os.utime(path, (old, old))
    assert "silent for 10 minutes" in joblock._gone(joblock._read(path), joblock._age(path))


def test_a_cut_lock_file_is_nobody_s_and_outlives_its_silence_only(tmp_path):
    lock_path(tmp_path / "run").write_text('{"tok')
    assert joblock._read(lock_path(tmp_path / "run")) == {}
    assert not joblock._gone({}, age=1.0)
    assert joblock._gone({}, age=joblock.SILENCE + 1)


def test_the_owner_s_heartbeat_moves_the_time_of_its_own_lock_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(joblock, "HEARTBEAT", 0.01)
    path = lock_path(tmp_path / "run")
    with held(tmp_path / "run", print):
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 10
        while path.stat().st_mtime < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > 2
        held_by(tmp_path / "run")  # another one thought it dead and took over
        os.utime(path, (1, 1))
        time.sleep(0.1)
        assert path.stat().st_mtime == 1
    assert path.exists()  # and keeps its lock


def test_an_unwritable_folder_is_a_sentence(tmp_path):
    from sslslr.errors import UserError

    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"\.run\.lock: not writable"),
        held(tmp_path / "file" / "run", print),
    ):
        pass
