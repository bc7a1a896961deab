"""A real Slurm of one node with pretended GPUs, on loopback, started by hand and stopped by pid.

    with running(folder) as cluster: cluster.call("sinfo")

Needs root on Debian, whose packages it installs where they are missing. No systemd, no cgroups, no
accounting: memory is watched by slurmd itself (OverMemoryKill), which polls, so a job that takes too
much dies within seconds. The files in /etc/slurm are links into the folder, removed at the end; a
machine that has a Slurm of its own is left alone.
"""

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PACKAGES = ("slurm-wlm", "munge")
ETC = Path("/etc/slurm")
CPUS = 8  # more than there may be, so that jobs need not wait for each other
FILES = ("slurm.conf", "gres.conf", "cgroup.conf")


class Unavailable(Exception):
    """Why no Slurm can be run here."""


@dataclass
class Cluster:
    """A running Slurm."""

    folder: Path
    name: str = field(default_factory=lambda: f"test{os.getpid()}")
    pids: dict[str, int] = field(default_factory=dict)

    def call(self, *command: str) -> str:
        """Standard output of a Slurm command."""
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def jobs(self, states: str = "all") -> dict[str, tuple[str, str]]:
        """Of each job its state and its comment (the rule and its wildcards), by id."""
        lines = self.call("squeue", "-h", f"--states={states}", "--format=%i|%T|%k").splitlines()
        return {line.split("|")[0]: tuple(line.split("|")[1:]) for line in lines}

    def job_of(self, comment: str, state: str, timeout: float = 60, meanwhile=lambda: None) -> str:
        """Wait until a job whose comment holds a text is in a state; its id."""

        def found() -> str | None:
            meanwhile()
            for job, (now, about) in sorted(self.jobs().items(), key=lambda item: -int(item[0])):
                if comment in about and now == state:
                    return job
            return None

        return wait_for(found, f"a job of {comment} that is {state}", timeout, self.report)

    def report(self) -> str:
        logs = [self.folder / "log" / name for name in ("slurmctld.log", "slurmd.log")]
        return "\n".join([str(self.jobs()), *(log.read_text()[-2000:] for log in logs)])


def wait_for(found, what: str, timeout: float = 60, report=lambda: ""):
    """Ask until the answer is true, and return it; fails with a report after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := found()):
        assert time.monotonic() < deadline, f"waited {timeout:.0f} s for {what}\n{report()}"
        time.sleep(0.2)
    return answer


def install() -> None:
    """Debian's packages, where they are missing.

    Raises:
        Unavailable: not root, not Debian, packages that cannot be had, or a Slurm that is not ours.
    """
    if os.geteuid() != 0:
        raise Unavailable("a Slurm can be started by root alone")
    if shutil.which("apt-get") is None or not Path("/etc/debian_version").exists():
        raise Unavailable("the Slurm of the tests is Debian's, and this is not Debian")
    if (ETC / "slurm.conf").exists() and not (ETC / "slurm.conf").is_symlink():
        raise Unavailable(f"{ETC}/slurm.conf is there: this machine has a Slurm of its own")
    other = (ETC / "slurm.conf").resolve().parent / "slurmctld.pid"
    with contextlib.suppress(OSError, ValueError):  # no such file, no such process: left behind
        os.kill(int(other.read_text()), 0)
        raise Unavailable(f"another Slurm of these tests runs in {other.parent}")
    if all(shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("slurmctld", "munged")):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    get = ["apt-get", "-qq", "-y", "--no-install-recommends"]
    for command in (["apt-get", "-qq", "update"], [*get, "install", *PACKAGES]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"{' '.join(command)} failed: {done.stderr[-500:]}")


def slurm_conf(name: str, folder: Path, gpus: int, preempt: str) -> str:
    host = socket.gethostname().split(".")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 - 512
    return f"""\
ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=17817
SlurmdPort=17818
AuthType=auth/munge
# A requeued job may start again when the credentials of its first start have run out: 120 s by default.
AuthInfo=cred_expire=5,socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
GresTypes=gpu
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode={preempt}
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0,batch_sched_delay=0
KillWait=30
OverTimeLimit=0
MinJobAge=300
ReturnToService=2
PropagateResourceLimits=NONE
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={CPUS} RealMemory={memory} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=UNLIMITED State=UP PriorityTier=1 GraceTime=20
PartitionName=gpu Nodes={host} MaxTime=UNLIMITED State=UP PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes={host} MaxTime=UNLIMITED State=UP PriorityTier=10
"""


def _daemon(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")


def _start_munge(cluster: Cluster) -> None:
    """Slurm's authentication, with a key and a socket of its own."""
    files = {
        name: cluster.folder / f"munge.{name}" for name in ("key", "socket", "pid", "log", "seed")
    }
    files["key"].write_bytes(os.urandom(1024))
    files["key"].chmod(0o400)
    _daemon(
        "/usr/sbin/munged",
        "--force",
        f"--key-file={files['key']}",
        f"--socket={files['socket']}",
        f"--pid-file={files['pid']}",
        f"--log-file={files['log']}",
        f"--seed-file={files['seed']}",
    )
    cluster.pids["munged"] = int(wait_for(files["pid"].read_text, "munged's pid"))


def _start(cluster: Cluster, gpus: int, preempt: str) -> None:
    folder = cluster.folder
    for name in ("state", "spool", "log"):
        (folder / name).mkdir(parents=True)
    devices = [folder / f"pretended{number}" for number in range(gpus)]
    for device in devices:  # twins of /dev/null: of plain files, Slurm tells a job nothing
        try:
            os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        except OSError as error:
            raise Unavailable(f"no device file can be made here ({error.strerror})") from None
    (folder / "slurm.conf").write_text(slurm_conf(cluster.name, folder, gpus, preempt))
    (folder / "gres.conf").write_text("".join(f"Name=gpu File={device}\n" for device in devices))
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\nConstrainRAMSpace=no\n")
    ETC.mkdir(exist_ok=True)
    for name in FILES:  # where Slurm's commands find it in jobs too: SLURM_CONF is lost on the way
        (ETC / name).unlink(missing_ok=True)
        (ETC / name).symlink_to(folder / name)
    _start_munge(cluster)
    host = socket.gethostname().split(".")[0]
    for command in (["slurmctld"], ["slurmd", "-N", host]):
        _daemon(f"/usr/sbin/{command[0]}", *command[1:])
        pid = wait_for((folder / f"{command[0]}.pid").exists, f"{command[0]}'s pid file")
        pid = wait_for((folder / f"{command[0]}.pid").read_text, f"{command[0]}'s pid")
        cluster.pids[command[0]] = int(pid)
    idle = ("sinfo", "--noheader", "--partition=cpu", "--format=%T")

    def is_idle() -> bool:
        done = subprocess.run(idle, capture_output=True, text=True, check=False)
        return done.stdout.strip() == "idle"

    wait_for(is_idle, "an idle node", report=cluster.report)


def _end_left_behind(cluster: Cluster) -> None:
    """End processes of jobs that Slurm lost: it goes by parents here, not by cgroups.

    Seen: the Snakemake of a job step that gets a second SIGTERM while it ends waits for itself.
    """
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            of_ours = process.environ().get("SLURM_CLUSTER_NAME") == cluster.name
            if of_ours and process.name() != "slurmstepd":
                process.kill()


def _stop(cluster: Cluster) -> None:
    with contextlib.suppress(AssertionError, subprocess.SubprocessError):
        if "slurmd" in cluster.pids:
            for job in cluster.jobs("PENDING,RUNNING,COMPLETING"):
                cluster.call("scancel", "--signal=KILL", "--full", job)
                cluster.call("scancel", job)
            wait_for(lambda: not cluster.jobs("RUNNING,COMPLETING"), "the last jobs", 30)
    _end_left_behind(cluster)
    for pid in reversed(cluster.pids.values()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 15)
            for _ in range(100):
                os.kill(pid, 0)
                time.sleep(0.1)
    for name in FILES:
        if (ETC / name).is_symlink() and os.readlink(ETC / name).startswith(str(cluster.folder)):
            (ETC / name).unlink()


@contextlib.contextmanager
def running(folder: Path, gpus: int = 2, preempt: str = "REQUEUE") -> Iterator[Cluster]:
    """A Slurm whose files lie in `folder`; what becomes of preempted jobs is `PreemptMode`.

    Raises:
        Unavailable: it cannot be run here.
    """
    install()
    cluster = Cluster(folder)
    try:
        _start(cluster, gpus, preempt)
        yield cluster
    finally:
        _stop(cluster)


if __name__ == "__main__":  # for trying things out: python tests/slurm/cluster.py FOLDER [CANCEL]
    import sys

    with running(Path(sys.argv[1]).absolute(), 2, *sys.argv[2:]) as found:
        print(found.call("sinfo"), flush=True)
        input("Enter stops it. ")
