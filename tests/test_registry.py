"""Registries: one file is one entry; traits are read without importing."""

import sys

import pytest

from sslslr.errors import UserError
from sslslr.methods import METHODS
from sslslr.registry import Registry


@pytest.fixture
def toy_registry(tmp_path, monkeypatch):
    package = tmp_path / "toy_package"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from sslslr.registry import Registry\nTOYS = Registry('toy_package', 'toy')\n"
    )
    (package / "_helper.py").write_text("")
    (package / "ball.py").write_text(
        "from toy_package import TOYS\nTRAITS = {'round': True}\n@TOYS.register\nclass Ball:\n    pass\n"
    )
    (package / "heavy.py").write_text("TRAITS = {'round': False}\nraise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("toy_package").TOYS
    for name in [name for name in sys.modules if name.startswith("toy_package")]:
        del sys.modules[name]


def test_a_file_is_an_entry(toy_registry):
    assert toy_registry.names() == ["ball", "heavy"]
    assert toy_registry.get("ball").name == "ball"


def test_traits_are_read_without_importing(toy_registry):
    assert toy_registry.traits("heavy") == {"round": False}
    assert toy_registry.traits("ball") == {"round": True}


def test_an_unknown_name_is_named_with_the_nearest(toy_registry):
    with pytest.raises(
        UserError, match=r"unknown toy 'bal'. Did you mean 'ball'\? Known: ball, heavy."
    ):
        toy_registry.get("bal")


def test_an_entry_from_outside_can_be_added_and_taken_back():
    class Extra:
        TRAITS = {"pretrains": False}

    undo = METHODS.add("extra", Extra)
    assert METHODS.get("extra") is Extra
    assert METHODS.traits("extra") == {"pretrains": False}
    undo()
    assert "extra" not in METHODS.names()
    assert isinstance(METHODS, Registry)
