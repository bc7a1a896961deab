"""`sslslr report publish`: what of a study belongs into the repository, `docs/study/NAME/`.

    report.html       the page, without clips and features of clips
    tables/           every table as CSV, Markdown and LaTeX
    figures/          the figures of scores, as PNG
    provenance.json   the study's runs, commands and hashes
    hashes.json       sha256 of every file here, of the data and of the encoders

Scores and figures of scores are all that is published of data that are not ours to pass on.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.data.store import joined_hash
from sslslr.provenance import crate
from sslslr.report.figures import FIGURES
from sslslr.report.page.page import figures, render
from sslslr.report.reading import read_evaluations
from sslslr.report.results import OF_A_RUN, PROVENANCE, Results, entities
from sslslr.report.tables import TABLES, in_order
from sslslr.utils.errors import UserError
from sslslr.utils.files import (
    atomic_folder,
    read_json,
    refuse_foreign,
    sha256_of,
    write_json,
)  # fmt: skip
from sslslr.utils.user_files import shown
from sslslr.workflow.grid import evaluations

HASHES = "hashes.json"
LARGEST = 4_000_000  # bytes of a published study
HASHED = 16 * LARGEST  # of all files at most: what is larger was not published
TEXTS = (".html", ".json", ".csv", ".md", ".tex")
OWN = ("figures", HASHES, PROVENANCE, "report.html", "tables")


def publish(results: Results, out: Path) -> list[str]:
    """Write the folder `out`, an older one of this kind is replaced.

    Returns:
        Its files, as hashes.json names them.

    Raises:
        UserError: `out` holds other files; a file is absent or is not what provenance.json lists; a
            path of this machine stands in one; there is too much.
    """
    refuse_foreign(out, OWN, "published study", (HASHES, "encoders"))
    with atomic_folder(out) as folder:
        for name in ("tables", "figures"):
            (folder / name).mkdir()
        for path in results.outputs():
            if path.parent.name == "tables":
                _copy(path, folder / "tables" / path.name)
        for figure in figures(results, clips=False):
            if not figure.empty:
                name = f"figures/{figure.name}.png"
                _copy(results.folder / name, folder / name)
        crated = json.dumps(read_json(results.folder / PROVENANCE), ensure_ascii=False)
        (folder / PROVENANCE).write_text(crated + "\n", encoding="utf-8")  # one line: a third less
        render(results, folder / "report.html", clips=False)
        _refuse_places(folder, results.folder)
        scored = read_evaluations(results.paths("evaluations"))
        hashes = {
            "study": results.study.name,
            "files": {name: sha256_of(folder / name) for name in _files(folder)},
            "data": {card["dataset"]: card["sha256"] for card in results.cards},
            "encoders": {e["spec"]["run"]["run_id"]: e["encoder_sha256"] for e in scored},
        }
        write_json(folder / HASHES, hashes)
        if damages := check(folder):
            raise UserError(
                f"{results.folder}: {damages[0]}. Build the report again, then publish."
            )
        sizes = {name: (folder / name).stat().st_size for name in _files(folder)}
        if sum(sizes.values()) > LARGEST:
            large = max(sizes, key=lambda name: sizes[name])
            raise UserError(
                f"{out}: {sum(sizes.values()):,} bytes, where {LARGEST:,} are allowed; the largest is "
                f"{large} ({sizes[large]:,}). Leave runs out of the study, or publish its tables alone."
            )
    return list(hashes["files"])


@contextmanager
def ended(study: StudyConfig, folder: Path) -> Iterator[Results]:
    """The runs of a study that have ended, reported as if they were all.

    The report is written beside the results, into a folder that goes away: theirs is the workflow's,
    which writes it when the last run has ended. What a claim needs and lacks is named in its verdict.

    Raises:
        UserError: no run has ended.
    """
    every = evaluations(study)
    done = {
        run: spec
        for run, spec in every.items()
        if (folder / OF_A_RUN["evaluations"].format(run=run)).exists()
    }
    if not done:
        raise UserError(f"{folder}: none of the {len(every)} runs of {study.name!r} has ended.")
    note = study.note
    if len(done) < len(every):
        note = f"{note} Of {len(every)} runs, the {len(done)} that had ended are here.".strip()
    with tempfile.TemporaryDirectory(prefix=".ended-", dir=folder) as scratch:
        for name in ("data", "encoders", "metrics"):
            (Path(scratch) / name).symlink_to((folder / name).resolve())
        results = Results(study.model_copy(update={"note": note}), done, scratch)
        for name in in_order():
            TABLES.get(name)().render(results)
        for name in FIGURES.names():
            if not (figure := FIGURES.get(name)()).of_clips:
                figure.render(results)
        render(results, results.folder / "report.html", clips=False)
        crate.write(results)
        yield results


def is_published(folder: Path) -> bool:
    """Whether :func:`publish` wrote this folder; hashes.json may be damaged since."""
    return os.path.lexists(folder / HASHES)


def check(folder: Path) -> list[str]:
    """What in a published folder is not as it was published, a sentence each; empty where all is.

    Every file's hash is compared with hashes.json, and with provenance.json where that has one, as
    for the data and the encoders.
    """
    stated = _stated(folder / HASHES)
    found, left = dict.fromkeys(_files(folder), ""), HASHED
    for name in found:
        if (size := (folder / name).stat().st_size) <= left and name in stated["files"]:
            found[name], left = sha256_of(folder / name), left - size
    said = [f"{shown(name)}: not published" for name in found if name not in stated["files"]]
    for name, digest in stated["files"].items():
        if name not in found:
            said.append(f"{shown(name)}: absent")
        elif found[name] != digest:
            said.append(f"{shown(name)}: changed since it was published")
    graph = {entity["@id"]: entity for entity in entities(folder / PROVENANCE)}
    listed = {name: e["sha256"] for name, e in graph.items() if e.get("sha256")}
    listed.pop("report.html", None)  # with its clips
    known = dict(stated["files"])
    known |= {f"encoders/{run}/encoder.safetensors": h for run, h in stated["encoders"].items()}
    said += [
        f"{shown(name)}: its hash is not that of {PROVENANCE}"
        for name, digest in known.items()
        if listed.get(name, digest) != digest
    ]
    for name, hashes in stated["data"].items():
        if graph.get(f"#data-{name}", {}).get("identifier") != joined_hash(hashes):
            said.append(f"data set {shown(name)}: its hash is not that of {PROVENANCE}")
    return said


class _Hashes(BaseModel):
    """What hashes.json must look like."""

    study: str
    files: dict[str, str]
    data: dict[str, dict[str, str]]
    encoders: dict[str, str]


def _stated(file: Path) -> dict[str, Any]:
    """The hashes of a published folder, which may come from anybody.

    Raises:
        UserError: a file of another shape.
    """
    stated: dict[str, Any] = parse(_Hashes, read_json(file), str(file), most=1).model_dump()
    return stated


def _files(folder: Path) -> list[str]:
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name != HASHES)


def _copy(path: Path, out: Path) -> None:
    try:
        shutil.copyfile(path, out)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file. Build the report first.") from None


def _refuse_places(folder: Path, results: Path) -> None:
    """Raise where a text names a folder of this machine."""
    places = {
        str(path) for path in (Path.cwd(), Path.home(), results.resolve()) if len(path.parts) > 1
    }
    for name in _files(folder):
        if name.endswith(TEXTS):
            text = (folder / name).read_text(encoding="utf-8")
            if named := [place for place in places if f"{place}/" in text]:
                raise UserError(
                    f"{name}: names {named[0]}, a folder of this machine. Nothing was published."
                )
