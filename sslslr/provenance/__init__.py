"""Where a number comes from, and whether it comes out again.

    cells.py    finding a cell: `results/tables/linear.csv:3:top1_mean`
    sources.py  the rows of the metrics behind a cell, and the cell computed from them again
    why.py      `sslslr why`: runs, seeds, settings, hashes and commands behind a cell, in words
    verify.py   `sslslr verify`: a cell computed from scratch, encoder and all, and compared
    crate.py    `results/provenance.json`, an RO-Crate; archive.py packs what it lists
    publish.py  `sslslr report publish`: tables, page and hashes for `docs/study/`, without clips

A table has no list of its sources beside it, which could be of another table: the sources are found
by the table's own keys in the metrics, and the cell is computed again from them. So a table that is
older than the metrics shows itself.
"""
