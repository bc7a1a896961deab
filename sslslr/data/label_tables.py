"""The tables of labels of a folder or an archive: one, or one a split beside each other."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from sslslr.config.settings import SPLITS
from sslslr.data.readers import READERS, hidden, parts_of
from sslslr.utils.archives import Members
from sslslr.utils.errors import UserError
from sslslr.utils.tables import split_name
from sslslr.utils.user_files import at_home, shown

TABLES = ("labels.csv", "instances.csv", "train.csv", "index.csv")


class Table(NamedTuple):
    """A table of labels: its bytes, where it lies in an archive, and the split of rows that state none."""

    path: Path
    data: bytes | None = None
    split: str | None = None


def tables_of(
    members: Members, folder: Path, named: str | None
) -> tuple[list[Table], Collection[str]]:
    """The tables of labels, and which members they are; none where the clips say their labels.

    Raises:
        UserError: several folders have one each.
    """
    table = table_of(folder, named)
    inside, data = _within(table, folder), None
    if named is None and inside and holds_clips(members, inside):
        table = inside = None
    if table is None and (inside := table_inside(members, folder)):
        table, data = folder / inside, members.read(inside)
    if table is None:
        return [], ()
    beside = tables_beside(inside, members.names) if inside and named is None else {}
    if len(beside) > 1:
        return [Table(folder / n, members.read(n), split) for n, split in beside.items()], beside
    return [Table(table, data)], (inside,) if inside else ()


def table_of(folder: Path, table: str | None) -> Path | None:
    """The table of labels: the one that was named, or one of `TABLES` in the folder."""
    if table is not None:
        return at_home(table)
    if folder.is_dir():
        return next((folder / name for name in TABLES if (folder / name).is_file()), None)
    return None


def holds_clips(members: Members, name: str) -> bool:
    """Whether a csv that is called as a table of labels (train.csv) holds the clips themselves."""
    return any(READERS.get(reader).gather(members, [name]) for reader in ("rows", "spoter"))


def table_inside(members: Members, folder: Path) -> str | None:
    """The table of labels within an archive, or in the one folder within a folder.

    Raises:
        UserError: several folders have one each.
    """
    near = [name for name in members.names if name.count("/") < 2 and not hidden(name)]
    for wanted in (wanted for depth in (0, 1) for wanted in ((depth, name) for name in TABLES)):
        found = [n for n in near if (n.count("/"), n.rpartition("/")[2].lower()) == wanted]
        found = [name for name in found if not holds_clips(members, name)]
        if len(found) > 1:
            raise UserError(
                f"{folder}: several tables of labels, {shown(', '.join(found[:3]))}. Import each folder by "
                "itself, or name one table for all: --csv (table)."
            )
        if found:
            return found[0]
    return None


def tables_beside(table: str, names: Sequence[str]) -> dict[str, str]:
    """The tables that a `train.csv` is one of, and their splits: where `val.csv` or `test.csv` lie beside it."""
    found = {}
    for name in sorted({table, *names}):
        folder, stem, ending = parts_of(name)
        split = split_name(stem)
        if (folder, ending) == (parts_of(table)[0], parts_of(table)[2]) and split in SPLITS:
            found[name] = split
    return found if table in found else {}


def _within(table: Path | None, folder: Path) -> str | None:
    if table is None or not folder.is_dir():
        return None
    try:
        return table.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return None
