"""Words before a webcam: public repositories of keypoints, a signer each, as MediaPipe's tutorials save them.

Students follow one tutorial: 20 or 30 frames a clip, all landmarks of a frame in `ROOT/SIGN/CLIP/FRAME.npy`.
A repository is fetched at one commit as an archive, and read by the reader of that layout (`frames`). Who
signs, in which language, and which split the clips are of, is said by the study: repositories do not.

Most state no licence: the set wants consent, and nothing of it may be passed on. The sha256 of each archive
is recorded at its first download; a server that packs archives anew may change it, though not the files.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pandas as pd
from pydantic import BeforeValidator, Field, model_validator

from sslslr.config.settings import Settings, parse
from sslslr.data.datasets import Dataset, register
from sslslr.data.datasets._openhands import download, raw_folder
from sslslr.data.deal import Deal
from sslslr.data.import_keypoints import add
from sslslr.data.opened import Opened, survey
from sslslr.data.opened import Options as LocalOptions
from sslslr.data.readers import READERS, Unit
from sslslr.data.source import Row
from sslslr.data.writer import ClipWriter
from sslslr.utils.archives import ENDINGS, Members, open_members
from sslslr.utils.download.fetch import File
from sslslr.utils.download.http import DownloadSettings
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of
from sslslr.utils.progress import advancing

GITHUB = "https://codeload.github.com/{repository}/zip/{commit}"


class Repository(Settings):
    """A folder of signs in a repository at one commit."""

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="OWNER/NAME.")
    commit: str = Field(
        pattern=r"^[0-9a-f]{40}$", description="Of 40 letters: a branch would change."
    )
    root: str = Field(pattern=r"^[^/\\][^\\]*$", description="Folder of the signs within it.")
    language: str = Field(description="Sign language, ISO 639-3.")
    signer: str | None = Field(None, description="Who signs; left out: not known.")
    split: Literal["train", "val", "test"] | None = Field(None, description="Left out: none.")
    signs: Annotated[
        list[str], BeforeValidator(lambda v: v.split() if isinstance(v, str) else v)
    ] = Field([], description="The only signs to take; left out: every folder.")

    @property
    def label(self) -> str:
        """What its clips' ids begin with."""
        return self.signer or f"{self.repository}/{self.root.strip('/')}"


class WebcamOptions(Deal):
    repositories: list[Repository] = Field([], description="The repositories, one a signer.")
    table: str | None = Field(
        None,
        description="CSV of them instead: repository, commit, root, language and, where known, signer, split, "
        "signs (blanks between), set.",
    )
    set: str | None = Field(
        None, description="The rows of the table with this in the column `set`."
    )
    address: str = Field(
        GITHUB, description="Of an archive (zip or tar): {repository} and {commit} are filled in."
    )
    mirror: str | None = Field(None, description="Address or folder that holds the same archives.")
    files: dict[str, str] = Field({}, description="Single archives: name to an address or a copy.")
    aspect: float | None = Field(
        None, gt=0.05, lt=20, description="Of the images, where it is known."
    )
    licence: str = Field("none stated", description="Shown in the report.")

    @model_validator(mode="after")
    def _names_them(self) -> Self:
        if bool(self.repositories) == bool(self.table):
            raise ValueError("name `repositories` or a `table` of them")
        if not all(f"{{{key}}}" in self.address for key in ("repository", "commit")):
            raise ValueError("address must hold {repository} and {commit}")
        return self


def repositories(options: WebcamOptions) -> list[Repository]:
    """The repositories, of the options or of their table.

    Raises:
        UserError: a table that is absent or wrong, by its row.
    """
    if options.table is None:
        return options.repositories
    try:
        rows = pd.read_csv(options.table, dtype=str, keep_default_na=False).to_dict("records")
    except (OSError, ValueError) as error:
        raise UserError(f"{options.table}: cannot be read as a table ({error}).") from None
    found = [
        parse(
            Repository,
            {str(key): value for key, value in row.items() if value and key != "set"},
            f"{options.table}, row {number}",
        )
        for number, row in enumerate(rows, start=2)
        if options.set is None or row.get("set") == options.set
    ]
    if not found:
        of_set = f" with the set {options.set!r}" if options.set else ""
        raise UserError(f"{options.table}: has no row{of_set}.")
    return found


def archive(options: WebcamOptions, entry: Repository) -> File:
    """What is downloaded for a repository; several roots of one commit share it."""
    address = options.address.format(repository=entry.repository, commit=entry.commit)
    ending = next((end for end in ENDINGS if address.lower().endswith(end)), ".zip")
    return File(f"{entry.repository.replace('/', '--')}-{entry.commit[:12]}{ending}", address)


@register
class WebcamWords(Dataset):
    downloads = True
    consent = "NONE-STATED"
    size = "1 to 200 MB a repository"
    hashes_inputs = True
    Options = WebcamOptions
    card = {  # noqa: RUF012
        "languages": [],
        "licence": "none stated by most of the repositories: not to be passed on",
        "citation": "",
        "origin": "MediaPipe keypoints of public repositories.",
        "split_rule": "as the study says, by repository",
    }

    @staticmethod
    def inputs(options: WebcamOptions) -> list[Path]:
        return [Path(options.table)] if options.table else []

    @classmethod
    def files(cls, options: WebcamOptions) -> list[File]:
        """The archives, each once."""
        return list(dict.fromkeys(archive(options, entry) for entry in repositories(options)))

    @classmethod
    def download(cls, options: WebcamOptions, raw: Path, settings: DownloadSettings) -> None:
        download(cls.name, cls.files(options), options, raw, settings)

    @classmethod
    def build(cls, options: WebcamOptions, raw: Path | None, writer: ClipWriter) -> None:
        files, entries = cls.files(options), repositories(options)
        folder = raw_folder(cls.name, raw, files)
        inputs = {file.name: sha256_of(folder / file.name) for file in files}
        recognised: dict[str, list[str]] = {}
        with advancing(f"{writer.card['dataset']}: repositories", len(entries)) as advance:
            for entry in entries:
                recognised[entry.label] = _add(options, entry, folder, writer)
                advance(1)
        names = ", ".join(dict.fromkeys(f"{e.repository} at {e.commit[:12]}" for e in entries))
        writer.card |= {
            "languages": sorted({entry.language for entry in entries}),
            "licence": options.licence,
            "origin": f"{cls.card['origin']} {names}.",
            "inputs": inputs,
            "conversion": {"recognised": recognised},
        }


def _add(options: WebcamOptions, entry: Repository, folder: Path, writer: ClipWriter) -> list[str]:
    """Add the clips of a repository; returns how its numbers were understood."""
    path = folder / archive(options, entry).name
    with open_members(path) as members:
        rows = list(_rows(entry, members, writer))
        if not rows:
            raise UserError(
                f"{path}: {entry.repository} at {entry.commit[:12]} has no {entry.root}/SIGN/CLIP/FRAME.npy"
                + (f" of the signs {', '.join(entry.signs)}." if entry.signs else ".")
            )
        local = LocalOptions(folder=str(path), language=entry.language, aspect=options.aspect)
        units = [row.unit for row in rows if row.unit is not None]
        source = Opened(local, path, [], members, units, rows, [])
        survey(source)
        for row in rows:
            add(source, row, writer)
        for line in source.tally.warnings(local.exchange_hands):
            writer.notes.append(f"{writer.card['dataset']}: {entry.label}: {line}")
    return source.why


def _rows(entry: Repository, members: Members, writer: ClipWriter) -> Iterator[Row]:
    """A row a clip of a repository; a sign that it lacks is said."""
    wanted, lacking = {_plain(sign): sign for sign in entry.signs}, set(entry.signs)
    for unit, sign, clip in _clips(entry, members):
        gloss = wanted.get(_plain(sign)) if entry.signs else sign
        if gloss is None:
            continue
        lacking.discard(gloss)
        columns: dict[str, Any] = {
            "gloss": gloss,
            "signer": entry.signer,
            "split": entry.split,
            "language": entry.language,
        }
        yield Row(0, f"{entry.label}/{gloss}/{clip}", unit, columns=columns)
    if lacking and len(lacking) < len(entry.signs):
        missing = ", ".join(sorted(lacking))
        writer.notes.append(f"{writer.card['dataset']}: {entry.label}: no clip of {missing}.")


def _clips(entry: Repository, members: Members) -> Iterator[tuple[Unit, str, str]]:
    """Each clip below the root, its sign and its own name; archives put one folder around all."""
    root = entry.root.strip("/").split("/")
    inside = []
    for name in members.names:
        parts = name.split("/")
        for around in (0, 1):
            below = around + len(root)
            if len(parts) == below + 3 and parts[around:below] == root:
                inside.append(name)
                break
    for unit in READERS.get("frames").gather(members, inside):
        *_, sign, clip = unit.name.split("/")
        yield unit, sign, clip


def _plain(sign: str) -> str:
    """`I love you` and `iloveyou` are one folder's name."""
    return "".join(filter(str.isalnum, sign)).casefold()
