"""Code hashes: an edit of any source that a stage runs changes them, another does not."""

import pytest

from sslslr import codehash, stages
from sslslr.config import load
from toys import ROOT


def test_sources_follow_imports_but_not_other_entries_of_a_registry():
    files = codehash.sources("sslslr.pretrain", "sslslr.methods.sl_fpn")
    for expected in (
        "pretrain.py",
        "methods/sl_fpn.py",
        "methods/_base.py",
        "augment/base.py",
        "clips.py",
        "files.py",
    ):
        assert f"sslslr/{expected}" in files
    for other in ("methods/random.py", "report/tables.py", "evaluate.py", "datasets/synthetic.py"):
        assert f"sslslr/{other}" not in files


def test_hash_is_of_the_content(tmp_path, monkeypatch):
    package = tmp_path / "sslslr"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def f():\n    from sslslr import b\n    return b\n")
    (package / "b.py").write_text("x = 1\n")
    (package / "c.py").write_text("x = 1\n")
    monkeypatch.setattr(codehash, "PACKAGE", package)
    monkeypatch.setattr(codehash, "ROOT", tmp_path)

    def fresh() -> str:
        for cached in (codehash._imports, codehash.sources, codehash.code_hash):
            cached.cache_clear()
        return codehash.code_hash("sslslr.a")

    before = fresh()
    (package / "c.py").write_text("x = 2\n")
    assert fresh() == before
    (package / "b.py").write_text("x = 2\n")
    assert fresh() != before
    for cached in (codehash._imports, codehash.sources, codehash.code_hash):
        cached.cache_clear()


def test_an_unknown_module_is_an_error():
    with pytest.raises(ValueError, match=r"sslslr.nowhere: there is no such module"):
        codehash.sources("sslslr.nowhere")


def test_every_stage_has_sources_and_all_of_them_exist():
    found = stages.stage_sources(load(ROOT / "config/demo.yaml"))
    assert list(found) == list(stages.STAGES)
    for stage, files in found.items():
        assert files, stage
        assert all((ROOT / file).is_file() for file in files)
    assert "sslslr/methods/sl_fpn.py" in found["pretrain"]
    assert "sslslr/protocols/linear.py" in found["evaluate"]
    assert "sslslr/datasets/fingerspelling.py" in found["download"]
