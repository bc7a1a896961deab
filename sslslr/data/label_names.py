"""The names of signs that lie beside a set whose labels are numbers: `classes.npy`, `label_map.json`, `labels.txt`."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from sslslr.data.readers import Unit, parts_of
from sslslr.data.readers.npz import plain_array
from sslslr.utils.archives import Members
from sslslr.utils.errors import UserError
from sslslr.utils.user_files import shown

LARGEST = 4 << 20  # bytes of such a file
CALLED = re.compile(r"class|label|gloss|sign|word|vocab|map|index|idx|id", re.IGNORECASE)


def with_names(members: Members, units: list[Unit]) -> tuple[list[Unit], str]:
    """Clips with the names of their signs for numbers, where one file beside them has a name for each.

    Returns:
        The clips, without such files, and what is said of it: "" where nothing was changed.
    """
    numbers = {unit.columns.get("gloss") or "" for unit in units if unit.key is not None}
    if not numbers or not all(gloss.isdecimal() for gloss in numbers):
        return units, ""
    used = {file for unit in units if unit.key is not None for file in unit.files}
    found = {}
    for name in members.names:
        _, stem, ending = parts_of(name)
        if name not in used and ending in (".json", ".txt", ".npy") and CALLED.search(stem):
            names = _names_in(members, name, ending, 1 + max(map(int, numbers)))
            if names and {str(int(number)) for number in numbers} <= set(names):
                found[name] = names
    if len({tuple(sorted(names.items())) for names in found.values()}) != 1:
        return units, ""
    file, names = next(iter(found.items()))
    units = [
        replace(unit, columns={**unit.columns, "gloss": names[str(int(unit.columns["gloss"]))]})
        for unit in units
        if unit.key is not None
    ]
    first = sorted(numbers, key=int)[0]
    return (
        units,
        f"glosses are the names in {shown(file)} ({first} is {shown(names[str(int(first))])!r})",
    )


def _names_in(members: Members, name: str, ending: str, count: int) -> dict[str, str]:
    """Number to name, each once; {} where the file is something else.

    Names without numbers are taken for those of signs where they are `count`: there may be a list of clips, too.
    """
    try:
        data = members.read(name, LARGEST)
        if ending == ".npy":
            content = plain_array(data).tolist()
        elif ending == ".json":
            content = json.loads(data)
        else:
            content = _of_lines(data.decode("utf-8").splitlines())
    except (UserError, ValueError, EOFError, RecursionError):
        return {}
    if isinstance(content, list) and len(content) == count:
        content = dict(enumerate(content))
    if not isinstance(content, dict):
        return {}
    pairs = [(str(key).strip(), str(value).strip()) for key, value in content.items()]
    if not all(key.isdecimal() for key, _ in pairs):  # name to number
        pairs = [(value, key) for key, value in pairs]
    names = {str(int(number)): text for number, text in pairs if number.isdecimal()}
    whole = len(names) == len(pairs) == len(set(names.values())) and all(names.values())
    return {} if not whole or all(text.isdecimal() for text in names.values()) else names


def _of_lines(lines: Sequence[str]) -> list[str] | dict[str, str]:
    """Names in their order, or a number and a name in each line (`0 book`, `book,0`)."""
    lines = [line.strip() for line in lines if line.strip()]
    for form, number, text in ((r"(\d+)[\s,:;]+(\D.*)", 1, 2), (r"(.*\D)[\s,:;]+(\d+)", 2, 1)):
        matches = [re.fullmatch(form, line) for line in lines]
        if lines and all(matches):
            return {match[number]: match[text].strip(" ,:;\t") for match in matches if match}
    return lines
