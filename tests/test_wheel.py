"""The wheel: what is in it, that it works without a repository, and in an empty environment."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import warm
from project import HERE, copy_sources
from sslslr.cli.init import FILES
from toys import EMBED, ROOT

pytestmark = pytest.mark.xdist_group("workflow")  # one wheel, and one server of warm.py


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, as `build/` of the repository may hold modules that are gone."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a checkout")
    folder = tmp_path_factory.mktemp("wheel")
    copy_sources(folder / "sources")
    command = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    subprocess.run(
        [sys.executable, "-m", "pip", *map(str, command), str(folder / "sources")], check=True
    )
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_and_the_files_of_a_study(wheel):
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *FILES, "sslslr"],
        cwd=ROOT, text=True, capture_output=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    expected = {
        name if name.startswith("sslslr/") else f"sslslr/study_files/{name}"
        for name in tracked
        if (ROOT / name).exists()
    }
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == expected
    assert "sslslr/py.typed" in names


@pytest.fixture
def run(wheel, tmp_path):
    """run(command, folder): its output, with the sources of the wheel."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")  # as pip does, but for compiling it
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "site"),  # before an editable install
        "PATH": os.pathsep.join(
            [str(warm.commands()), str(Path(sys.executable).parent), os.environ["PATH"]]
        ),
    }

    def run(*command: str, folder: Path = tmp_path) -> str:
        done = subprocess.run(
            command, cwd=folder, env=environment, text=True, capture_output=True, timeout=300
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    return run


@pytest.mark.workflow
def test_a_study_of_the_wheel_is_planned_without_a_repository(run, tmp_path):
    """`sslslr init` and Snakemake in a folder of its own."""
    run("sslslr", "init", "study")
    planned = run("snakemake", "--cores", "2", "--dry-run", folder=tmp_path / "study")
    assert "fingerspelling" in planned


@pytest.mark.wheel
def test_a_study_of_the_wheel_runs_without_a_repository(run, tmp_path):
    run("sslslr", "init", "study")
    study = tmp_path / "study"
    run("sslslr", "config", "check", folder=study)
    shutil.copy(HERE / "tiny.yaml", study / "config" / "tiny.yaml")
    command = ["snakemake", "--cores", "2", "--configfile", "config/tiny.yaml"]
    run(*command, folder=study)
    assert (study / "results" / "report.html").is_file()
    run("sslslr", "check-results", folder=study)
    assert "Nothing to be done" in run(*command, folder=study)
    module = next((tmp_path / "site").glob("sslslr/methods/sl_fpn.py"))
    module.write_text(module.read_text() + "\n# edited\n")
    assert "pretrain_encoder" in run(*command, "--dry-run", folder=study), (
        "code of the wheel counts"
    )


@pytest.mark.wheel
def test_the_core_alone_in_an_empty_environment(wheel, toy_store, encoder_folder, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pins = ["--constraint", str(ROOT / "requirements.lock")]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *pins, str(wheel)], check=True)
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "freeze"],
        text=True, capture_output=True, check=True,
    ).stdout.lower()  # fmt: skip
    installed = {line.partition("==")[0] for line in listed.splitlines()}
    absent = {"scikit-learn", "scipy", "matplotlib", "snakemake", "dvc", "lightning-fabric"}
    assert not installed & absent
    arguments = [str(toy_store.path), str(encoder_folder), str(tmp_path / "features.npy")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([python, "-c", EMBED, *arguments], cwd=tmp_path, env=environment, check=True)
    assert np.load(tmp_path / "features.npy").shape == (len(toy_store), 32)
    told = subprocess.run(
        [tmp_path / "venv" / "bin" / "sslslr", "init", "study"],
        cwd=tmp_path, env=environment, text=True, capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert 'pip install "sslslr[study]"' in told
