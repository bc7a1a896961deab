"""Every edit that ought to make something stale, made from the real configuration and sources.

An edit is undone to the byte and to the file's time, so hundreds can be tried in one copy.
"""

import contextlib
import copy
import fnmatch
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sslslr.config import load
from sslslr.methods import METHODS
from sslslr.protocols import PROTOCOLS
from sslslr.stages import stage_sources
from toys import ROOT

CONFIG = "config/demo.yaml"
COMMENTS = {".jinja": "{# edited #}\n"}
INPUTS = ("config/claims.yaml", "config/paper_numbers.yaml")
COMMAND = r'(shell:\n(?:\s+#.*\n)*\s+")'
NOT_IN_THE_DEMO = "pose.smk"  # no data set of it is made from videos
# Keys whose edit changes which files there are: dvc.yaml is generated again, as its header says.
STRUCTURAL = ("results", "datasets.*.source")


@dataclass(frozen=True)
class Edit:
    """What to do to one file."""

    name: str
    file: str
    change: Callable[[str], str]
    structural: bool = False

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
    """Of every key, every source of a stage, the tables that the report reads, and commands."""
    return [*key_edits(), *source_edits(), *rule_edits()]


def rule_edits() -> list[Edit]:
    """The first command of each file of rules."""
    files = ROOT.glob("workflow/rules/*.smk")
    return [
        Edit(file, file, lambda text: re.sub(COMMAND, r"\1true && ", text, count=1))
        for file in sorted(str(path.relative_to(ROOT)) for path in files)
        if re.search(COMMAND, (ROOT / file).read_text()) and not file.endswith(NOT_IN_THE_DEMO)
    ]


def source_edits() -> list[Edit]:
    sources = stage_sources(load(ROOT / CONFIG))
    files = sorted({file for of_stage in sources.values() for file in of_stage})
    return [
        Edit(file, file, lambda text, end=COMMENTS.get(Path(file).suffix, "# edited\n"): text + end)
        for file in [*files, *INPUTS]
    ]


def key_edits() -> list[Edit]:
    """One for each leaf of the YAML file: a scalar, a list of scalars, or an empty mapping."""
    study = yaml.safe_load((ROOT / CONFIG).read_text())
    return [
        Edit(
            ".".join(map(str, path)),
            CONFIG,
            lambda text, path=path: rewritten(text, path),
            any(fnmatch.fnmatch(".".join(map(str, path)), key) for key in STRUCTURAL),
        )
        for path in leaves(study)
    ]


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number))
    else:
        yield path


def rewritten(text: str, path: tuple) -> str:
    """The YAML file with another valid value at `path`."""
    study = yaml.safe_load(text)
    parent = study
    for key in path[:-1]:
        parent = parent[key]
    before = copy.deepcopy(parent)
    parent[path[-1]] = other(path, parent[path[-1]])
    if path[0] == "runs" and path[-1] == "methods":
        parent["methods"] = other_methods(before)
    if path[-1] == "source":  # the options of one source are not those of another
        parent.pop("options", None)
    if path[0] == "augmentations" and path[-1] == "name":
        parent.clear()
        parent["name"] = "shear" if before["name"] != "shear" else "scale"
    return yaml.safe_dump(study, sort_keys=False)


WORDS = {
    "name": "another",
    "results": "results/elsewhere",
    "fit": "truncate",
    "schedule": "constant",
    "split_by": "given",
    "dataset": "fingerspelling",
    "tag": "another",
    "augmentation": "temporal_permutation",
}
LISTS = {
    "accept_licences": ["GSL"],
    "transfer": ["simclr"],
    "protocols": ["knn"],
    "datasets": ["fingerspelling"],
}
CHOSEN = {"encoder.width": 128, "encoder.heads": 8}


def other(path: tuple, value: Any) -> Any:
    """A value that is valid in the place of `value` and differs from it."""
    key, dotted = path[-1], ".".join(map(str, path))
    if dotted in CHOSEN:
        return CHOSEN[dotted]
    if value == {}:
        return options_for(path)
    if isinstance(value, list):
        return other_list(path, value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 0.9
    if key == "note":
        return value + " More."
    if key == "source":
        return "synthetic" if value != "synthetic" else "fingerspelling"
    if "/" in value:  # a share such as 1/3
        return f"1/{int(value.partition('/')[2]) + 1}"
    assert WORDS[key] != value, f"{dotted}: name another value than {value!r}"
    return WORDS[key]


def other_list(path: tuple, value: list) -> list:
    key = path[-1]
    if key == "datasets" and value == ["fingerspelling"]:
        return ["synthetic"]
    if key in LISTS:
        return LISTS[key]
    if key == "methods":  # of a protocol; `random` would skip some, and the edit change no job
        more = "sl_fpn" if "sl_fpn" not in value else "byol"
        return [*value, more]  # not instead: a run that nothing scores is an error
    last = value[-1]
    return [*value[:-1], last + 1 if isinstance(last, int) and key == "seeds" else last * 0.9
            if isinstance(last, float) else last - 1 if last > 1 else last + 1]  # fmt: skip


def other_methods(block: dict) -> list[str]:
    """Of a block of the grid: another last method, one that pretrains where the block has data."""
    *first, last = block["methods"]
    names = ("sl_fpn_vc", "byol") if "datasets" in block else ("random", "raw_keypoints")
    return [*first, names[last == names[0]]]


def options_for(path: tuple) -> dict:
    """For a method, protocol or target without options: one that differs from its default."""
    if path[:2] == ("evaluate", "targets"):
        return {"test": "val"}
    registry = METHODS if path[0] == "methods" else PROTOCOLS
    for name, field in registry.get(path[-1]).Options.model_fields.items():
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            return {name: other((name,), field.default)}
    if registry is PROTOCOLS:
        return {"methods": ["sl_fpn"]}
    return {"type": "random" if path[-1] != "random" else "raw_keypoints"}
