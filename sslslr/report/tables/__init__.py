"""The tables, one file each: a class marked `@register`; see `sslslr/report/tables/_base.py`."""

from graphlib import TopologicalSorter

from sslslr.utils.registry import Registry

TABLES = Registry("sslslr.report.tables", "table")
register = TABLES.register


def in_order() -> list[str]:
    """All names, a table after those that it reads."""
    reads = {name: table.reads for name, table in TABLES.classes().items()}
    others = {
        name: [kind.removeprefix("tables/") for kind in kinds if kind.startswith("tables/")]
        for name, kinds in reads.items()
    }
    return list(TopologicalSorter(others).static_order())
