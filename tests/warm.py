"""Runs `snakemake`, `dvc` and `sslslr` in forks of one process that has imported what they import.

A start of Snakemake costs 5 s here and one of `sslslr` 2 s, nearly all of it imports; a fork costs
neither. Tests that ask over and over what a tool would do, or that need a tiny study built, use it.
`sslslr` itself is not imported before the fork: each fork imports it from the project it works in.
`.ci/run` starts the same commands as a user does.

    bin_ = commands()       # a folder with the commands, to be put first in PATH

One server a process; it ends with the process that started it.
"""

import atexit
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

COMMANDS = ("snakemake", "dvc", "sslslr", "script")  # script: a Python file, by its path
LONGEST_S = 1200
SERVERS: list[subprocess.Popen] = []
PRELOADED = (
    *("snakemake.cli", "snakemake.api", "snakemake.workflow", "snakemake.report", "snakemake.assets"),
    *("dvc.cli.parser", "dvc.repo", "dvc.repo.reproduce", "dvc.commands.status", "dvc.stage.run"),
    *("torch", "lightning.fabric", "lightning_fabric", "safetensors.torch", "pandas", "pyarrow.parquet"),
    *("sklearn.linear_model", "sklearn.metrics", "sklearn.neighbors", "scipy.stats", "rich.progress"),
    *("pydantic", "jsonschema", "jinja2", "typer", "requests", "matplotlib.pyplot", "psutil"),
)  # fmt: skip
SHIM = """#!{python} -SE
import sys
sys.path.insert(0, {here!r})
import warm
sys.exit(warm.ask({address!r}, [{name!r}, *sys.argv[1:]], fds=(0, 1, 2)))
"""


@cache
def commands() -> Path:
    """Start the server; the folder of its commands."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))  # a socket's path may have 107 characters
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    bin_ = folder / "bin"
    bin_.mkdir()
    values = {
        "python": sys.executable,
        "here": str(Path(__file__).parent),
        "address": f"{folder}/socket",
    }
    for name in COMMANDS:
        (bin_ / name).write_text(SHIM.format(name=name, **values))
        (bin_ / name).chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, __file__, values["address"]],
        stdin=subprocess.PIPE,  # open as long as this process lives
        stdout=subprocess.PIPE,
        env={**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"},
    )
    SERVERS.append(server)
    assert server.stdout.readline() == b"ready\n", "the server of warm.py did not start"
    return bin_


def ask(address: str, command: list[str], fds: tuple[int, ...]) -> int:
    """In a command of `bin`: have the server run it with these streams; its exit status."""
    request = {"command": command, "folder": os.getcwd(), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        data = json.dumps(request).encode()
        socket.send_fds(connection, [len(data).to_bytes(8, "big")], fds)
        connection.sendall(data)
        answer = connection.recv(4)
    return int.from_bytes(answer, "big") if answer else 1


def serve(address: str) -> None:
    """Until stdin closes: one fork a request."""
    import importlib
    import select

    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for kind in ("executor", "storage", "report", "logger", "scheduler"):
        # Snakemake looks through all packages for its plugins, once a process.
        module = importlib.import_module(f"snakemake_interface_{kind}_plugins.registry")
        getattr(module, f"{kind.capitalize()}PluginRegistry")()
    assert not any(name.split(".")[0] == "sslslr" for name in sys.modules)
    # Waited for, not ignored: their processor time counts in `time make test`.
    signal.signal(signal.SIGCHLD, _wait_for_ended)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while listening in select.select([listening, 0], [], [])[0]:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(connection)
            connection.close()


def _wait_for_ended(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _answer(connection: socket.socket) -> None:
    """In a fork: run the command in a fork of its own, which may do with itself as it likes."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, fds, _, _ = socket.recv_fds(connection, 8, 3)
    data = b""
    while len(data) < int.from_bytes(size, "big"):
        data += connection.recv(1 << 16)
    child = os.fork()
    if child == 0:
        connection.close()
        _become(fds, **json.loads(data))
    for fd in (0, 1, 2, *fds):
        os.close(fd)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        connection.sendall((os.waitstatus_to_exitcode(status) % 256).to_bytes(4, "big"))
    os._exit(0)


def _become(fds: list[int], command: list[str], folder: str, environment: dict) -> None:
    import traceback

    signal.alarm(LONGEST_S)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = list(command)
    status: object = 1
    try:
        if command[0] == "snakemake":
            from snakemake.cli import main
        elif command[0] == "dvc":
            from dvc.cli import main
        elif command[0] == "script":
            import functools
            import runpy

            sys.argv = command[1:]
            sys.path.insert(0, os.path.dirname(os.path.abspath(command[1])))  # as Python does
            main = functools.partial(runpy.run_path, command[1], run_name="__main__")
        else:
            from sslslr.cli.main import main
        status = main()
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0 if status is None else 1)


if __name__ == "__main__":
    serve(sys.argv[1])
