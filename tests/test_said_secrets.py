"""Passwords and tokens that a sentence, a header, a setting or a command says to be one."""

import contextlib
import time

import pytest

from sslslr.utils.download.addresses import public, refuse_secrets, without_secrets
from sslslr.utils.errors import UserError

SECRET = "hunter2secret"
SAID = [
    *(f"{word}: {SECRET}" for word in (
        *("password", "Passwort", "passphrase", "mot de passe", "kennwort", "contraseña", "пароль", "密码", "pw"),
        *("token", "secret", "api key", "access token", "X-API-Key", "PRIVATE-TOKEN", "client_secret"),
    )),
    f"login anna password {SECRET}",
    f"The password is {SECRET}; use it once.",
    "as anna, password: swordfish.",
    f'{{"password": "{SECRET}"}}',
    f"'token': '{SECRET}'",
    f"password = {SECRET}",
    f"PASSWORD := {SECRET}",
    f"passwd={SECRET}",
    f"Server=h;Pwd={SECRET};Uid=a",
    f"password=\n{SECRET}",
    f"p\u200bassword={SECRET}",
    f"密码：{SECRET}",
    f"SecretAccessKey: {SECRET}",
    f"secret key wJalrXUtnFEMI/K7{SECRET}",
    f"wget --http-password {SECRET} h",
    f"sslslr --token {SECRET}",
    f"sshpass -p {SECRET} ssh a@b",
    f"docker login -u a -p {SECRET}",
    f"Cookie: session={SECRET}",
    f"authorization: bearer {SECRET}",
    f"SharedAccessSignature sv=2020&sig={SECRET}",
    f"anna@lab.org:{SECRET}@example.org",
    f"“anna:{SECRET}@example.org”",
    f"-----begin rsa private key-----\n{SECRET}",
    f"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n{SECRET}",
    f"https://hooks.slack.com/services/T0/B0/{SECRET}",
    f"https://api.telegram.org/bot123456:{SECRET}{'a1' * 10}/getMe",
    *(f"{mark}{SECRET}{'a1' * 9}" for mark in (
        *("xapp-", "xoxe-", "sk_live_", "rk_test_", "dop_v1_", "ya29.", "glptt-", "hf_", "GOCSPX-", "shpat_"),
    )),
]  # fmt: skip


@pytest.mark.parametrize("text", SAID)
def test_what_is_said_to_be_a_secret_is_refused(text):
    with pytest.raises(UserError, match="netrc") as refused:
        refuse_secrets({"note": f"Made in 2026. {text}"}, "study.yaml")
    said = str(refused.value)
    assert len(said.splitlines()) == 1
    assert SECRET not in said
    if "private key" not in text.lower():  # of which the first line is enough to refuse it
        assert SECRET not in without_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "password: ask the authors", "A password is needed: write to them", "password: required", "Password protected",
        "the password is sent by mail", "passwords are in ~/.netrc", "token: 16x16", "tokens: 30-frame windows",
        "first pass: training", "pass: 1", "two passes: 10 epochs each", "the secret token of BERT", "n_tokens: 1024",
        "tokens of 16x16 pixels", "token embeddings (ViT-B/16)", "api key: on request", "Licence key: CC-BY-4.0",
        "git@github.com:org/repo", "anna@example.org: see there", "authorization: by the university in 2020",
        "@article{a, key={2020abc}}", "keypoints: 75x2", "signature=none", "a secret (`https://example.org/Ab3c/d`)",
    ],
)  # fmt: skip
def test_what_speaks_of_secrets_is_none(text):
    refuse_secrets({"note": text}, "study.yaml")
    assert without_secrets(text) == text or "://" in text


@pytest.mark.parametrize(
    "unit",
    [
        "password", "password:", "password ", "password: a1", "token ", "token 1aA", "key: x1", "pass=", "pw: ", "--a-",
        "cookie: a", "authorization: ", "mysql ", "docker login ", "sig=", "a@a:", "1234567:", "“", "密码", "gl", "xox",
    ],
)  # fmt: skip
def test_long_texts_of_such_words_are_looked_through_at_once(unit):
    text = unit * (200_000 // len(unit))
    began = time.process_time()
    with contextlib.suppress(UserError):
        refuse_secrets(text, "study.yaml")
    assert time.process_time() - began < 2


def test_an_address_that_is_a_secret_as_a_whole_is_not_repeated():
    url = f"https://hooks.slack.com/services/T0/B0/{SECRET}"
    assert public(url) == url  # of the web's own grammar it has nothing to leave out
    assert SECRET not in without_secrets(f"no file at {url}: look there")
