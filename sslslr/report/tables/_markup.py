"""A frame of strings as Markdown or as a LaTeX booktabs table.

Columns that hold one value throughout are said once in the caption: the paper's column width is
too dear for a column of "linear".
"""

import re
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

# Columns that may move into the caption; scores and counts always stay.
FOLDABLE = ("Views", "Encoder", "Read-out", "Tag", "Protocol")
IMPLIED = ("Views", "Encoder", "Read-out")  # a row that has none says so by its method
# What is the same for all rows of a target stands once in the line that names it.
OF_A_TARGET = ("n test", "n train", "Classes", "Chance", "Joints")
WIDE = 45  # letters of a cell; in a column with longer ones LaTeX breaks lines
BROKEN = 128  # points: the 4.5 cm of a column with broken lines
# Points of a page of the class `article`, in letters of 10; a page in letters of 12 holds no more.
PAGE, LINE, LETTER, GAP = 410, 12, 5, 12
TEXT, COLUMN = (345, 469), (229, 345)  # width of a table over the page, or in a column: least, most
LATIN = 0x17F  # the last letter that pdfLaTeX knows without a package
BEST = "★"  # begins a cell that is printed in bold
AGAIN = ", continued"
NOTHING = "No run of this study belongs here."
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
    "→": r"$\to$",
    "“": "``",
    "”": "''",
    # The letters of LaTeX's first encoding have other signs in these places.
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}
MARKDOWN = {mark: f"\\{mark}" for mark in "\\|`*_<>[&~$"}
BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # a line, or a reader
# Marks of direction turn what follows round, in the cells beside as well. Joiners belong to a word.
TURNS = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
HALVES = re.compile(r"[\ud800-\udfff]")  # of letters, as JSON can state them: no file holds them


def one_line(text: str) -> str:
    """A text without ends of lines, control characters and marks of direction."""
    return HALVES.sub("?", TURNS.sub("", BREAKS.sub(" ", text)))


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is; a number below zero gets a minus sign, not a hyphen."""
    escaped = "".join(LATEX.get(letter, letter) for letter in one_line(text))
    return re.sub(r"(?<![\w.-])-(?=\d)", "$-$", escaped)


def escape_markdown(text: str) -> str:
    """Text that Markdown prints as it is, within a table's cell."""
    return "".join(MARKDOWN.get(letter, letter) for letter in one_line(text))


def _bold(cell: str, escape: Callable[[str], str], before: str, after: str) -> str:
    return f"{before}{escape(cell[1:])}{after}" if cell.startswith(BEST) else escape(cell)


def fold(shown: pd.DataFrame, caption: str) -> tuple[pd.DataFrame, str]:
    """Drop foldable columns that hold one value; the caption then says it ("–" needs no saying)."""
    every, some, dropped = [], [], []
    for name in FOLDABLE:
        values = set(shown[name]) if name in shown else set()
        told = values - {"–"} if name in IMPLIED else values
        if not values or len(told) > 1:
            continue
        dropped.append(name)
        for value in told - {"–"}:
            (every if told == values else some).append(f"{name.lower()} {value}")
    if every:
        caption = f"{caption} Every row: {', '.join(every)}."
    if some:
        caption = f"{caption} Every row that has any: {', '.join(some)}."
    if "Paper" in shown and len(shown) and set(shown["Paper"]) == {"n/a"}:
        dropped.append("Paper")
        caption = f"{caption} The paper's number is known for no row."
    return shown.drop(columns=dropped), caption


def markdown(shown: pd.DataFrame, caption: str) -> str:
    """A pipe table with its caption above; words to the left, numbers to the right."""
    shown, caption = fold(shown, caption)
    marks = ["---:" if _numeric(shown[name]) else ":---" for name in shown]
    lines = [list(map(str, shown.columns)), *shown.to_numpy().tolist()]
    cells = ([_bold(str(cell), escape_markdown, "**", "**") for cell in line] for line in lines)
    head, *body = (f"| {' | '.join(line)} |" for line in cells)
    body = body if body else ["", NOTHING]
    return "\n".join([escape_markdown(caption), "", head, f"| {' | '.join(marks)} |", *body, ""])


def latex(shown: pd.DataFrame, caption: str, label: str, narrow: bool = False) -> str:
    """A `table*` for the packages array, booktabs and graphicx; a block of lines a target or protocol.

    A narrow one is a `table` of one column of text. No table is wider than its text.

    LaTeX cuts off what a page cannot hold. A table that is higher than a page therefore becomes several,
    under the labels LABEL, LABEL-2, and so on.
    """
    shown, caption = fold(shown, caption)
    blocks: list[tuple[str, pd.DataFrame]] = [("", shown)]
    if len(shown) and shown.columns[0] == "Target":
        targets = [part for _, part in shown.groupby("Target", sort=False)]
        alike = [name for name in OF_A_TARGET if name in shown
                 and all(len(set(part[name])) == 1 for part in targets)]  # fmt: skip
        blocks = [(_about(part, alike), part.drop(columns=["Target", *alike])) for part in targets]
    elif narrow and len(shown) and shown.columns[0] == "Protocol":
        parts = shown.groupby("Protocol", sort=False)
        blocks = [(str(name), part.drop(columns="Protocol")) for name, part in parts]
    lines = ["% Needs \\usepackage{array,booktabs,graphicx}."]
    if any(ord(letter) > LATIN for letter in escape_latex(caption + shown.to_csv())):
        lines.append("% pdfLaTeX does not know all of its letters; use XeLaTeX or LuaLaTeX.")
    for number, page in enumerate(_pages(blocks, caption, COLUMN if narrow else TEXT), 1):
        own = label if number == 1 else f"{label}-{number}"
        said = caption if number == 1 else "The table before, continued."
        lines += _latex_table(page, said, own, narrow)
    return "\n".join([*lines, ""])


def _pages(
    blocks: list[tuple[str, pd.DataFrame]], caption: str, room: tuple[int, int]
) -> list[list[tuple[str, pd.DataFrame]]]:
    """Blocks of each page, by an estimate of height from the letters of the cells."""
    least, most = room
    line = LINE * min(1.0, most / _width(pd.concat([part for _, part in blocks])))
    free = PAGE - LINE * (len(caption) * LETTER / least) - 5 * line
    pages: list[list[tuple[str, pd.DataFrame]]] = [[]]
    for about, part in blocks:
        start, free = 0, free - 1.5 * line
        for row, height in enumerate(line * _lines(part)):
            if height > free and (pages[-1] or row > start):
                if row > start:
                    pages[-1].append((about, part[start:row]))
                    about = about and f"{about.removesuffix(AGAIN)}{AGAIN}"
                pages.append([])
                start, free = row, PAGE - LINE - 6.5 * line
            free -= height
        pages[-1].append((about, part[start:]))
    return pages


def _letters(part: pd.DataFrame) -> pd.DataFrame:
    return part.astype(str).apply(lambda cells: cells.str.len())


def _width(part: pd.DataFrame) -> float:
    """Width of a table in points before it is made to fit."""
    letters = _letters(part).max().fillna(0)
    heads = pd.Series([len(str(name)) for name in part], part.columns)
    broken = letters > WIDE
    return float(
        (LETTER * letters.combine(heads, max)).where(~broken, BROKEN).sum()
        + GAP * len(part.columns)
    )


def _lines(part: pd.DataFrame) -> np.ndarray:
    """Lines that each row takes."""
    letters = _letters(part)
    broken = letters.loc[:, letters.max() > WIDE]
    if broken.empty:
        return np.ones(len(part))
    return 1.5 + np.ceil(broken.max(axis=1).to_numpy() * LETTER / BROKEN)


def _about(part: pd.DataFrame, alike: list[str]) -> str:
    """`wlasl_300: n test 446, n train 1891`."""
    said = ", ".join(f"{name[0].lower()}{name[1:]} {part[name].iloc[0]}" for name in alike)
    return f"{part['Target'].iloc[0]}" + (f": {said}" if said else "")


def _latex_table(
    blocks: list[tuple[str, pd.DataFrame]], caption: str, label: str, narrow: bool = False
) -> list[str]:
    every = pd.concat([part for _, part in blocks])
    broken = [name for name in every if every[name].astype(str).str.len().max() > WIDE]
    columns = "".join(
        r">{\raggedright\arraybackslash}p{4.5cm}" if name in broken
        else "r" if _numeric(every[name]) else "l"
        for name in every
    )  # fmt: skip
    kind, room = ("table", r"\columnwidth") if narrow else ("table*", r"\textwidth")
    lines = [
        rf"\begin{{{kind}}}[tp]",
        r"\centering",
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\label{{{label}}}",
        r"\smallskip",
        rf"\resizebox{{\ifdim\width>{room}{room}\else\width\fi}}{{!}}{{%",
        rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        _latex_row(every.columns),
    ]
    for about, part in blocks:
        lines.append(r"\midrule")
        if about:
            words = escape_latex(about)
            lines.append(
                rf"\multicolumn{{{len(every.columns)}}}{{@{{}}l}}{{\textit{{{words}}}}} \\"
            )
        group = None
        for row in part.to_dict("records"):
            if broken or (group is not None and row.get("Protocol") != group):
                lines.append(r"\addlinespace")
            group = row.get("Protocol")
            line = _latex_row(row.values())
            lines.append(line.replace(r"\_", r"\_\allowbreak{}") if broken else line)
    if every.empty:
        lines += [rf"\multicolumn{{{len(every.columns)}}}{{@{{}}l}}{{{NOTHING}}} \\"]
    return [*lines, r"\bottomrule", r"\end{tabular}}", rf"\end{{{kind}}}"]


def _latex_row(cells: Iterable[object]) -> str:
    line = " & ".join(_bold(str(cell), escape_latex, r"\textbf{", "}") for cell in cells) + r" \\"
    # A bracket or a star at the start of a row would be read as an argument of the `\\` before it.
    return f"{{}}{line}" if line.startswith(("[", "*")) else line


def _numeric(column: pd.Series) -> bool:
    return len(column) > 0 and bool(
        column.astype(str).str.match(r"^(★?\[?-?\d|n/a|–$|none$)").all()
    )
