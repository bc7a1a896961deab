"""Tables of clips that a user wrote: read as text, columns under the names of this package.

Commas, semicolons or tabs, UTF-8 or Excel's UTF-16, lines of comment before the header, column names in
any case: all are read. What cannot be read for certain is one sentence.
"""

import contextlib
import csv
import io
import unicodedata
import warnings
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pandas as pd

from sslslr.utils.errors import UserError, nearest
from sslslr.utils.files import LARGEST_TEXT
from sslslr.utils.user_files import read_user_bytes
from sslslr.utils.words import counted

# What a column may be called, the first that is there counts.
ALIASES = {
    "clip_id": ("clip_id", "id", "clip", "video_id", "sequence_id", "sample_id"),
    "file": ("file", "path", "filename", "file_name", "filepath", "file_path", "video_file", "video_name"),
    "gloss": ("gloss", "label", "sign", "word", "class", "glosses"),
    "signer": ("signer", "signer_id", "person", "participant", "participant_id", "user_id"),
    "split": ("split", "subset", "partition"),
    "language": ("language", "sign_language", "signed_language"),
    "fps": ("fps", "frame_rate"),
    "source": ("source", "source_path", "video"),
    "width": ("width", "image_width", "video_width"),
    "height": ("height", "image_height", "video_height"),
    "aspect": ("aspect", "aspect_ratio"),
    "start": ("start", "begin"), "start_frame": ("start_frame", "frame_start"),
    "start_ms": ("start_ms",), "start_s": ("start_s", "start_time", "start_seconds"),
    "end": ("end", "stop"), "end_frame": ("end_frame", "frame_end"),
    "end_ms": ("end_ms",), "end_s": ("end_s", "end_time", "end_seconds"),
}  # fmt: skip
SPLIT_NAMES = {
    "training": "train", "dev": "val", "valid": "val", "validation": "val", "testing": "test",
}  # fmt: skip
UNKNOWN = "unknown"  # of a clip whose file has to state a number that nobody knows
POSITIVE = ("fps", "width", "height", "aspect")
NUMBERS = (*POSITIVE, *(name for name in ALIASES if name.startswith(("start", "end"))))
CLEANED = ("gloss", "signer", "split", "language", *NUMBERS)
WIDEST = 1000  # columns
SEPARATORS = ",;\t|"
FROM_ONE = "frame_start"  # so WLASL's list calls it, and counts from 1
COMMENTS = ("#", "sep=", '"sep=')  # before the header; `sep=;` is said to Excel


def read_table(
    path: str | Path, required: tuple[str, ...] = ("gloss",), data: bytes | None = None
) -> pd.DataFrame:
    """Read a table of clips; columns are renamed to the first names of `ALIASES`.

    All values are text (a clip called 00336 keeps its zeros, a sign called "none" its name); empty
    cells become None. `fps`, sizes and times become numbers (NaN where the cell says that `fps` or `aspect`
    is unknown, whatever the clip's file has), `split` one of train, val, test. A gloss or
    signer that is written in two ways (a blank at its end, an accent as a letter of its own) is one.

    Returns:
        The table; `attrs["line"]` is the number of its first row in the file, `attrs["unused"]` the
        columns that have no meaning here, `attrs["from_one"]` whether frames were counted from 1, which they
        no longer are.

    Raises:
        UserError: no such file, not a csv, a required column is missing, a number that is none.
    """
    text, before = _text(Path(path), data)
    table = _parsed(path, text)
    table.columns = [" ".join(str(name).split()) for name in table.columns]
    table = table.fillna("")  # a row that ends early
    plain = [_plain(name) for name in table.columns]
    wlasl = FROM_ONE in plain and "start_frame" not in plain
    table = _renamed(path, table, required)
    for name in table.columns.intersection(CLEANED):
        table[name] = [unicodedata.normalize("NFC", value.strip()) for value in table[name]]
    unused = [name for name in table.columns if name not in ALIASES]
    table = table.astype(object).where(table != "", None)
    table.attrs = {"line": before + 2, "unused": unused, "from_one": False}
    if "split" in table:
        names = [value and split_name(value) for value in table["split"]]
        table["split"] = pd.Series(names, table.index, dtype=object)
    for name in table.columns.intersection(NUMBERS):
        numbers = [
            _number(value, f"{path}, row {row}: {name}", name in POSITIVE)
            for row, value in enumerate(table[name], start=before + 2)
        ]
        table[name] = pd.Series(numbers, table.index, dtype=object)
    if wlasl and (firsts := table["start_frame"].dropna()).size and firsts.min() >= 1:
        table["start_frame"] = [value and value - 1 for value in table["start_frame"]]
        table.attrs["from_one"] = True
    return table


def read_written(path: str | Path) -> pd.DataFrame:
    """A CSV that this package wrote, as text. It may have come with somebody else's results.

    Raises:
        UserError: absent, no regular file, too large or too wide.
        ValueError: of pandas, where it is not CSV.
    """
    stream = io.BytesIO(read_user_bytes(path, LARGEST_TEXT))
    if (columns := stream.readline().count(b",") + 1) > WIDEST:
        raise UserError(f"{path}: {columns} columns; at most {WIDEST} are read.")
    stream.seek(0)
    # Without index_col=False pandas makes indices of cells that the header does not name, one by one.
    return pd.read_csv(stream, dtype=str, keep_default_na=False, index_col=False)


def write_csv(frame: pd.DataFrame, path: str | Path, **options: Any) -> None:
    """Write a CSV whose texts, also those of strangers, read back as they were.

    Python quotes no cell because of a carriage return, which whoever reads takes for the end of the row.

    Args:
        options: of :meth:`pandas.DataFrame.to_csv`.
    """
    texts = frame.select_dtypes(exclude=["number", "bool"])
    returns = any(texts[name].astype(str).str.contains("\r", regex=False).any() for name in texts)
    quoting = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    frame.to_csv(path, index=False, lineterminator="\n", quoting=quoting, **options)


def _text(path: Path, data: bytes | None) -> tuple[str, int]:
    """The text from the header on, and how many lines stand before it (comments, blank lines)."""
    if data is None:
        if path.is_dir():
            raise UserError(f"{path}: a folder, not a table.")
        if not path.exists():
            raise UserError(f"{path}: there is no such file; it names the clips.")
        data = read_user_bytes(path)
    if data[:2] == b"\x1f\x8b" or data[:4] == b"PK\x03\x04":
        kind = "compressed" if data[:2] == b"\x1f\x8b" else "a zip or an Excel workbook"
        raise UserError(f"{path}: {kind}, not a csv in plain text. Unpack it, or save it as a csv.")
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        what = "UTF-16" if wide else "UTF-8"
        raise UserError(f"{path}: not in {what} ({error}). Save it as a csv in UTF-8.") from None
    if "\0" in text:
        raise UserError(f"{path}: holds zero bytes: not a csv. Save it as a csv in UTF-8.")
    lines = text.splitlines(keepends=True)
    before = 0
    while before < len(lines) and (
        not lines[before].strip() or lines[before].lstrip().startswith(COMMENTS)
    ):
        before += 1
    return "".join(lines[before:]), before


def _parsed(path: str | Path, text: str) -> pd.DataFrame:
    header = text.partition("\n")[0]
    separator = max(SEPARATORS, key=header.count)
    if header.count(separator) >= WIDEST:
        raise UserError(
            f"{path}: {header.count(separator) + 1} columns; at most {WIDEST} are read."
        )
    # pandas makes room for each of them, in each row, before it says so; a cell in quotes may have some.
    if max(line.count(separator) for line in text.splitlines() or [""]) > 10 * WIDEST:
        raise UserError(
            f"{path}: a row has more cells than the header has names, thousands of them."
        )
    csv.field_size_limit(1 << 24)
    # Read by hand: pandas would call the second of one name `gloss.1`.
    names: list[str] = []
    with contextlib.suppress(csv.Error):  # pandas says what is wrong
        cells = next(csv.reader([header], delimiter=separator), [])
        names = [" ".join(name.split()) for name in cells]
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise UserError(f"{path}: two columns are called {twice[0]!r}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Without index_col=False a comma at a row's end would shift every column by one.
            return pd.read_csv(
                io.StringIO(text), dtype=str, keep_default_na=False, index_col=False, sep=separator
            )
    except pd.errors.ParserWarning:
        raise UserError(
            f"{path}: rows have more cells than the header has names; is there a comma at their end?"
        ) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read as a csv table ({' '.join(str(error).split())})."
        ) from None


def _plain(name: str) -> str:
    return name.casefold().replace(" ", "_").replace("-", "_")


def _fits(alias: str, column: pd.Series) -> bool:
    """`begin` and `stop` may also be the name of a hand's shape."""
    return alias not in ("begin", "stop") or not any(map(str.isalpha, "".join(column)))


def _renamed(path: str | Path, table: pd.DataFrame, required: tuple[str, ...]) -> pd.DataFrame:
    """Columns under the names of `ALIASES`, whatever their case."""
    there: dict[str, str] = {}
    for column in table.columns:
        if column == _plain(column) or _plain(column) not in there:
            there[_plain(column)] = column
    names = {}
    for name, aliases in ALIASES.items():
        column = next((there[a] for a in aliases if a in there and _fits(a, table[there[a]])), None)
        if column is not None and column not in names:
            names[column] = name
    header = list(table.columns)
    table = table.rename(columns=names)
    if table.columns.duplicated().any():  # the alias was renamed to what another column is called
        raise UserError(
            f"{path}: two columns mean {table.columns[table.columns.duplicated()][0]!r}."
        )
    if absent := [name for name in required if name not in table]:
        aliases = ALIASES.get(absent[0], ())[1:]
        also = f" (also accepted: {', '.join(aliases)})" if aliases else ""
        if not names:
            shown = ",".join(header)[:80]
            raise UserError(
                f"{path}: column {absent[0]!r} is missing{also}. The first line, {shown!r}, names no column "
                "that is known. If it is a clip already, put a header before it, such as clip_id,gloss. "
                f"{nearest(absent[0], header)}"
            )
        raise UserError(
            f"{path}: column {absent[0]!r} is missing{also}. {nearest(absent[0], table.columns)}"
        )
    return table


def plain_path(name: str) -> str:
    """A path in one spelling: slashes, no leading `./`, accents as one character.

    A table may have `é` as one character where the folder has an `e` and an accent (macOS writes so).
    """
    if (
        name.isascii()
        and "\\" not in name
        and "//" not in name
        and "./" not in name
        and not name.endswith(("/", "."))
    ):
        return name  # as most are: a path object takes longer than reading a small clip's header
    return str(PurePosixPath(unicodedata.normalize("NFC", name.replace("\\", "/"))))


def last_part(name: str) -> str:
    """The last of :func:`path_parts`, or "": quicker, as most rows' paths are plain."""
    last = plain_path(name).casefold().rpartition("/")[2]
    if last in ("", ".") or ":" in last:
        return next(reversed(path_parts(name)), "")
    return last


def path_parts(name: str) -> tuple[str, ...]:
    """A path's parts in one spelling and case, without a drive or a root: what two paths agree in."""
    if name[1:2] == ":" or name.startswith("\\"):
        name = name.removeprefix(PureWindowsPath(name).drive)
    return tuple(part for part in plain_path(name).casefold().split("/") if part not in ("", "."))


def without_suffix(name: str) -> str:
    """`book/1.mp4` is `book/1`; what names no file (`.`, `/`) stays as it is."""
    last = name[name.rfind("/") + 1 :]
    dot = last.rfind(".")
    if 0 < dot < len(last) - 1 and "\\" not in name:
        return plain_path(name[: len(name) - len(last) + dot])
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.name else name


def split_name(name: str) -> str:
    """`train`, `val` or `test`, where a split is called so in other words; else the name, in small letters."""
    return SPLIT_NAMES.get(name.lower(), name.lower())


def folded(gloss: str) -> str:
    """A gloss without what is often written in two ways: case, blanks, characters that nobody sees."""
    text = unicodedata.normalize("NFKC", gloss)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return " ".join(text.casefold().replace("_", " ").replace("-", " ").split())


def near_equal(glosses: "pd.Series | list[str]") -> list[list[str]]:
    """Groups of glosses that differ in case, blanks or invisible characters alone, the usual first."""
    counts = pd.Series(list(glosses), dtype=object).dropna().value_counts(sort=False)
    groups: dict[str, list[str]] = {}
    for gloss in counts.index:
        groups.setdefault(folded(str(gloss)), []).append(str(gloss))
    return [sorted(g, key=lambda gloss: -counts[gloss]) for g in groups.values() if len(g) > 1]


def several_spellings(values: "pd.Series | list[str]", noun: str, plural: str) -> str:
    """What a person is told of :func:`near_equal` values; empty where there are none."""
    if not (alike := near_equal(values)):
        return ""
    examples = "; ".join(" = ".join(map(repr, group)) for group in alike[:3])
    said = counted(len(alike), noun, plural)
    return f"{said} in several spellings, which count as different ({examples})"


def _number(value: str | None, where: str, positive: bool) -> float | None:
    if value is None or value.lower() == "nan":
        return None
    if value.lower() == UNKNOWN and where.endswith((" fps", " aspect")):
        return float("nan")
    text = value.replace(",", ".") if value.count(",") == 1 and "." not in value else value
    if where.endswith("aspect"):
        over = next((mark for mark in ":/" if mark in text), None)
        with contextlib.suppress(ValueError, ZeroDivisionError):  # 16:9
            text = str(float(text.split(over)[0]) / float(text.split(over)[1])) if over else text
    try:
        number = float(text)
    except ValueError:
        raise UserError(f"{where} {value!r} is not a number.") from None
    if not abs(number) < float("inf") or (positive and number <= 0):
        why = "must be above 0; leave it empty" if positive else "is not a number"
        raise UserError(f"{where} {value!r} {why}.")
    return number
