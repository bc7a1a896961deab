"""One registry for all that a study names: methods, transforms, protocols, tables and so on.

An entry is a class that is marked with its registry's `register`. It stands in any file below the
registry's folder whose name has no leading underscore, and no list is edited:

    @register
    class Byol(Method): ...                 # in byol.py: the method `byol`

    @register
    class OneMore(Method):                  # a file may hold several, each with its name
        name = "one_more"

Entries of another package are found through its entry points (group `sslslr.methods` and so on;
each names a module or a class), those of a single file through the environment
(`SSLSLR_EXTENSIONS`). Files are imported when an entry is asked for, not before.
"""

import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from sslslr.utils.errors import UserError, nearest

EXTENSIONS = "SSLSLR_EXTENSIONS"  # environment: further files, separated as PATH is
_EXTENSION_PACKAGE = "sslslr_extensions"  # what those files are modules of


class Registry:
    """Classes by name.

    Args:
        package: dotted name of the folder, for example `sslslr.methods`.
        kind: noun for an entry in an error, for example "method".
        group: group of entry points; the package's last part after `sslslr.` by default.
    """

    def __init__(self, package: str, kind: str, group: str | None = None):
        self.package, self.kind = package, kind
        self.group = group or f"sslslr.{package.rpartition('.')[2]}"
        self._classes: dict[str, Any] = {}
        self._complete = False

    def register(self, entry: Any) -> Any:
        """Class decorator; the entry's name is its own attribute `name`, else that of its file.

        An entry without a `title` gets its name for one.
        """
        name = vars(entry).get("name") or entry.__module__.rpartition(".")[2]
        former = self._classes.get(name, entry)
        if (former.__module__, former.__qualname__) != (entry.__module__, entry.__qualname__):
            raise UserError(
                f"{self.kind} {name!r} is defined twice: {_place(former)} and {_place(entry)}. "
                "Give one of the classes another `name`."
            )
        entry.name, entry.title = name, vars(entry).get("title") or name.replace("_", " ")
        self._classes[name] = entry
        return entry

    def names(self) -> list[str]:
        """All names, sorted; imports every entry."""
        return sorted(self.classes())

    def classes(self) -> dict[str, Any]:
        """All entries by name, sorted by it; imports every entry."""
        if not self._complete:
            package = importlib.import_module(self.package)
            for module in pkgutil.walk_packages(package.__path__, f"{self.package}."):
                if not any(part.startswith("_") for part in module.name.split(".")):
                    importlib.import_module(module.name)
            _import_extensions()
            for point in entry_points(group=self.group):
                self._load(point)
            self._complete = True
        return dict(sorted(self._classes.items()))

    def get(self, name: Any) -> Any:
        """The class called `name`.

        Raises:
            UserError: unknown name; the nearest known one is named.
        """
        if name not in self:
            raise UserError(f"unknown {self.kind} {name!r}. {nearest(str(name), self.names())}")
        return self._classes[name]

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        if name not in self._classes:
            self._import_file(name)  # most entries stand in the file of their name
        return name in self._classes or name in self.classes()

    def file(self, name: str) -> Path:
        """Source file that defines an entry."""
        return Path(inspect.getfile(self.get(name)))

    def _import_file(self, name: str) -> None:
        module = f"{self.package}.{name}"
        if name.isidentifier() and name[0] != "_" and importlib.util.find_spec(module):
            importlib.import_module(module)

    def _load(self, point: Any) -> None:
        """Import what an entry point names; a class that did not register itself has its name."""
        try:
            entry = point.load()
        except Exception as error:
            raise UserError(
                f"{self.kind} {point.name!r} of the installed package {point.dist.name!r} cannot be "
                f"imported ({point.value}: {error}). Mend the package or uninstall it."
            ) from error
        if inspect.isclass(entry) and entry not in self._classes.values():
            entry.name = vars(entry).get("name") or point.name
            self.register(entry)


def _place(entry: Any) -> str:
    return f"{entry.__qualname__} in {inspect.getfile(entry)}"


def _import_extensions() -> None:
    """Import the files of the environment's `EXTENSIONS`, each once a process.

    Raises:
        UserError: a file that is not there.
    """
    for path in map(Path, filter(None, os.environ.get(EXTENSIONS, "").split(os.pathsep))):
        name = f"{_EXTENSION_PACKAGE}.{path.stem}"
        if name in sys.modules:
            continue
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise UserError(f"extensions: {path} is no Python file.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
