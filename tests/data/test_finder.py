"""Which clip a row of a table means, beside very many that are called the same."""

import random

import pytest

from sslslr.data import finder
from sslslr.data.readers import Unit
from sslslr.utils.tables import path_parts


def units(names):
    return [Unit(name, (name,), "npy") for name in names]


@pytest.mark.parametrize("row", ["S{}/clip/a.npy", "set/s{}/clip/a", "clip/a.npy", "{}.npy"])
def test_a_row_is_not_compared_with_each_clip_of_its_name(monkeypatch, row):
    compared = []
    plain = finder._tails
    monkeypatch.setattr(finder, "_tails", lambda a, b: compared.append(1) or plain(a, b))
    names = [f"s{i}/clip/a.npy" for i in range(500)] + [f"b/{i}.npy" for i in range(500)]
    find = finder.Finder(units(names))
    found = [[unit.name for unit in find(row.format(i))] for i in range(500)]
    one = {"S": names[:500], "s": names[:500], "{": names[500:]}.get(row[0])
    assert found == ([[name] for name in one] if one else [names[:500]] * 500)
    assert len(compared) <= 500 * finder.FEW


def test_clips_are_those_whose_folders_agree_as_far_as_both_have_some(monkeypatch):
    monkeypatch.setattr(finder, "FEW", 0)
    draw = random.Random(0)

    def path():
        folders = [draw.choice("ab") for _ in range(draw.randint(0, 4))]
        return "/".join([*folders, draw.choice("xy") + ".npy"])

    for _ in range(100):
        names = sorted({path() for _ in range(8)})
        find = finder.Finder(units(names))
        for asked in {path() for _ in range(20)} - set(names):
            parts = path_parts(asked)
            agree = [
                n for n in names if n[-5:] == asked[-5:] and finder._tails(parts, path_parts(n))
            ]
            as_long = [name for name in agree if name.count("/") == asked.count("/")]
            assert sorted(unit.name for unit in find(asked)) == (as_long or agree)


@pytest.mark.parametrize("name", ["g{}/clip.npy", "set/{}"])  # a file each; all in one file
def test_a_hint_looks_at_each_clip_once_however_many_rows_are_astray(monkeypatch, name):
    looked = []
    plain = finder.last_part
    files = [
        Unit(name.format(i), (name.format(i) if "clip" in name else "clip.npz",))
        for i in range(500)
    ]
    find = finder.Finder(files)
    monkeypatch.setattr(finder, "last_part", lambda text: looked.append(1) or plain(text))
    said = {find.hint(f"h{i}/clip.npy") for i in range(500)}
    first = (
        "'g0/clip.npy' lies in another folder"
        if "clip" in name
        else "500 clips, the first called 'set/0'"
    )
    assert len(said) == 1
    assert first in said.pop()
    assert len(looked) <= 2 * 500


def test_a_file_that_begins_so_or_is_no_clip_is_named():
    units = [Unit(f"s{n}_color.mp4.npy", (f"s{n}_color.mp4.npy",)) for n in (1, 10, 2)]
    find = finder.Finder(units, [*(unit.name for unit in units), "s4.jsonl"])
    assert find("s1") == []
    assert "'s1_color.mp4' begins so" in find.hint("s1")
    assert "'s4.jsonl' is there, but of no format that is read" in find.hint("s4.mp4")
    assert find.hint("s3") == ""
