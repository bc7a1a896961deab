"""A frame of strings as Markdown or as a LaTeX booktabs table.

Columns that hold one value throughout are said once in the caption: the paper's column width is
too dear for a column of "linear".
"""

import pandas as pd

# Columns that may move into the caption; scores and counts always stay.
FOLDABLE = ("Views", "Encoder", "Tag", "Protocol")
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
}
MARKDOWN = {**{mark: f"\\{mark}" for mark in "\\|`*_<>["}, "\n": " "}


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(LATEX.get(letter, letter) for letter in text)


def escape_markdown(text: str) -> str:
    """Text that Markdown prints as it is, within a table's cell."""
    return "".join(MARKDOWN.get(letter, letter) for letter in text)


def fold(shown: pd.DataFrame, caption: str) -> tuple[pd.DataFrame, str]:
    """Drop foldable columns that hold one value; the caption then says it ("–" needs no saying)."""
    single = [name for name in FOLDABLE if name in shown and len(set(shown[name])) == 1]
    values = {name: shown[name].iloc[0] for name in single}
    said = [f"{name.lower()} {value}" for name, value in values.items() if value != "–"]
    if said:
        caption = f"{caption} Every row: {', '.join(said)}."
    return shown.drop(columns=single), caption


def markdown(shown: pd.DataFrame, caption: str) -> str:
    """A pipe table with its caption above; words to the left, numbers to the right."""
    shown, caption = fold(shown, caption)
    marks = ["---:" if _numeric(shown[name]) else ":---" for name in shown]
    lines = [list(map(str, shown.columns)), *shown.to_numpy().tolist()]
    cells = ([escape_markdown(str(cell)) for cell in line] for line in lines)
    head, *body = (f"| {' | '.join(line)} |" for line in cells)
    return "\n".join([escape_markdown(caption), "", head, f"| {' | '.join(marks)} |", *body, ""])


def latex(shown: pd.DataFrame, caption: str, label: str) -> str:
    """A `table*` for the packages booktabs and graphicx; a rule between targets."""
    shown, caption = fold(shown, caption)
    columns = "".join("r" if _numeric(shown[name]) else "l" for name in shown)
    lines = [
        "% Needs \\usepackage{booktabs,graphicx}.",
        r"\begin{table*}[t]",
        r"\centering",
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\label{{{label}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        _latex_row(shown.columns),
        r"\midrule",
    ]
    group = None
    for row in shown.to_numpy().tolist():
        if group is not None and row[0] != group and shown.columns[0] == "Target":
            lines.append(r"\midrule")
        group = row[0]
        lines.append(_latex_row(row))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table*}", ""])


def _latex_row(cells: list) -> str:
    line = " & ".join(escape_latex(str(cell)) for cell in cells) + r" \\"
    # A bracket at the start of a row, or after `\\`, would be read as an optional argument.
    return f"{{}}{line}" if line.startswith("[") else line


def _numeric(column: pd.Series) -> bool:
    return bool(column.astype(str).str.match(r"^(\[?-?\d|n/a)").all())
