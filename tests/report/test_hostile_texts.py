"""Texts of strangers in the tables: what LaTeX, Markdown or a reader would take for more than text."""

import pandas as pd
import pytest

from sslslr.report.tables import _markup as markup
from sslslr.utils.tables import read_written, write_csv

# Of a note, a gloss, a signer or a set: what ends a paragraph, a row or a cell, what only a file of another
# encoding can hold, and marks that turn the cells beside round.
HOSTILE = "\n\n\r\x0c\x00\x1b[31m\x85\u2028\u202e\u2066"


@pytest.mark.parametrize(
    "text", [f"a{HOSTILE}b", f"{HOSTILE}\\end{{table}} | <b> & % $ ~ ^ # _ {{"]
)
def test_a_text_cannot_leave_its_cell(text):
    shown = pd.DataFrame({"Method": [text, "b"], "Signer": ["c", text]})
    for write in (markup.markdown, lambda *given: markup.latex(*given, "tab:x")):
        lines = write(shown, f"C. {text} \ud800").splitlines()
        assert len(lines) == len(write(shown.replace(text, "t" * len(text)), "C. t").splitlines())
        assert "".join(lines).isprintable()
        "".join(lines).encode()


def test_signs_print_as_they_are():
    assert markup.escape_markdown("&lt; ~~a~~ $b$ https://x") == r"\&lt; \~\~a\~\~ \$b\$ https://x"
    assert markup.escape_latex("<|>") == r"\textless{}\textbar{}\textgreater{}"
    for first in ("*", "[1cm]"):  # `\\*` and `\\[1cm]` are commands
        assert f"\n{{}}{first} & " in markup.latex(
            pd.DataFrame({"A": [first], "B": "b"}), "C.", "l"
        )
    needs = "use XeLaTeX or LuaLaTeX"
    assert needs not in markup.latex(pd.DataFrame({"A": ["é → ± “a”"]}), "C – d.", "tab:x")
    assert needs in markup.latex(pd.DataFrame({"A": ["手語"]}), "C.", "tab:x")


@pytest.mark.parametrize("text", ["a\rb", "a\r\nb", '"\r,', "=1+1", "\n", "-", " a "])
def test_a_text_reads_back_from_csv_as_it_was(text, tmp_path):
    table = pd.DataFrame({"gloss": [text, "b"], "n": [1, 2], "score": [0.5, float("nan")]})
    write_csv(table, tmp_path / "a.csv", float_format="%.4f")
    read = read_written(tmp_path / "a.csv")
    assert read.to_dict("list") == {"gloss": [text, "b"], "n": ["1", "2"], "score": ["0.5000", ""]}
