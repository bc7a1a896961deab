"""The tables of this folder together: each line is one hostile or careless input."""

import importlib
from pathlib import Path

LEAST = 250


def test_there_are_enough_and_each_table_has_a_kind():
    modules = [path.stem for path in Path(__file__).parent.glob("test_hostile_*.py")]
    modules.remove(Path(__file__).stem)
    sizes = {name: len(importlib.import_module(name).CASES) for name in modules}
    assert min(sizes.values()) >= 10, sizes
    assert sum(sizes.values()) >= LEAST, sizes
