"""What of a study's configuration is published: in the report, in provenance.json and in the archive.

Settings that decide nothing of the results stay at home, and of a local path only its last part is
told. An address with a password never comes so far (`sslslr.config.settings.parse` refuses it).
"""

import re
from collections.abc import Iterator
from typing import Any

from sslslr.utils.download.addresses import ADDRESS, public

# Where files are kept, what was agreed to, what a scheduler is asked for.
AT_HOME = ("downloads", "accept_licences", "resources")
# The beginnings of a path that leads out of the study's folder, on any system.
LOCAL = re.compile(
    r"(/|~|(\$\{?|%)\w+[%}]?[/\\]|(\w[^\s/\\:]*[/\\]+|\.[/\\]+)*\.\.([/\\]|$)|[a-z]:[/\\]|\\\\|file:/).*",
    re.IGNORECASE,
)


def published(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration, as plain values, without what is nobody's business.

    A study can be made of it again, but for the places of local files, which have only their names.
    """
    kept = {key: value for key, value in config.items() if key not in AT_HOME}
    if "threads" in config.get("resources", {}):  # sums in another order: the one that can tell
        kept["resources"] = {"threads": config["resources"]["threads"]}
    return {key: _without_places(value) for key, value in kept.items()}


def local_places(value: Any, key: str = "") -> Iterator[str]:
    """Dotted keys, below `key`, of values that lead out of the study's folder."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from local_places(entry, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from local_places(entry, key)
    elif isinstance(value, str) and LOCAL.fullmatch(value):
        yield key


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_places(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_places(entry) for entry in value]
    if not isinstance(value, str):
        return value
    if LOCAL.fullmatch(value):
        return re.split(r"[/\\]", value.rstrip("/\\"))[-1] or "local"
    return public(value) if ADDRESS.fullmatch(value) else value
