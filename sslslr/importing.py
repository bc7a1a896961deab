"""Your own keypoints into a clip store: `clips.npz` with a table, or a folder of `.npy` files.

    clips.npz        xy (frames, 75 or 42, 2), offsets (clips + 1), clip_id (clips); clip i is
                     xy[offsets[i]:offsets[i + 1]], image-normalised, NaN = missing
    instances.csv    one row a clip, in the same order

or one `clip.npy` (frames, 75 or 42, 2 or 3) a clip and a table that names the files. Columns are
found under several names (`ALIASES`). Nothing is ever unpickled, and the keypoints are read clip
by clip, so that memory does not grow with the data set.
"""

import hashlib
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from sslslr.clips import ClipWriter, writing
from sslslr.errors import UserError, nearest
from sslslr.files import sha256_of
from sslslr.npz import JOINT_COUNTS, NpzClips, plain_array

NPZ, TABLE = "clips.npz", "instances.csv"
# What a column may be called, the first that is there counts.
ALIASES = {
    "clip_id": ("clip_id", "id", "clip", "video_id"),
    "file": ("file", "path", "filename", "file_name"),
    "gloss": ("gloss", "label", "sign", "word", "class"),
    "signer": ("signer", "signer_id", "person", "participant"),
    "split": ("split", "subset", "partition"),
    "language": ("language", "sign_language", "signed_language"),
    "fps": ("fps", "frame_rate"),
    "source": ("source", "source_path", "video"),
}
SPLIT_NAMES = {"training": "train", "dev": "val", "valid": "val", "validation": "val"}


def read_table(path: str | Path, required: tuple[str, ...] = ("gloss",)) -> pd.DataFrame:
    """Read a table of clips; columns are renamed to the first names of `ALIASES`.

    All values are text (a clip called 00336 keeps its zeros, a sign called "none" its name); empty
    cells become None. `fps` becomes a number, `split` one of train, val, test. A gloss or signer that
    is written in two ways (a blank at its end, an accent as a letter of its own) is one.

    Raises:
        UserError: no such file, not a csv, a required column is missing, a number that is none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Without index_col=False a comma at a row's end would shift every column by one.
            table = pd.read_csv(
                path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False
            )
    except pd.errors.ParserWarning:
        raise UserError(
            f"{path}: rows have more cells than the header has names; is there a comma at their end?"
        ) from None
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; it names the clips.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not in UTF-8 ({error}). Save it as a csv in UTF-8.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"{path}: cannot be read as a csv table ({error}).") from None
    _refuse_other_separators(path, table)
    table.columns = table.columns.str.strip()
    if (twice := table.columns[table.columns.duplicated()]).size:
        raise UserError(f"{path}: two columns are called {twice[0]!r}.")
    table = table.fillna("")  # a row that ends early
    for name, aliases in ALIASES.items():
        found = next((alias for alias in aliases if alias in table), name)
        table = table.rename(columns={found: name})
    if absent := [name for name in required if name not in table]:
        aliases = ALIASES.get(absent[0], ())[1:]
        also = f" (also accepted: {', '.join(aliases)})" if aliases else ""
        known = nearest(absent[0], table.columns)
        raise UserError(f"{path}: column {absent[0]!r} is missing{also}. {known}")
    for name in table.columns.intersection(["gloss", "signer", "split", "language", "fps"]):
        table[name] = [unicodedata.normalize("NFC", value.strip()) for value in table[name]]
    table = table.astype(object).where(table != "", None)
    if "split" in table:
        lower = [value and value.lower() for value in table["split"]]
        names = [SPLIT_NAMES.get(value, value) for value in lower]
        table["split"] = pd.Series(names, table.index, dtype=object)
    if "fps" in table:
        table["fps"] = [_number(value, path, row) for row, value in enumerate(table["fps"])]
    return table


def _refuse_other_separators(path: str | Path, table: pd.DataFrame) -> None:
    for separator, said in ((";", "semicolons"), ("\t", "tabs")):
        if len(table.columns) == 1 and separator in table.columns[0]:
            raise UserError(f"{path}: separated by {said}. Save it with commas.")


def plain_path(name: str) -> str:
    """A path in one spelling: slashes, no leading `./`, accents as one character.

    A table may have `é` as one character where the folder has an `e` and an accent (macOS writes so).
    """
    return str(PurePosixPath(unicodedata.normalize("NFC", name.replace("\\", "/"))))


def without_suffix(name: str) -> str:
    """`book/1.mp4` is `book/1`; what names no file (`.`, `/`) stays as it is."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.name else name


def _number(value: str | None, path: str | Path, row: int) -> float | None:
    if value is None or value.lower() == "nan":
        return None
    try:
        number = float(value)
    except ValueError:
        raise UserError(f"{path}, row {row + 2}: fps {value!r} is not a number.") from None
    if not 0 < number < float("inf"):
        raise UserError(f"{path}, row {row + 2}: fps {value!r} must be above 0; leave it empty.")
    return number


def read_instances(
    npz: str | Path, table: str | Path, extra: tuple[str, ...] = ()
) -> tuple[NpzClips, pd.DataFrame]:
    """Open `clips.npz` and its table, and check that they name the same clips in the same order.

    Args:
        extra: columns that the table must have besides clip_id and gloss.

    Raises:
        UserError: see :class:`NpzClips` and :func:`read_table`; or the two differ.
    """
    clips, rows = NpzClips(npz), read_table(table, required=("clip_id", "gloss", *extra))
    if len(clips) != len(rows):
        raise UserError(
            f"{table}: {len(rows)} rows, but {npz} holds {len(clips)} clips; they must match row "
            "by row."
        )
    differing = np.flatnonzero(rows["clip_id"].to_numpy() != np.array(clips.ids, dtype=object))
    if len(differing):
        row = int(differing[0])
        raise UserError(
            f"{table}, row {row + 2}: clip_id {rows['clip_id'][row]!r}, but clip {row} of {npz} is "
            f"{clips.ids[row]!r}; both must have the same clips in the same order."
        )
    return clips, rows


def _columns(row: Any, language: str | None) -> dict[str, Any]:
    """The arguments of `ClipWriter.add` that a row of the table gives."""
    given = {key: row.get(key) for key in ("gloss", "signer", "split", "fps", "source")}
    return {**given, "language": row.get("language") or language}


def _card(name: str, rows: pd.DataFrame, language: str | None, licence: str | None) -> dict:
    languages = set(rows["language"].dropna()) if "language" in rows else set()
    return {
        "dataset": name,
        "languages": sorted(languages | ({language} if language else set())),
        "licence": licence or "not stated",
        "citation": "",
        "split_rule": "as given in the table" if "split" in rows else "none",
    }


def _note_third(writer: ClipWriter, say: Callable[[str], None]) -> None:
    note = "A third coordinate (depth or confidence) was dropped."
    writer.card["origin"] += f" {note}"
    say(f"{writer.card['dataset']}: {note}")


def import_npz(
    folder: str | Path,
    out: str | Path,
    name: str,
    *,
    table: str | Path | None = None,
    language: str | None = None,
    licence: str | None = None,
    min_frames: int = 2,
    on_bad: str = "error",
    say: Callable[[str], None] = print,
) -> None:
    """Make a clip store of `folder/clips.npz` and its table (default `folder/instances.csv`).

    Args:
        language: sign language of the rows that name none.
        on_bad: "error" or "drop", see :class:`sslslr.clips.ClipWriter`.

    Raises:
        UserError: what is wrong, where; nothing is left half-written.
    """
    npz, table = Path(folder, NPZ), Path(table or Path(folder, TABLE))
    clips, rows = read_instances(npz, table)
    card = _card(name, rows, language, licence)
    card["origin"] = f"Imported from {npz.name} and {table.name}."
    card["inputs"] = {file.name: sha256_of(file) for file in (npz, table)}
    with writing(out, card, min_frames=min_frames, on_bad=on_bad) as writer:
        if clips.coordinates == 3:
            _note_third(writer, say)
        for frames, row in zip(clips.read(), rows.to_dict("records"), strict=True):
            columns = _columns(row, language)
            columns["source"] = columns["source"] or npz.name
            writer.add(row["clip_id"], frames[..., :2], **columns)
    for line in writer.summary():
        say(line)


def import_npy(
    folder: str | Path,
    table: str | Path,
    out: str | Path,
    name: str,
    *,
    language: str | None = None,
    licence: str | None = None,
    min_frames: int = 2,
    on_bad: str = "error",
    say: Callable[[str], None] = print,
) -> None:
    """Make a clip store of one `.npy` a clip, (frames, 75 or 42, 2 or 3), named by a table.

    The table has `gloss` and `file` (relative to `folder`) or `clip_id` (file `clip_id.npy`). Files
    that no row names are listed as dropped; a row without its file is a bad clip.

    Raises:
        UserError: what is wrong, where; nothing is left half-written.
    """
    folder, table = Path(folder), Path(table)
    rows = _with_files(table)
    digest, third, named = hashlib.sha256(), False, set()
    there = {plain_path(str(path.relative_to(folder))): path for path in folder.rglob("*")}
    with writing(
        out, _card(name, rows, language, licence), min_frames=min_frames, on_bad=on_bad
    ) as writer:
        writer.card["origin"] = f"Imported from .npy files and {table.name}."
        for row in rows.to_dict("records"):
            file = folder / row["file"]
            if not file.exists():
                file = there.get(plain_path(row["file"]), file)
            named.add(file.resolve())
            if on_bad == "drop" and not file.is_file():
                writer.drop(row["clip_id"], "its file is missing", row.get("split"), found=False)
                continue
            try:
                frames, data = _read_npy(file)
            except UserError as error:
                if on_bad != "drop":
                    raise
                reason = str(error).removeprefix(f"{file}: ").removesuffix(".")
                writer.drop(row["clip_id"], reason, row.get("split"))
                continue
            digest.update(f"{row['file']} {hashlib.sha256(data).hexdigest()}\n".encode())
            third |= frames.shape[-1] == 3
            columns = {**_columns(row, language), "source": row["file"]}
            writer.add(row["clip_id"], frames[..., :2], **columns)
        for file in sorted(folder.rglob("*.npy")):
            if file.resolve() not in named:
                writer.drop(str(file.relative_to(folder)), f"no row in {table.name}")
        if third:
            _note_third(writer, say)
        inputs = {table.name: sha256_of(table), ".npy files": digest.hexdigest()}
        writer.card["inputs"] = inputs
    for line in writer.summary():
        say(line)


def _with_files(table: Path) -> pd.DataFrame:
    """The table with both clip_id and file, each made from the other where it is absent."""
    rows = read_table(table)
    if "file" not in rows and "clip_id" not in rows:
        raise UserError(f"{table}: needs a column 'file' or 'clip_id'. {nearest('file', rows)}")
    key = "file" if "file" in rows else "clip_id"
    if rows[key].isna().any():
        row = int(np.flatnonzero(rows[key].isna())[0])
        raise UserError(f"{table}, row {row + 2}: {key} is empty.")
    if key == "clip_id":
        rows["file"] = [f"{clip_id}.npy" for clip_id in rows["clip_id"]]
    elif "clip_id" not in rows:
        rows["clip_id"] = None
    if key == "file":
        named = [without_suffix(file) for file in rows["file"]]
        rows["clip_id"] = rows["clip_id"].where(
            rows["clip_id"].notna(), pd.Series(named, dtype=object)
        )
    return rows


def _read_npy(file: Path) -> tuple[np.ndarray, bytes]:
    """One clip's array and the bytes of its file."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"{file}: there is no such file, but the table names it. Import with "
            "`--bad-clips drop` to leave such clips out."
        ) from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}).") from None
    try:
        # Not np.load, which would open a renamed zip as an archive of arrays.
        frames = plain_array(data)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(
            f"{file}: cannot be read as a plain array ({error}). Arrays of Python objects are "
            "refused: unpickling would run code."
        ) from None
    good = frames.ndim == 3 and frames.shape[1] in JOINT_COUNTS and frames.shape[2] in (2, 3)
    if not good or frames.dtype.kind != "f":
        raise UserError(
            f"{file}: must be floating point (frames, 75 or 42, 2 or 3); found {frames.dtype} "
            f"{frames.shape}."
        )
    return frames, data
