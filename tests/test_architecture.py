"""Rooms import in one direction; the library knows nothing of Snakemake; no module grows too long."""

import ast

from toys import ROOT

# Left to right: a room imports from those before it (docs/design.md).
ROOMS = [
    "utils", "config", "pose", "data", "statistics", "augment", "encoders", "methods", "training",
    "evaluation", "use", "report", "workflow", "provenance", "cli",
]  # fmt: skip
MODULES = sorted((ROOT / "sslslr").rglob("*.py"))


def imported(path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_rooms_import_in_one_direction():
    folders = {
        path.parts[len(ROOT.parts) + 1] for path in MODULES if path.parent != ROOT / "sslslr"
    }
    assert folders == set(ROOMS), "every folder is a room with a place in ROOMS"
    wrong = []
    for path in MODULES:
        room = path.relative_to(ROOT / "sslslr").parts[0]
        for name in imported(path) if room in ROOMS else ():
            top, _, rest = name.partition(".")
            other = rest.split(".")[0] if top == "sslslr" else None
            backwards = other in ROOMS and ROOMS.index(other) > ROOMS.index(room)
            if top in {"snakemake", "dvc"} or backwards:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_a_module_has_a_docstring_and_fits_350_lines():
    wrong = []
    for path in MODULES:
        text = path.read_text()
        if not ast.get_docstring(ast.parse(text)):
            wrong.append(f"{path.relative_to(ROOT)} does not say what it is")
        if (lines := len(text.splitlines())) > 350:
            wrong.append(f"{path.relative_to(ROOT)} has {lines} lines")
    assert not wrong
