"""What a study found, for people: tables, figures and one self-contained HTML page.

    collect.py   the stages' files (metrics, predictions, histories, runs, cards) into frames
    tables.py    scores with n, seeds and intervals; as CSV, Markdown and LaTeX
    figures.py   training curves and clip strips; as PDF and PNG
    html.py      report.html, which needs no network

Nothing here measures anything: a number is printed only if a stage before wrote it down.
"""
