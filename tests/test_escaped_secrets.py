"""Passwords and tokens that are written otherwise than they are read: escaped, wide, in options of programs."""

import time

import pytest

from sslslr.utils.download.addresses import public, refuse_secrets, secret_of, without_secrets
from sslslr.utils.errors import UserError

SECRET = "hunter2secret"


@pytest.mark.parametrize(
    "text",
    [
        f"https://anna%3A{SECRET}%40example.org/a",
        f"https://anna:{SECRET}%40example.org/a",
        f"https://anna%253a{SECRET}%2540example.org/a",
        f"https%3A%2F%2Fanna%3A{SECRET}%40example.org/a",
        f"https://example.org/%3Faccess_key%3D{SECRET}",
        f"https://example.org/a?token%3D{SECRET}",
        f"https://anna\uff1a{SECRET}\uff20example.org/a",
        f"https://example.org/a?\uff54\uff4f\uff4b\uff45\uff4e={SECRET}",
        f"https://anna:hun/{SECRET}@example.org/a",
        f"AccountName=a;AccountKey={SECRET};",
        f"curl -u anna:{SECRET} https://example.org/a",
        f"wget --user anna:{SECRET} https://example.org/a",
        f"Authorization: Basic YW5uY{SECRET}",
    ],
)
def test_a_secret_that_is_written_otherwise_is_refused(text):
    for values in (text, {"note": f"see <{text}>"}, {"options": {text: 1}}):
        with pytest.raises(UserError, match="netrc") as refused:
            refuse_secrets(values, "study.yaml")
        assert SECRET not in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1
    assert SECRET not in without_secrets(f"no file at {text}: look there")


def test_a_password_with_a_slash_is_one():
    url = f"https://anna:hun/{SECRET}@example.org/a"
    assert secret_of(url) == "a user name or password"
    assert public(url) == "https://example.org/a"


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/Gl%C3%BCck%20auf.zip", "https://web.archive.org/web/2020/https%3A%2F%2Fexample.org/a",
        "50 % of the signs, 100%40", "https://example.org:8080/a@b", "手語：一＠二", "train -u 3",
    ],
)  # fmt: skip
def test_what_is_escaped_and_no_secret_is_sound_and_said_as_it_is(text):
    refuse_secrets({"note": text}, "study.yaml")
    assert without_secrets(text) == text


@pytest.mark.parametrize("unit", ["%25", "%", "%40", "a%3A", " -u ", "\uff1a", "Authorization: "])
def test_long_escaped_texts_are_looked_through_at_once(unit):
    began = time.process_time()
    refuse_secrets(unit * (200_000 // len(unit)), "study.yaml")
    assert time.process_time() - began < 2
