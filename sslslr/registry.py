"""Registries by file name: `sslslr/methods/byol.py` is the method `byol`, and no list is edited.

A module of a registry package defines one class and marks it with `@register`. Files that begin
with an underscore are helpers. Modules are imported only when asked for, so that a list of names
costs no import of torch.
"""

import ast
import contextlib
import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from sslslr.errors import UserError, nearest


class Registry:
    """Names to classes, one file each, in `package`.

    Args:
        package: dotted name, for example `sslslr.methods`.
        kind: what an entry is called in an error, for example "method".
    """

    def __init__(self, package: str, kind: str):
        self.package, self.kind = package, kind
        self._classes: dict[str, Any] = {}

    def register(self, entry: Any) -> Any:
        """Class decorator; the entry's name is its module's file name."""
        name = entry.__module__.rpartition(".")[2]
        entry.name = name
        self._classes[name] = entry
        return entry

    def add(self, name: str, entry: Any) -> Callable[[], None]:
        """Register an entry from outside the package (a test, a notebook); call the result to undo."""
        entry.name = name
        self._classes[name] = entry
        return lambda: self._classes.pop(name, None)

    def names(self) -> list[str]:
        """All names, sorted, without importing the modules."""
        package = importlib.import_module(self.package)
        files = {m.name for m in pkgutil.iter_modules(package.__path__) if m.name[0] != "_"}
        return sorted(files | set(self._classes))

    def module(self, name: str) -> str:
        """Dotted module name of an entry, for code hashes."""
        return f"{self.package}.{name}"

    def get(self, name: str) -> Any:
        """The class called `name`.

        Raises:
            UserError: unknown name; the nearest known one is named.
        """
        if name not in self._classes:
            self._check(name)
            importlib.import_module(self.module(name))
        return self._classes[name]

    def _check(self, name: str) -> None:
        if name not in self.names():
            raise UserError(f"unknown {self.kind} {name!r}. {nearest(name, self.names())}")

    def traits(self, name: str) -> dict[str, Any]:
        """The literal `TRAITS = {...}` of an entry's module, read without importing it.

        The workflow builds its graph from traits (does this method pretrain?), and must not wait
        for torch to do so.

        Raises:
            UserError: unknown name.
        """
        self._check(name)
        package = importlib.import_module(self.package)
        file = Path(package.__path__[0], f"{name}.py")
        if not file.is_file():  # added from outside the package
            return dict(getattr(self._classes[name], "TRAITS", {}))
        return _literal(ast.parse(file.read_text(encoding="utf-8")), "TRAITS")

    def settled(self, name: str, options: dict[str, Any]) -> dict[str, Any]:
        """Options with the entry's own defaults filled in, read without importing it.

        Defaults that are no literals stay out. Where a module has `VARIANTS = {...}`, what the
        option `variant` stands for counts before the defaults of the fields.
        """
        self._check(name)
        package = importlib.import_module(self.package)
        file = Path(package.__path__[0], f"{name}.py")
        if not file.is_file():  # added from outside the package
            fields = self._classes[name].Options.model_fields
            stated = {
                key: field.default for key, field in fields.items() if not field.is_required()
            }
            return {**stated, **options}
        stated, variants = _stated_defaults(file)
        variant = options.get("variant", stated.get("variant"))
        return {**stated, **variants.get(variant, {}), **options}


def _literal(tree: ast.Module, name: str) -> dict[str, Any]:
    """The dictionary that a module assigns to `name`; empty if it does not."""
    for node in tree.body:
        target = getattr(node, "target", None) or getattr(node, "targets", [None])[0]
        if isinstance(node, ast.Assign | ast.AnnAssign) and getattr(target, "id", "") == name:
            return ast.literal_eval(node.value) if node.value else {}
    return {}


@cache
def _stated_defaults(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the class `Options` in a file, `key: type = Field(default, ...)` or `= default`; VARIANTS."""
    tree, found = ast.parse(file.read_text(encoding="utf-8")), {}
    options = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == "Options"]
    for node in options[0].body if options else []:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            value = node.value
            if isinstance(value, ast.Call):
                value = value.args[0] if value.args else None
            with contextlib.suppress(ValueError):  # no literal
                if value is not None:
                    found[node.target.id] = ast.literal_eval(value)
    return found, _literal(tree, "VARIANTS")
