"""One job at a time on an output: who holds it, who waits, whose lock is left behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from sslslr.utils.errors import UserError
from sslslr.workflow import job_lock
from sslslr.workflow.job_lock import held, lock_path

HOLDER = (
    "import sys, time; from pathlib import Path; from sslslr.workflow.job_lock import held\n"
    "with held(Path(sys.argv[1]), print): print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `run`."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


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
    assert "scancel" in said[0]


def test_many_at_once_have_it_one_after_another(tmp_path):
    """Processes that count in a file, read and write apart: without a lock counts are lost."""
    (tmp_path / "count").write_text("0")
    left_by_another_host(tmp_path / "run", host=socket.gethostname(), pid=2**22 + 1)  # of the dead
    script = (
        "import sys, time; from pathlib import Path; from sslslr.workflow.job_lock import held\n"
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


def test_the_lock_of_a_killed_process_of_this_host_is_taken_over_at_once(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert lock_path(tmp_path / "run").exists()
    began = time.monotonic()
    with held(tmp_path / "run", print):
        assert f"pid={os.getpid()}\n" in lock_path(tmp_path / "run").read_text()
    assert time.monotonic() - began < 5


def test_a_job_that_outlived_its_workflow_keeps_the_next_one_waiting(tmp_path, holder):
    """The old job of a cluster, still running after `kill -9` of Snakemake."""
    said, taken = [], threading.Event()

    def second() -> None:
        with held(tmp_path / "run", said.append, poll=0.02) as waited:
            assert waited
            taken.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert not taken.wait(1.5)
    assert f"process {holder.pid} on" in said[0]
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert taken.wait(10)
    thread.join()


def test_a_job_of_another_host_has_it_until_it_was_silent_for_the_lease(tmp_path, monkeypatch):
    monkeypatch.setattr(job_lock, "LEASE", 1.5)
    left_by_another_host(tmp_path / "run", host="node1", pid=1)
    said: list[str] = []
    began = time.monotonic()
    with held(tmp_path / "run", said.append, poll=0.05) as waited:
        assert waited
    assert time.monotonic() - began > 1.2
    assert "process 1 on node1 is at work" in said[0]


def left_by_another_host(output, host: str, pid: int) -> None:
    with held(output, print):
        record = lock_path(output).read_text()
    lines = [line for line in record.splitlines() if not line.startswith(("pid", "host", "start"))]
    lock_path(output).write_text(
        "\n".join([lines[0], f"pid={pid}", f"host={host}", *lines[1:]]) + "\n"
    )


def test_an_unwritable_folder_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"\.run\.lock: not writable"),
        held(tmp_path / "file" / "run", print),
    ):
        pass
