"""The names of signs that lie beside labels that are numbers: `classes.npy`, `label_map.json`, `labels.txt`."""

import json
import re
from collections.abc import Sequence
from typing import Any

from sslslr.data.readers import parts_of
from sslslr.data.readers._unpickle import load
from sslslr.data.readers.npz import plain_array
from sslslr.data.source import Row
from sslslr.utils.archives import Members
from sslslr.utils.errors import UserError
from sslslr.utils.user_files import shown

FEW = 16  # files that are looked into
LARGEST = 4 << 20  # bytes of such a file
ENDINGS = (".json", ".txt", ".npy", ".csv", ".pkl", ".pickle")
CALLED = re.compile(
    r"class|label|gloss|sign(?!er)|word|action|vocab|map|index|idx|id", re.IGNORECASE
)
# Lists of names alone are taken from these, and what does not fit is worth a line.
SURE = re.compile(r"class|label|gloss|sign(?!er)|word|action|vocab", re.IGNORECASE)


def take_names(members: Members, rows: Sequence[Row], tables: Sequence[str]) -> tuple[str, str]:
    """Give rows the names of their signs for numbers, where one file beside them has a name for each.

    Returns:
        The file ("" where nothing was changed), and what is said.
    """
    numbers = {row.columns.get("gloss") or "" for row in rows}
    if not numbers or not all(gloss.isdecimal() for gloss in numbers):
        return "", ""
    used = {*tables, *(file for row in rows if row.unit is not None for file in row.unit.files)}
    found, unfit = {}, []
    called = [
        name for name in members.names if name not in used and CALLED.search(parts_of(name)[1])
    ]
    called = [name for name in called if parts_of(name)[2] in ENDINGS]
    for name in called if len(called) <= FEW else ():
        _, stem, ending = parts_of(name)
        count = 1 + max(map(int, numbers)) if SURE.search(stem) else 0
        names = _names_in(members, name, ending, count)
        if names and {str(int(number)) for number in numbers} <= set(names):
            found[name] = names
        elif SURE.search(stem) and ending != ".csv":
            unfit.append(name)
    if len({tuple(sorted(names.items())) for names in found.values()}) != 1:
        first, last = min(map(int, numbers)), max(map(int, numbers))
        several = (
            "give different names" if found else "has no name for each, once, as numbers from 0"
        )
        files = ", ".join(shown(name) for name in list(found or unfit)[:3])
        said = f"labels are numbers, {first} to {last}, and {files} {several}: not used"
        return "", said if found or unfit else ""
    file, names = next(iter(found.items()))
    for row in rows:
        row.columns = {**row.columns, "gloss": names[str(int(row.columns["gloss"]))]}
    example = min(numbers, key=int)
    name = shown(names[str(int(example))])
    return file, f"glosses are the names in {shown(file)} ({example} is {name!r})"


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
        elif ending in (".pkl", ".pickle"):
            content = load(data)
        else:
            lines = data.decode("utf-8-sig").splitlines()
            header = ending == ".csv" and lines and not re.search(r"\d", lines[0])
            content = _of_lines(lines[1:] if header else lines)
    except (UserError, ValueError, EOFError, RecursionError):
        return {}
    inner = list(content.values()) if isinstance(content, dict) else []
    contents = (
        inner if inner and all(isinstance(value, dict | list) for value in inner) else [content]
    )
    return next(filter(None, (_pairs(each, count) for each in contents)), {})


def _pairs(content: Any, count: int) -> dict[str, str]:
    if isinstance(content, list | tuple) and all(isinstance(item, dict) for item in content):
        content = _of_items(content)
    elif isinstance(content, list | tuple):
        content = dict(enumerate(content)) if len(content) == count else None
    if not isinstance(content, dict) or not all(isinstance(v, str | int) for v in content.values()):
        return {}
    pairs = [(str(key).strip(), str(value).strip()) for key, value in content.items()]
    if not all(key.isdecimal() for key, _ in pairs):  # name to number
        pairs = [(value, key) for key, value in pairs]
    names = {str(int(number)): text for number, text in pairs if number.isdecimal()}
    whole = len(names) == len(pairs) == len(set(names.values())) and all(names.values())
    return {} if not whole or all(text.isdecimal() for text in names.values()) else names


def _of_items(items: Sequence[dict]) -> dict[Any, Any] | None:
    """Of `[{"id": 0, "name": "book"}]`; None where an item has not one number and one text."""
    pairs = {}
    for item in items:
        numbers = [value for value in item.values() if isinstance(value, int)]
        texts = [value for value in item.values() if isinstance(value, str)]
        if len(numbers) != 1 or len(texts) != 1 or numbers[0] in pairs:
            return None
        pairs[numbers[0]] = texts[0]
    return pairs


def _of_lines(lines: Sequence[str]) -> list[str] | dict[str, str]:
    """Names in their order, or a number and a name in each line (`0 book`, `book,0`)."""
    lines = [line.strip() for line in lines if line.strip()]
    for form, number, text in ((r"(\d+)[\s,:;]+(\D.*)", 1, 2), (r"(.*\D)[\s,:;]+(\d+)", 2, 1)):
        matches = [re.fullmatch(form, line) for line in lines]
        if lines and all(matches):
            return {match[number]: match[text].strip(" ,:;\t") for match in matches if match}
    return lines
