"""Tables of clips that are none, or name what is not theirs."""

import gzip
import os
import time
from pathlib import Path

import numpy as np
import pytest

from hostile_bytes import one_line
from openhands_toys import npy
from sslslr.data.datasets import build
from sslslr.data.label_tables import Table
from sslslr.data.readers import Unit
from sslslr.data.source import rows_of
from sslslr.data.store import ClipStore

GOOD = npy(np.full((4, 75, 2), 0.5, dtype=np.float32))


def link(target):
    return lambda path: path.symlink_to(target)


def naming(name):
    """A table whose only row names a file."""
    return b"file,gloss\n" + (name if isinstance(name, bytes) else name.encode()) + b",a\n"


# name: (content of labels.csv, or what makes it; what is said)
CASES = {
    # no table
    "empty": (b"", "cannot be read as a csv"),
    "blank": (b"\n\n\n", "cannot be read as a csv"),
    "mark_alone": (b"\xef\xbb\xbf", "cannot be read as a csv"),
    "header_alone": (b"clip_id,gloss\n", "no clip was left"),
    "comments_alone": (b"# a\n# b\n", "cannot be read as a csv"),
    "utf_16_cut": ("clip_id,gloss\ngood_0,a\n".encode("utf-16")[:-1], "not in UTF-16"),
    "latin_1": ("clip_id,gloss\ngood_0,é\n".encode("latin-1"), "not in UTF-8.*Save it"),
    "binary": (bytes(range(256)), "not in UTF-8.*Save it as a csv in UTF-8"),
    "zero_bytes": (b"clip_id,gloss\ngood\0_0,a\n", "holds zero bytes"),
    "compressed": (gzip.compress(b"clip_id,gloss\ngood_0,a\n"), "compressed, not a csv"),
    "workbook": (b"PK\x03\x04" + bytes(200), "a zip or an Excel workbook"),
    "page": (b"<!DOCTYPE html>\n<html></html>\n", "missing|needs a column"),
    "json": (b'[{"clip_id": "good_0", "gloss": "a"}]\n', "missing|needs a column|cannot be read"),
    "open_quote": (b'clip_id,gloss\n"good_0,a\nb,c\n', "cannot be read|missing|no clip was left"),
    "more_cells": (b"clip_id,gloss\ngood_0,a,b,c\n", "more cells than the header"),
    "wide_below": (b"clip_id,gloss\n" + b"," * 900_000 + b"\n", "more cells than the header"),
    "long_id": (b"clip_id,gloss\n" + b"x" * 9_000 + b",a\n", "^.{1,1500}$"),
    "wide": (b"gloss," * 200_000 + b"clip_id\n", "200001 columns; at most"),
    "absent": (None, "no table of labels"),
    "folder": (Path.mkdir, "a folder, not a table|no table"),
    "pipe": (os.mkfifo, "pipe|no table of labels"),
    "device": (link("/dev/zero"), "device|no table of labels"),
    "loop": (link("labels.csv"), "no table|no such file|leads to itself|cannot be opened"),
    "link_to_nothing": (link("nothing.csv"), "no table|no such file"),
    # columns
    "no_gloss": (b"clip_id\ngood_0\n", "column 'gloss' is missing"),
    "gloss_misspelt": (b"clip_id,glosss\ngood_0,a\n", "Did you mean 'glosss'"),
    "no_id": (b"gloss\na\n", "needs a column 'file' or 'clip_id'"),
    "two_of_a_name": (b"clip_id,gloss,gloss\ngood_0,a,b\n", "two columns are called 'gloss'"),
    "speed": (b"clip_id,gloss,fps\ngood_0,a,fast\n", "fps 'fast' is not a number"),
    "speed_zero": (b"clip_id,gloss,fps\ngood_0,a,0\n", "fps '0' must be above 0"),
    "speed_infinite": (b"clip_id,gloss,fps\ngood_0,a,inf\n", "fps 'inf'"),
    "splits": (b"clip_id,gloss,split\ngood_0,a,holdout\n", "split 'holdout' is not one of"),
    "no_gloss_in_a_row": (b"clip_id,gloss\ngood_0,\n", "no clip was left.*no gloss"),
    # what a row names
    "outside": (naming("../../../etc/passwd"), "no clip was left"),
    "outside_within": (naming("deep/../../secret.npy"), "no clip was left"),
    "absolute": (naming("/etc/passwd"), "no clip was left"),
    "drive": (naming("C:/secret.npy"), "no clip was left"),
    "backslashes": (naming("..\\secret.npy"), "no clip was left"),
    "a_device": (naming("/dev/zero"), "no clip was left"),
    "a_pipe": (naming("pipe.npy"), "no clip was left"),
    "a_folder": (naming("deep"), "no clip was left"),
    "a_loop": (naming("loop.npy"), "no clip was left"),
    "a_link_out": (naming("out.npy"), "no clip was left"),
    "a_link_to_a_device": (naming("zero.npy"), "no clip was left"),
    "a_link_round": (naming("round/round/round/none.npy"), "no clip was left"),
    "videos": (naming("a.mp4"), "make pose"),
    "long": (naming("x" * 100_000 + ".npy"), "no clip was left"),
    "surrogates": (naming("\\udcff.npy"), "no clip was left"),
    "itself": (naming("labels.csv"), "no clip was left"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A folder of the user's with one good clip, and with all that a table should not lead to."""
    folder = tmp_path / "mine"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "secret.npy").write_bytes(GOOD)
    os.mkfifo(folder / "pipe.npy")
    for name, target in (
        ("loop.npy", "loop.npy"), ("out.npy", "../secret.npy"), ("zero.npy", "/dev/zero"), ("round", "."),
    ):  # fmt: skip
        (folder / name).symlink_to(target)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_each_is_one_line_and_leaves_nothing(name, folder, tmp_path):
    made, said = CASES[name]
    (folder / "good_0.npy").write_bytes(GOOD)
    if isinstance(made, bytes):
        (folder / "labels.csv").write_bytes(made)
    elif made is not None:
        made(folder / "labels.csv")
    with one_line(said):
        build("x", "local", {"folder": str(folder)}, tmp_path / "s", say=lambda line: None)
    assert not (tmp_path / "s").exists()


def test_none_of_what_rows_name_stops_the_good_ones(folder, tmp_path):
    """All in one table, and a file whose name is no text besides."""
    rows = [made for made, said in CASES.values() if said == "no clip was left"]
    names = [row.split(b"\n", 1)[1] for row in rows if row.startswith(b"file,gloss\n")]
    assert len(names) > 10
    (folder / "good.npy").write_bytes(GOOD)
    with open(os.fsencode(folder) + b"/\xff\xfe.npy", "wb") as stream:
        stream.write(GOOD)
    (folder / "labels.csv").write_bytes(b"file,gloss\n" + b"".join(names) + b"good.npy,fine\n")
    build("x", "local", {"folder": str(folder)}, tmp_path / "s", say=lambda line: None)
    store = ClipStore.open(tmp_path / "s")
    assert store.clips["gloss"].tolist() == ["fine"]
    reasons = [drop["reason"] for drop in store.card["dropped"]["clips"]]
    assert len(reasons) >= len(names)
    assert all("\n" not in reason and len(reason) < 300 for reason in reasons)


# name: (header and row of a table that names nothing that is there, rows, files in the folder)
LONG = {
    "ids": ("clip_id,gloss\n", "missing_{0},g\n", 50_000, 1),
    "paths": ("file,gloss,signer,split\n", "a/b/missing_{0}.npy,g,s,train\n", 50_000, 1),
    "ids_and_paths": ("clip_id,file,gloss\n", "c{0},a/missing_{0}.npy,g\n", 50_000, 1),
    "numbers": ("clip_id,gloss\n", "1{0},g\n", 50_000, 1),
    "videos": ("file,gloss\n", "missing_{0}.mp4,g\n", 50_000, 1),
    "many_files": ("clip_id,gloss\n", "missing_{0},g\n", 20_000, 2_000),
    "one_name": ("file,gloss\n", "other_{0}/same.npy,g\n", 20_000, 2_000),
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_a_long_table_of_missing_files_is_refused_at_once(tmp_path, name):
    header, row, rows, files = LONG[name]
    table = tmp_path / "labels.csv"
    table.write_text(header + "".join(row.format(i) for i in range(rows)))
    units = [Unit(f"{i}/same.npy", (f"{i}/same.npy",)) for i in range(files)]
    began = time.process_time()
    found, *_ = rows_of(units, [Table(table)], tmp_path)
    # About 0.7 s; what was quadratic took minutes.
    assert time.process_time() - began < 5
    assert [r.unit for r in found] == [None] * rows
