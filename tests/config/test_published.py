"""What is published of a text: of a place its last part, of a query what names the file, all else as it is."""

import time

import pytest

from sslslr.config.published import published, unpublished_places
from sslslr.utils.download import addresses
from sslslr.utils.download.addresses import refuse_secrets


@pytest.mark.parametrize(
    "place",
    [
        "./../../home/anna/mine", "a/../../home/anna/mine", ".//..//mine", "$HOME/mine", "${HOME}/mine",
        "%USERPROFILE%\\mine", "FILE:///home/anna/mine", "file:/home/anna/mine",
        "host:/home/anna/mine", "anna@host:/home/anna/mine", "anna@host:mine", "host.example.org:data/anna/mine",
        "rsync://host/home/anna/mine/", "sftp://host/anna/mine", "smb://host/anna/mine", "//host/anna/mine",
        "[::1]:/home/anna/mine", "C:/Users/anna/mine", " /home/anna/mine", "/home/anna/mine\n", "~anna/mine",
        "host:/home/anna/mine?x=anna", "rclone:anna/mine",
    ],
)  # fmt: skip
def test_a_place_that_is_named_otherwise_is_one_nevertheless(place):
    assert published({"folder": place}) == {"folder": "mine"}
    assert published({"files": {place: [place]}}) == {"files": {"mine": ["mine"]}}
    assert list(unpublished_places({"a": {"folder": place}})) == ["a.folder"]
    if (
        not place.startswith(("a/", "%", "[", "./", ".//", "//"))
        and ":data" not in place
        and "rcl" not in place
    ):
        shown = published({"note": f"made of ({place.strip()}), see below"})["note"]
        assert "anna" not in shown
        assert "mine), see below" in shown


@pytest.mark.parametrize("name", ["t", "state", "st", "u", "p", "k", "share", "h", "hash", "x"])
def test_of_a_query_only_what_names_the_file_is_published(name):
    """Nobody can list the names of all parameters that let somebody in."""
    url = f"https://example.org/a.zip?download=1&{name}=abcd"
    assert published({"mirror": url}) == {"mirror": "https://example.org/a.zip?download=1"}
    assert published({"note": f"see ({url})."}) == {
        "note": "see (https://example.org/a.zip?download=1)."
    }
    assert published({"mirror": f"example.org/a?{name}=abcd"}) == {"mirror": "example.org/a"}
    assert list(unpublished_places({"note": url})) == ["note"]


@pytest.mark.parametrize(
    "text",
    [
        "and/or 1/2, the /a/ hand, ~3 % better/worse", "doi:10.1000/182", "arXiv:2103.00001/v2", "Result: 3/4",
        "https://www.youtube.com/watch?v=abc", "a{b}/c", "mailto:anna@example.org", "linear:top1", "data/mine",
        "@article{li, title={A: b/c}, url={https://example.org/a?page=2}}",
    ],
)  # fmt: skip
def test_a_text_without_a_place_stays_as_it_is(text):
    assert published({"note": text}) == {"note": text}
    assert list(unpublished_places({"note": text})) == []


@pytest.mark.parametrize(
    "place",
    ["~anna", "/home/anna/", "C:\\Users\\anna", "file:///home/anna", "/export/home/anna", "sftp://host/home/anna",
     "\\\\host\\home\\anna"],
)  # fmt: skip
def test_a_home_folder_is_not_called_as_who_lives_there(place):
    assert published({"folder": place}) == {"folder": "local"}


def test_two_local_files_of_one_name_stay_two():
    files = {"/a/x.zip": 1, "/b/x.zip": 2}
    assert sorted(published({"files": files})["files"].values()) == [1, 2]


# How a text stands in a study, and how it is published; of nothing in the second place: as it stands.
SENTENCES = {
    "ASL:left/right": "", "Licence:CC-BY/4.0": "", "SPDX:MIT/X11": "", "注:左/右": "", "הערה:שמאל/ימין": "",
    "/a/ and /b/ are hands": "", "~5/10 of the clips": "", "$5/month": "", "%train/test": "", "..": "",
    "Top-1:12/30": "", "\\\\": "", "<b>x</b>/y, </i>a/b": "", "a (b)/c/d, 10/20/30": "",
    "50\\% of a\\_b, $\\frac{1}{2}$": "",
    "{A:\\textit{b}} \\\\hline\\textbf{c} C:\\emph{d}": "", "{run}/{x} $(y)/z `a/b`": "", "see //x and a // b": "",
    "10.1000/182, doi:10/abc/d": "", "https://example.org/~anna/a/b": "", "https://example.org/a:/b/c": "",
    "C:\\Users\\Anna Smith\\mine": "mine", "C:\\Users\\anna\\mine": "mine",
    "at C:\\Users\\anna\\mine, D:/anna/mine": "at mine, mine",
    "(\\\\host\\anna\\mine)": "(mine)", "../../home/anna/mine": "mine", "in ./../anna/mine": "in mine",
    "$SCRATCH/anna/mine ${HOME}/anna/x": "mine x", "%USERPROFILE%\\anna\\mine": "mine",
    "`/home/anna/mine`, */home/anna/x*": "`mine`, *x*", "“/home/anna/mine” →/home/anna/x": "“mine” →x",
    "|/home/anna/mine|": "|mine|", "a=/home/anna/mine; ~anna/x": "a=mine; x", "\\url{/home/anna/mine}": "\\url{mine}",
    "/home/anna/mine": "mine", "Notes:/home/anna/mine": "mine", "anna@host:mine ssh://host/anna/x": "mine x",
    "-/home/anna/mine, --/home/anna/x": "-mine, --x", "_/home/anna/mine_ cc -I/home/anna/x": "_mine_ cc -Ix",
    "-file:///home/anna/mine 1file:/anna/x": "-mine x", "-~/mine": "-mine", "see ..\\..\\anna\\mine": "see mine",
    "(/home/anna), /Users/anna. C:\\Users\\anna": "(local), local. local", "file:///home/anna": "local",
    "<b>/home/anna/mine</b> a)/home/anna/x //home/anna/x": "<b>mine</b> a)x x", "cc -o/home/anna/mine": "cc -omine",
    "see C:\\Users\\Anna Smith\\mine, ~anna/ in /a/mine: x": "see mine, local in mine: x", "at work/home/x": "",
    "anna@host:/home/anna": "local", "node1:/mine host:/anna/mine": "mine mine",
    "right:/left, either:/or:/both, Hand-/Arm-/Kopf, +/-/0, -i/o/e": "", "https://example.org/-/blob/main/x": "",
}  # fmt: skip


@pytest.mark.parametrize("text", SENTENCES)
def test_a_sentence_keeps_its_words_and_loses_its_places(text):
    told = SENTENCES[text] or text
    study = {"note": text, "datasets": {"a": {"options": {"licence": text, "citation": [text]}}}}
    shown = published(study)
    assert shown["note"] == told
    assert shown["datasets"]["a"]["options"] == {"licence": told, "citation": [told]}
    changed = ["note", "datasets.a.options.licence", "datasets.a.options.citation"]
    assert list(unpublished_places(study)) == (changed if told != text else [])


def test_a_long_row_of_marks_takes_no_time():
    began = time.process_time()
    assert published({"folder": f"/home/{'.' * 100_000}/mine"}) == {"folder": "mine"}
    assert time.process_time() - began < 2  # what was quadratic took half a minute


@pytest.mark.parametrize(
    "url",
    [
        "https://drive.google.com/uc?export=download&id=1AbCdEfGhIjKlMnOpQrStUvWxYz012345",
        "https://docs.google.com/uc?id=1AbCdEfGhIjKlMnOpQrStUvWxYz012345&export=download&confirm=t",
        "https://ieeexplore.ieee.org/stamp/stamp.jsp?arnumber=9093516",
        "https://en.wikipedia.org/w/index.php?title=Sign&oldid=1234567",
    ],
)
def test_a_query_that_names_the_page_stays(url):
    refuse_secrets({"citation": f"url={{{url}}}", "mirror": url}, "study.yaml")
    assert published({"note": f"see ({url}).", "mirror": url}) == {
        "note": f"see ({url}).", "mirror": url,
    }  # fmt: skip


@pytest.mark.parametrize("host", ["scholar.google.com", "scholar.google.co.uk"])
@pytest.mark.parametrize(
    "query", ["user=Zkl8L3sAAAAJ", "hl=en&user=Zkl8L3sAAAAJ", "user=Zkl8L3sAAAAJ&hl=de"]
)
def test_the_page_of_an_author_is_everybodys(host, query):
    cited = f"see (https://{host}/citations?{query}), and url={{https://{host}/citations?{query}}}"
    refuse_secrets({"citation": cited}, "study.yaml")
    assert published({"citation": cited}) == {"citation": cited}


def test_a_text_that_stands_200000_times_is_looked_at_once(monkeypatch):
    looked = []
    monkeypatch.setattr(addresses, "_refuse_secret", lambda text, path, where: looked.append(text))
    clips = [{"clip_id": f"c{i}", "reason": "too short"} for i in range(200_000)]
    refuse_secrets({"dropped": {"by_reason": {"too short": 200_000}, "clips": clips}}, "card.json")
    assert sorted(set(looked) - {clip["clip_id"] for clip in clips}) == [
        "by_reason", "clip_id", "clips", "dropped", "reason", "too short",
    ]  # fmt: skip
    assert len(looked) == len(set(looked))
