"""Registries: a marked class in any file of the folder, of a subfolder, or of another package."""

import sys
import textwrap

import pytest

from sslslr.utils.errors import UserError
from sslslr.utils.registry import EXTENSIONS, Registry


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes `toy_package/NAME` and gives the registry of that package, which nothing has asked yet."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(**files: str) -> Registry:
        files = {"__init__": "from sslslr.utils.registry import Registry\n"
                 "TOYS = Registry('toy_package', 'toy')\n", **files}  # fmt: skip
        for name, text in files.items():
            path = tmp_path / "toy_package" / f"{name.replace('__in__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("from toy_package import TOYS\n" * (name != "__init__") + text)
        return __import__("toy_package").TOYS

    yield write
    for name in list(sys.modules):
        if name.startswith(("toy_package", "other_package", "sslslr_extensions")):
            del sys.modules[name]


BALL = "@TOYS.register\nclass Ball: pass\n"
TWO = textwrap.dedent("""
    @TOYS.register
    class Cube: name = "cube"
    @TOYS.register
    class Cone: name, title = "cone", "a cone"
""")


def test_an_entry_is_named_by_its_file_or_by_itself(write):
    toys = write(ball=BALL, solids=TWO, _helper="raise RuntimeError('imported')")
    assert toys.names() == ["ball", "cone", "cube"]
    assert (toys.get("ball").name, toys.get("ball").title) == ("ball", "ball")
    assert toys.get("cone").title == "a cone"
    assert toys.get("cone").__module__ == "toy_package.solids"
    assert toys.file("cone").name == "solids.py"


def test_the_file_of_its_name_is_enough_for_an_entry(write):
    toys = write(ball=BALL, heavy="raise RuntimeError('imported')")
    assert toys.get("ball").name == "ball"
    with pytest.raises(RuntimeError, match="imported"):
        toys.names()


def test_an_entry_in_a_subfolder_is_found(write):
    toys = write(round__in____init__="", round__in__ball=BALL)
    assert toys.get("ball").__module__ == "toy_package.round.ball"


def test_two_entries_of_one_name_are_an_error(write):
    toys = write(ball=BALL, solids=TWO.replace("cube", "ball"))
    with pytest.raises(UserError, match=r"toy 'ball' is defined twice: Ball in .*ball.py and Cube"):
        toys.names()


def test_an_unknown_name_is_named_with_the_nearest(write):
    toys = write(ball=BALL, solids=TWO)
    message = r"unknown toy 'bal'. Did you mean 'ball'\? Known: ball, cone, cube."
    with pytest.raises(UserError, match=message):
        toys.get("bal")


def install(folder, value: str) -> None:
    """A package as pip leaves it, with an entry point of the group `sslslr.toy_package`."""
    (folder / "other_package.py").write_text("class Top:\n    pass\n")
    metadata = folder / "other_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[sslslr.toy_package]\ntop = {value}\n")


def test_an_installed_package_adds_an_entry(write, tmp_path):
    toys = write(ball=BALL)
    install(tmp_path, "other_package:Top")
    assert toys.get("top").__module__ == "other_package"
    assert toys.names() == ["ball", "top"]


def test_an_installed_package_that_is_broken_is_named(write, tmp_path):
    toys = write(ball=BALL)
    install(tmp_path, "other_package:Gone")
    with pytest.raises(UserError, match="toy 'top' of the installed package 'other-package'"):
        toys.get("top")


def test_a_file_of_the_environment_adds_an_entry(write, tmp_path, monkeypatch):
    toys = write(ball=BALL)
    (tmp_path / "top.py").write_text("from toy_package import TOYS\n" + BALL.replace("Ball", "Top"))
    monkeypatch.setenv(EXTENSIONS, str(tmp_path / "top.py"))
    assert toys.get("top").__qualname__ == "Top"


def test_a_file_that_is_not_there_is_an_error(write, tmp_path, monkeypatch):
    toys = write(ball=BALL)
    monkeypatch.setenv(EXTENSIONS, str(tmp_path / "top.py"))
    with pytest.raises(UserError, match="extensions: .*top.py is no Python file"):
        toys.names()
