"""The repository with a tiny study, built once by `dvc repro`; tests work on copies of it."""

import shutil

import pytest

from project import Project, copy_repository
from toys import ROOT


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Project:
    """Never built; not to be changed."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a checkout")
    return copy_repository(tmp_path_factory.mktemp("fresh") / "project")


@pytest.fixture(scope="session")
def built(fresh, tmp_path_factory) -> Project:
    """Built by `dvc repro`; not to be changed. `built.log` is what it printed."""
    path = tmp_path_factory.mktemp("built") / "project"
    shutil.copytree(fresh.path, path, symlinks=True)
    project = Project(path)
    project.log = project.run("dvc", "repro").stdout
    for command in (["add", "dvc.lock"], ["commit", "-qm", "built"]):
        project.run("git", "-c", "user.name=test", "-c", "user.email=test@example.org", *command)
    return project


@pytest.fixture
def copy_of(tmp_path):
    """copy_of(project): a copy that a test may change; file times are kept."""

    def copy(project: Project) -> Project:
        shutil.copytree(project.path, tmp_path / "project", symlinks=True)
        return Project(tmp_path / "project")

    return copy
