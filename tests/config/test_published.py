"""What is published of a text: of a place its last part, of a query what names the file, all else as it is."""

import pytest

from sslslr.config.published import published, unpublished_places


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


def test_two_local_files_of_one_name_stay_two():
    files = {"/a/x.zip": 1, "/b/x.zip": 2}
    assert sorted(published({"files": files})["files"].values()) == [1, 2]
