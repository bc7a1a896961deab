"""The data sets, one file each: where it comes from, its licence, its split, how it becomes clips.

A data set is a class marked `@register` with

    Options            a pydantic model (`Strict`) of its settings
    card               dict: languages, licence, citation, origin, split_rule (for card.json)
    size               str, what a download costs, for people ("96 MB"); "" for no download
    consent            str, the licence's id where it wants to be accepted ("C-UDA"); may be absent
    published(options) number of clips as published or listed, or None, for estimates before it is built; may be absent
    inputs(options)    local files it reads (list of Path), empty where it downloads or generates
    download(options, raw, settings)    fetch into the folder `raw` as `settings`
                                   (`sslslr.http_client.Settings`) say; only where TRAITS say so
    build(options, raw, writer)    read `raw` (None where nothing is downloaded), add clips to the
                                   ClipWriter, list what it leaves out with `writer.drop`

TRAITS = {"downloads": True} is a literal at the module's top, read without importing it.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sslslr.errors import UserError
from sslslr.registry import Registry
from sslslr.strict import parse

MOST_INPUTS = 20  # beyond these a card names one hash of all
DATASETS = Registry("sslslr.datasets", "data set")
register = DATASETS.register


def options_of(source: str, values: dict[str, Any], where: str = "options") -> Any:
    """Validate a data set's options; raises UserError naming the key."""
    return parse(DATASETS.get(source).Options, values, where)


def download(source: str, values: dict[str, Any], raw: Path, settings: Any = None) -> None:
    """Fetch a data set's raw files into `raw`; whole files or none. Its licence is said first.

    Args:
        settings: a :class:`sslslr.http_client.Settings`; None for its defaults.

    Raises:
        UserError: a licence that was not accepted, no network, a checksum that differs, a full
            disk, a data set without download.
    """
    from sslslr.http_client import Settings

    entry, settings = DATASETS.get(source), settings or Settings()
    options = options_of(source, values)
    if not DATASETS.traits(source).get("downloads"):
        advice = "build it with `sslslr data build`"
        raise UserError(f"data set {source!r} downloads nothing; {advice}.")
    for line in notice(source):
        settings.say(line)
    wanted = getattr(entry, "consent", "")
    if wanted and wanted not in settings.accepted:
        raise UserError(
            f"data set {source!r}: its licence wants your consent. Read it ({entry.card['licence']}); "
            f"if you accept it, add {wanted!r} to accept_licences in the study's configuration, or "
            f"give `--accept-licence {wanted}`. Nothing was downloaded."
        )
    entry.download(options, Path(raw), settings)


def notice(source: str) -> list[str]:
    """What a person is told before a download: licence, citation, size, split."""
    entry = DATASETS.get(source)
    told = {**entry.card, "download": entry.size}
    keys = ("licence", "citation", "download", "split_rule")
    return [f"{source}: {key.replace('_', ' ')}: {told[key]}" for key in keys if told.get(key)]


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
    files = entry.inputs(options)
    plain = len({file.name for file in files}) == len(files)
    inputs = {file.name if plain else file.as_posix(): sha256_of(file) for file in files}
    if len(inputs) > MOST_INPUTS:
        lines = "".join(f"{name} {sha256}\n" for name, sha256 in sorted(inputs.items()))
        inputs = {f"{len(inputs)} files": hashlib.sha256(lines.encode()).hexdigest()}
    with writing(out, {"dataset": name, **entry.card, "inputs": inputs}, on_bad="drop") as writer:
        entry.build(options, Path(raw) if raw is not None else None, writer)
    for line in writer.summary():
        say(line)
