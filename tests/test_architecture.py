"""Modules import in one direction; the library knows nothing of Snakemake; no module grows too long."""

import ast

import pytest

from toys import ROOT

# Left to right; a module may import from those before it (see docs/decisions.md).
ORDER = [
    "errors", "files", "guard", "seals", "skeleton", "strict", "yaml_file", "config", "registry", "membership",
    "clip_writer", "clips", "npz", "importing", "progress", "archives", "checksums",
    "http_client", "download", "unpickle", "pose", "datasets", "extracting", "batch", "preprocess", "augment",
    "seeds", "encoder", "collapse", "methods", "hardware", "grid", "estimate", "groups", "artifacts",
    "shared_joints", "training", "pretrain", "stacking", "statistics", "paired", "protocols", "splitting",
    "evaluate", "claims", "report", "codehash", "stages",
    "commands", "trace", "study", "slurm", "joblock", "cli", "__main__",
]  # fmt: skip
MODULES = sorted(path for path in (ROOT / "sslslr").rglob("*.py"))


def imported(path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    parts = path.relative_to(ROOT / "sslslr").with_suffix("").parts
    own = parts[0]
    if own == "__init__":
        return
    assert own in ORDER, f"give {own} a place in ORDER"
    for name in imported(path):
        assert name.split(".")[0] not in {"snakemake", "dvc"}, (
            "the library knows nothing of the workflow"
        )
        other = name.split(".")[1] if name.startswith("sslslr.") else None
        if other in ORDER and other != own:
            assert ORDER.index(other) < ORDER.index(own), f"{own} must not import {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_has_a_docstring_and_fits_350_lines(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "a module says what it is"
    assert len(text.splitlines()) <= 350
