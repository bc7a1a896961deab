"""The data sets, one file each: where it comes from, its licence, its split, how it becomes clips.

A data set is a subclass of :class:`Dataset` marked `@register`; see docs/extend.md.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from sslslr.config.settings import Settings, parse
from sslslr.utils.errors import UserError
from sslslr.utils.registry import Registry
from sslslr.utils.user_files import shown

DATASETS = Registry("sslslr.data.datasets", "data set")
register = DATASETS.register


class Dataset:
    """Base of all data sets; it is never instantiated."""

    name: ClassVar[str]
    title: ClassVar[str]  # in tables and figures
    Options: ClassVar[type[Settings]]  # its settings
    card: ClassVar[dict[str, Any]]  # languages, licence, citation, origin, split_rule
    downloads: ClassVar[bool] = False
    extracts: ClassVar[bool] = False  # are keypoints estimated from videos first?
    size: ClassVar[str] = ""  # what a download costs, for people ("96 MB")
    hashes_inputs: ClassVar[bool] = False  # `build` names what it read in writer.card["inputs"]
    consent: ClassVar[str] = ""  # the licence's id where it wants to be accepted ("C-UDA")

    @staticmethod
    def published(options: Any) -> int | None:
        """Number of clips as published or listed, if known: for estimates before it is built."""
        return None

    @staticmethod
    def members(options: Any) -> dict[str, float]:
        """Data sets of the study that it is made of, each with the share of its training clips (a pool).

        Its `raw` is then the folder of all clip stores, `raw/NAME/clips`.
        """
        return {}

    @staticmethod
    def inputs(options: Any) -> list[Path]:
        """Local files that it reads; none where it downloads or generates."""
        return []

    @staticmethod
    def download(options: Any, raw: Path, settings: Any) -> None:
        """Fetch into the folder `raw` as `settings` (`sslslr.utils.download.http.DownloadSettings`) say."""
        raise NotImplementedError

    @staticmethod
    def build(options: Any, raw: Path | None, writer: Any) -> None:
        """Read `raw` (None: nothing was downloaded) and add clips to the ClipWriter.

        What is left out is listed with `writer.drop`.
        """
        raise NotImplementedError


def options_of(source: str, values: dict[str, Any], where: str = "options") -> Any:
    """Validate a data set's options; raises UserError naming the key."""
    return parse(DATASETS.get(source).Options, values, where)


def download(source: str, values: dict[str, Any], raw: Path, settings: Any = None) -> None:
    """Fetch a data set's raw files into `raw`; whole files or none. Its licence is said first.

    Args:
        settings: a :class:`sslslr.utils.download.http.DownloadSettings`; None for its defaults.

    Raises:
        UserError: a licence that was not accepted, no network, a checksum that differs, a full
            disk, a data set without download.
    """
    from sslslr.utils.download.http import DownloadSettings

    entry, settings = DATASETS.get(source), settings or DownloadSettings()
    options = options_of(source, values)
    if not entry.downloads:
        advice = "build it with `sslslr data build`"
        raise UserError(f"data set {source!r} downloads nothing; {advice}.")
    for line in notice(source):
        settings.say(line)
    if entry.consent and entry.consent not in settings.accepted:
        raise UserError(
            f"data set {source!r}: its licence wants your consent. Read it ({entry.card['licence']}); "
            f"if you accept it, add {entry.consent!r} to accept_licences in the study's configuration, or "
            f"give `--accept-licence {entry.consent}`. Nothing was downloaded."
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
    **rules: Any,
) -> None:
    """Make the clip store of data set `name` at `out`; says what was kept and what was dropped.

    Args:
        rules: of :class:`sslslr.data.store.ClipWriter`; bad clips are dropped unless they say otherwise.

    Raises:
        UserError: see the data set; the store is whole or absent.
    """
    from sslslr.data.clip_table import DATASET
    from sslslr.data.deal import Deal
    from sslslr.data.store import writing
    from sslslr.utils.files import few_hashes, sha256_of

    if not re.fullmatch(DATASET, name):
        raise UserError(
            f"--name {shown(name)}: letters, digits and ' .+()-_' alone, with a letter or digit first."
        )
    entry = DATASETS.get(source)
    options = options_of(source, values)
    files = [] if entry.hashes_inputs else entry.inputs(options)
    # Names alone where they tell the files apart; never where the files lie on this machine.
    plain = len({file.name for file in files}) == len(files)
    base = Path() if plain else Path(os.path.commonpath([file.absolute().parent for file in files]))
    inputs = {
        file.name if plain else file.absolute().relative_to(base).as_posix(): sha256_of(file)
        for file in files
    }
    card = {"dataset": name, **entry.card, "inputs": few_hashes(inputs)}
    with writing(out, card, **{"on_bad": "drop", **rules}) as writer:
        if isinstance(options, Deal):
            writer.deal = options
        entry.build(options, Path(raw) if raw is not None else None, writer)
    for line in writer.summary():
        say(line)
