"""What a study found, for people: tables, figures and one self-contained HTML page.

    results.py   one object for all that a study wrote, read when it is asked for (reading.py)
    tables/      one file a table: CSV for machines, Markdown and LaTeX for people
    figures/     one file a figure, as PDF and PNG
    page/        report.html, which needs no network; the report on a clip store's quality
    names.py     what methods and protocols are called; summary.py numbers for `dvc metrics`

Nothing here measures anything: a number is printed only if a stage before wrote it down.
"""
