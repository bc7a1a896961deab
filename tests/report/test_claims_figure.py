"""The forest plot of the claims against the table it is drawn from."""

import numpy as np
import pandas as pd
import pytest

from sslslr.report.figures.claims import claims_forest

CLAIM = {"claim": "a", "source": "paper", "dataset": "x", "pretrain_dataset": "x", "opponent": "o",
         "p_corrected": 0.01, "n_test": 200, "smallest_difference": 0.05, "comparisons": 1, "seeds": 5,
         "missing": "", "reason": ""}  # fmt: skip


def test_a_line_a_claim_at_its_difference_filled_where_it_is_decided():
    rows = [
        {"statement": "Ahead.", "verdict": "holds", "difference": 0.1, "low": 0.02, "high": 0.18},
        {"statement": "Level.", "verdict": "cannot tell", "difference": 0.0, "low": -0.1, "high": 0.1},
        {"statement": "One seed.", "verdict": "cannot tell", "difference": 0.1, "low": 0.02, "high": 0.18,
         "reason": "1 seed"},
        {"statement": "Not run.", "verdict": "cannot tell", "difference": np.nan, "low": np.nan,
         "high": np.nan, "comparisons": 0},
    ]  # fmt: skip
    figure = claims_forest(pd.DataFrame([{**CLAIM, **row} for row in rows]))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "Ahead.",
        "Level.",
        "One seed.",
    ]
    ahead, level, one = (line for line in axes.lines if line.get_marker() == "o")
    assert ahead.get_xdata()[0] == pytest.approx(10)
    assert ahead.get_markerfacecolor() != "white"
    assert level.get_markerfacecolor() == one.get_markerfacecolor() == "white"
    assert [text.get_text() for text in axes.texts] == [
        "holds",
        "cannot tell",
        "cannot tell (1 seed)",
    ]
    (text,) = claims_forest(pd.DataFrame([{**CLAIM, **rows[3]}])).texts
    assert text.get_text().startswith("No claim")
