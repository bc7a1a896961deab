"""Which source files a stage runs, and a hash of them.

Code that a rule runs through `shell:` is invisible to Snakemake: without help an edit would re-run
nothing. Each rule therefore has `params: code=code_hash(...)`, and each stage of `dvc.yaml` lists
the same files. The files are found by following `import sslslr...` statements in the sources (also
those inside functions), without importing anything. A registry's entries are not imported by name,
so they are given as further roots: a run of `sl_fpn` does not depend on `simclr.py`.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
ROOT = PACKAGE.parent


def _file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    if (path / "__init__.py").is_file():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").is_file() else None


@cache
def _imports(path: Path) -> frozenset[str]:
    """Dotted names within this package that a source file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(name for name in found if name.split(".")[0] == PACKAGE.name)


@cache
def sources(*modules: str) -> tuple[str, ...]:
    """Source files that `modules` run, imports included, relative to the repository, sorted.

    Raises:
        ValueError: a module that does not exist.
    """
    files: dict[str, Path] = {}
    todo = list(modules)
    for module in modules:
        if _file(module) is None:
            raise ValueError(f"{module}: there is no such module in {PACKAGE}")
    while todo:
        module = todo.pop()
        path = _file(module)
        if module in files or path is None:
            continue
        files[module] = path
        parents = module.split(".")
        todo += [".".join(parents[:i]) for i in range(1, len(parents))]
        todo += _imports(path)
    data = [p for p in PACKAGE.glob("report/*.jinja") if f"{PACKAGE.name}.report.html" in files]
    return tuple(sorted({str(p.relative_to(ROOT)) for p in [*files.values(), *data]}))


@cache
def code_hash(*modules: str) -> str:
    """A short sha256 of the sources that `modules` run."""
    digest = hashlib.sha256()
    for name in sources(*modules):
        digest.update(f"{name}\0".encode())
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()[:16]
