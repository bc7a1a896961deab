"""The README's first screen says what the published study says."""

import re
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent
STUDIES = ("study_hands", "study_geometry")
ROW = re.compile(r"^\| (?P<claim>[^|]+) <!-- (?P<id>\w+) --> \|(?P<cells>.+)\|$", re.MULTILINE)


def _cell(row: pd.Series) -> str:
    if pd.isna(row.difference):
        return "not measured"
    reason = f" ({row.reason})" if isinstance(row.reason, str) and row.reason else ""
    effect, low, high = (
        f"{100 * value:.1f}".replace("-", "−") for value in (row.difference, row.low, row.high)
    )
    return f"{row.verdict}{reason}, {effect} [{low}, {high}]"


def _verdicts(study: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / f"docs/study/{study}/tables/verdicts.csv").set_index("claim")


def test_the_answer_on_the_first_screen_is_that_of_the_published_studies():
    columns = [_verdicts(study) for study in STUDIES]
    readme = (ROOT / "README.md").read_text()
    rows = {
        match["id"]: [cell.strip() for cell in match["cells"].split("|")]
        for match in ROW.finditer(readme)
    }
    assert sorted(rows) == sorted(columns[1].index[columns[1].source == "paper"])
    for claim, cells in rows.items():
        assert cells == [_cell(verdicts.loc[claim]) for verdicts in columns]
    assert readme.index("## The answer so far") < readme.index("## Two commands")
