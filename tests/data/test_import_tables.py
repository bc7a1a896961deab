"""Tables of labels as people have them: read where their meaning is certain, else named."""

import pytest

from sslslr.utils.errors import UserError
from sslslr.utils.tables import read_table


def read(tmp_path, text, encoding="utf-8"):
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    return read_table(tmp_path / "t.csv")


def test_one_name_written_in_two_ways_is_one(tmp_path):
    """They were two classes, and `Train` no split."""
    rows = read(
        tmp_path, "id, gloss ,Split,split\na,été,x,Train\nb, e\u0301te\u0301 ,x,TEST \nc,  \n"
    )
    assert rows["gloss"].tolist() == ["été", "été", None]
    assert rows["split"].tolist() == ["train", "test", None]
    assert rows["clip_id"].tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        ("id,gloss\na,été\n", "latin-1", "not in UTF-8 .* Save it as a csv in UTF-8"),
        ("a,0\nb,1\n", "utf-8", "The first line, 'a,0', names no column.*put a header before it"),
        ("id,gloss,x\n" + "a,b\0,c\n", "utf-8", "zero bytes"),
        ("id,gloss,aspect\na,b,wide\n", "utf-8", "row 2: aspect 'wide' is not a number"),
        ("# made by hand\n\nid,gloss,fps\na,b,0\n", "utf-8", "row 4: fps '0' must be above 0"),
        ("id,gloss,gloss \na,b,c\n", "utf-8", "two columns are called 'gloss'"),
        ("id,gloss,fps\na,b,-5\n", "utf-8", "row 2: fps '-5' must be above 0"),
        ("id,gloss,fps\na,b,inf\n", "utf-8", "row 2: fps 'inf' must be above 0"),
    ],
)
def test_a_table_as_other_programs_save_it_is_named(tmp_path, text, encoding, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, text, encoding)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("id;gloss;fps\na;b;29,97\n", "utf-8"),
        ("id\tgloss\tfps\na\tb\t29.97\n", "utf-16"),
        ("# by hand\nID,Gloss,Frame Rate\na,b,29.97\n", "utf-8-sig"),
        ("sep=;\nid;gloss;fps\na;b;29,97\n", "utf-8-sig"),
    ],
)
def test_other_separators_encodings_and_headers_are_read(tmp_path, text, encoding):
    rows = read(tmp_path, text, encoding)
    assert rows[["clip_id", "gloss", "fps"]].to_dict("records") == [
        {"clip_id": "a", "gloss": "b", "fps": 29.97}
    ]
