"""Edits that make something stale: a key of each part of the configuration, a source of each room.

An edit is undone to the byte and to the file's time, so that many can be tried in one copy.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CONFIG = "config/demo.yaml"
COMMAND = r'(shell:\n(?:\s+#.*\n)*\s+")'
KEYS = [  # of the demo, before and after
    ("name: demo", "name: another"),
    ("All else", "The rest"),  # the note
    ("clips: 400", "clips: 401"),
    ("accept_licences: []", "accept_licences: [GSL]"),
    ("frames: 16", "frames: 17"),
    ("depth: 1", "depth: 2"),
    ("begin: 1/3, end: 1/4", "begin: 1/3, end: 1/5"),
    ("degrees: 15", "degrees: 16"),  # of the views that fine-tuning has
    ("temperature: 0.1", "temperature: 0.2"),
    ("epochs: 10\n", "epochs: 11\n"),
    ("seeds: [0, 1, 2]}", "seeds: [0, 1, 3]}"),
    ("methods: [supervised, raw_keypoints]", "methods: [supervised]"),
    ("transfer: [sl_fpn]", "transfer: false"),
    ("epochs: 30", "epochs: 31"),
    ("threads: 1", "threads: 2"),
]
SOURCES = [
    "utils/files.py",
    "pose/skeleton.py",
    "data/store.py",
    "data/datasets/synthetic.py",
    "augment/temporal.py",
    "encoders/transformer.py",
    "methods/simclr.py",
    "training/loop.py",
    "statistics/intervals.py",
    "evaluation/protocols/linear.py",
    "report/results.py",
]
INPUTS = ["config/claims.yaml", "config/paper_numbers.yaml"]
RULES = [f"workflow/rules/{name}.smk" for name in ("data", "pretrain", "evaluate", "report")]


@dataclass(frozen=True)
class Edit:
    """What to do to one file."""

    name: str
    file: str
    change: Callable[[str], str]

    def __repr__(self) -> str:
        return self.name

    @contextlib.contextmanager
    def made_in(self, folder: Path) -> Iterator[None]:
        path = folder / self.file
        before, times = path.read_bytes(), path.stat()
        after = self.change(before.decode()).encode()
        assert after != before, self.name
        try:
            path.write_bytes(after)
            yield
        finally:
            path.write_bytes(before)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def all_edits() -> list[Edit]:
    """Of keys, sources of rooms, the tables that the report reads, and commands of rules."""
    files = [*(f"sslslr/{path}" for path in SOURCES), *INPUTS]
    return [
        *(Edit(new, CONFIG, lambda t, a=old, b=new: t.replace(a, b, 1)) for old, new in KEYS),
        *(Edit(file, file, lambda text: text + "# edited\n") for file in files),
        *(Edit(f, f, lambda t: re.sub(COMMAND, r"\1true && ", t, count=1)) for f in RULES),
    ]
