"""`sslslr archive`: what provenance.json lists, packed as an RO-Crate.

Every file is compared with the hash that provenance.json has for it: an archive holds one state of
the results or is not made. Names are in one order and undated, so the same results give the same
bytes.
"""

import hashlib
import os
import re
import zipfile
from pathlib import Path
from typing import Any

from sslslr.provenance.crate import METADATA
from sslslr.report.results import PROVENANCE, entities
from sslslr.utils.errors import UserError
from sslslr.utils.files import atomic_file, sha256_of
from sslslr.utils.user_files import name_fault, shown

UNDATED = (1980, 1, 1, 0, 0, 0)
BLOCK = 1 << 20
SHA256 = re.compile(r"[0-9a-f]{64}")


def archive(results: Path, out: Path) -> int:
    """Pack a results folder into the zip file `out`.

    Returns:
        The number of files packed, the metadata among them.

    Raises:
        UserError: a listed file is absent or is not what was listed; the disk is full.
    """
    if Path(out).is_dir():
        raise UserError(f"{out}: a folder; name a zip file to write.")
    results, path = Path(results), Path(results) / PROVENANCE
    listed = [entity for entity in entities(path) if entity.get("@type") == "File"]
    with (
        atomic_file(out) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        _add(packed, path, METADATA, sha256_of(path))
        for entity in sorted(listed, key=lambda entity: entity["@id"]):
            file = _inside(results, entity)
            _same_size(file, entity.get("contentSize"))
            _add(packed, file, entity["@id"], entity.get("sha256"))
    return len(listed) + 1


def _inside(results: Path, entity: dict[str, Any]) -> Path:
    if fault := name_fault(entity["@id"]):
        raise UserError(
            f"{results / PROVENANCE}: lists {shown(entity['@id'])!r}, which {fault}, so it lies elsewhere."
        )
    path = results / entity["@id"]
    # A link to itself has no end; `Path.resolve` raises at one.
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(results)):
        raise UserError(f"{results / PROVENANCE}: lists {entity['@id']!r}, which lies elsewhere.")
    return path


def _same_size(path: Path, stated: Any) -> None:
    """Raise UserError at once where a file cannot be the listed one: it may be vast."""
    if stated is not None and path.is_file() and str(path.stat().st_size) != str(stated):
        raise UserError(
            f"{path}: not the file that {PROVENANCE} lists ({path.stat().st_size} bytes, listed "
            f"{shown(str(stated))[:80]}). Run the workflow again, then pack."
        )


def _add(packed: zipfile.ZipFile, path: Path, name: str, sha256: Any) -> None:
    """Add a file under `name` with the mode of a plain file, undated; its hash must be `sha256`."""
    if not path.is_file():
        raise UserError(f"{path}: listed in {PROVENANCE} and absent. Run the workflow.")
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        raise UserError(
            f"{path}: {PROVENANCE} lists it with the sha256 {str(sha256)[:80]!r}, which is none. Run the "
            "workflow again, then pack."
        )
    about = zipfile.ZipInfo(name, UNDATED)
    about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    digest = hashlib.sha256()
    with path.open("rb") as stream, packed.open(about, "w", force_zip64=True) as target:
        while block := stream.read(BLOCK):
            digest.update(block)
            target.write(block)
    if digest.hexdigest() != sha256:
        raise UserError(
            f"{path}: not the file that {PROVENANCE} lists (sha256 {digest.hexdigest()[:12]}..., "
            f"listed {sha256[:12]}...). Run the workflow again, then pack."
        )
