"""How a user's words look in a figure, and letters that a font lacks."""

import warnings

import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure

from sslslr.report.figures import _style as style


@pytest.mark.parametrize(
    ("name", "length", "expected"),
    [
        ("book", 4, "book"),
        ("books", 4, "boo…"),
        ("a\n b\t", None, "a b"),
        ("手話手話", 8, "手話手話"),
        ("手話手話", 7, "手話手…"),
        ("手話手話", 6, "手話…"),
        ("_x", None, "\u200e_x"),
        ("مرحبا", 3, "\u2068مر…\u2069"),
        ("", 3, ""),
    ],
)
def test_a_name_is_cut_to_its_columns_and_keeps_its_direction(name, length, expected):
    assert style.shown(name, length) == expected


def saved(text, stem):
    """The figure's text after it was saved, and the warnings."""
    figure = Figure(figsize=(2, 1))
    drawn = figure.text(0.1, 0.5, text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        style.save(figure, stem)
    return drawn, [str(warning.message) for warning in caught]


def test_letters_that_no_font_has_are_named_once(tmp_path):
    """matplotlib drew boxes, and said so twice a letter."""
    _, said = saved("\U0010fffd a \u2068b\u2069", tmp_path / "x")
    assert len(said) == 1
    assert "no font here has \U0010fffd; boxes stand in their place. Install one" in said[0]
    assert saved("été مرحبا", tmp_path / "y")[1] == []


def test_letters_are_borrowed_from_a_font_that_has_them(tmp_path):
    """Of matplotlib's own fonts one has a sign that DejaVu Sans has not."""
    own = style._letters(font_manager.findfont(style.FONT))
    other = style._letters(font_manager.findfont("STIXNonUnicode"))
    letter = min(other - own)
    drawn, said = saved(f"{letter} a", tmp_path / "x")
    assert said == []
    assert drawn.get_fontfamily()[0] == style.FONT
    assert len(drawn.get_fontfamily()) > 1
    assert len(saved("a", tmp_path / "y")[0].get_fontfamily()) == 1


def test_a_method_keeps_its_line_beside_its_ablations():
    """In one report SL-FPN was black in one figure and blue in another."""
    plain = ("sl_fpn", "temporal_permutation", "paper", "")
    tagged, other = (*plain[:3], "no_original"), ("simclr", *plain[1:])
    alone = style.line_styles([plain])[plain]
    styles = style.line_styles([tagged, other, plain])
    assert {**styles[plain], "label": ""} == {**alone, "label": ""}
    lines = {(style["color"], style["linestyle"]) for style in styles.values()}
    assert len(lines) == 3


def test_more_groups_than_lines_still_have_one_each():
    groups = [("sl_fpn", "v", "paper", f"tag{i}") for i in range(40)]
    assert len(style.line_styles(groups)) == 40
