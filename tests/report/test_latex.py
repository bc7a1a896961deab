"""The tables through LaTeX itself, where it is installed: nothing is cut off, nothing sticks out."""

import shutil
import subprocess

import pandas as pd
import pytest

from sslslr.report.tables import _markup as markup


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
@pytest.mark.parametrize("options", ["", "twocolumn", "12pt,a4paper"])
@pytest.mark.parametrize("letters", [8, 60, 200])
@pytest.mark.parametrize("narrow", [True, False])
def test_latex_prints_every_row_of_a_long_table(tmp_path, options, letters, narrow):
    rows = {"Claim": ["ab_ " * (letters // 4)] * 60, "n": ["9"] * 60}
    tex = markup.latex(pd.DataFrame(rows), "A caption of some length. " * 20, "tab:x", narrow)
    lines = [f"\\documentclass[{options}]{{article}}", r"\usepackage{array,booktabs,graphicx}",
             r"\begin{document}", tex, r"\end{document}"]  # fmt: skip
    (tmp_path / "page.tex").write_text("\n".join(lines))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0
    assert "too large" not in ran.stdout
    assert "Overfull" not in ran.stdout
