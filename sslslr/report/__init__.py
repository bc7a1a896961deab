"""What a study found, for people: tables, figures and one self-contained HTML page.

    collect.py   the stages' files (metrics, predictions, histories, runs, cards) into frames
    tables.py    scores with n, seeds and intervals; as CSV, Markdown and LaTeX
    verdict.py   which claims hold, and every comparison behind it
    differences.py   ablations, and what new signers cost
    figures.py   training curves; results.py few labels and transfer; embedding.py, confusions.py
    picture.py   a clip and its permuted views; augmentations.py every transform on one clip
    style.py     one look for all figures, strips.py skeletons; as PDF and PNG
    html.py      report.html, which needs no network

Nothing here measures anything: a number is printed only if a stage before wrote it down.
"""
