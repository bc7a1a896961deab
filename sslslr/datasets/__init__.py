"""The data sets, one file each: where it comes from, its licence, its split, how it becomes clips.

A data set is a class marked `@register` with

    Options            a pydantic model (`Strict`) of its settings
    card               dict: languages, licence, citation, origin, split_rule (for card.json)
    size               str, what a download costs, for people ("96 MB"); "" for no download
    inputs(options)    local files it reads (list of Path), empty where it downloads or generates
    download(options, raw)         fetch into the folder `raw`; only where TRAITS say so
    build(options, raw, writer)    read `raw` (None where nothing is downloaded), add clips to the
                                   ClipWriter, list what it leaves out with `writer.drop`

TRAITS = {"downloads": True} is a literal at the module's top, read without importing it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sslslr.errors import UserError
from sslslr.registry import Registry
from sslslr.strict import parse

DATASETS = Registry("sslslr.datasets", "data set")
register = DATASETS.register


def options_of(source: str, values: dict[str, Any], where: str = "options") -> Any:
    """Validate a data set's options; raises UserError naming the key."""
    return parse(DATASETS.get(source).Options, values, where)


def download(source: str, values: dict[str, Any], raw: Path) -> None:
    """Fetch a data set's raw files into `raw`; whole files or none.

    Raises:
        UserError: no network, a checksum that differs, a full disk, a data set without download.
    """
    entry = DATASETS.get(source)
    options = options_of(source, values)
    if not DATASETS.traits(source).get("downloads"):
        advice = "build it with `sslslr data build`"
        raise UserError(f"data set {source!r} downloads nothing; {advice}.")
    entry.download(options, Path(raw))


def build(
    name: str,
    source: str,
    values: dict[str, Any],
    out: Path,
    raw: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Make the clip store of data set `name` at `out`; says what was kept and what was dropped.

    Raises:
        UserError: see the data set; the store is whole or absent.
    """
    from sslslr.clips import writing
    from sslslr.files import sha256_of

    entry = DATASETS.get(source)
    options = options_of(source, values)
    inputs = {file.name: sha256_of(file) for file in entry.inputs(options)}
    with writing(out, {"dataset": name, **entry.card, "inputs": inputs}, on_bad="drop") as writer:
        entry.build(options, Path(raw) if raw is not None else None, writer)
    for line in writer.summary():
        say(line)
