"""Addresses that can be fetched, and what of them may be shown.

Whoever may fetch a file is no part of a study: user names, passwords and tokens belong into the file
`.netrc` of the home folder (or the one that the variable NETRC names), which is read for every host. An
address that holds them is refused where settings are read (:func:`refuse_secrets`), and everything
that is stored or said of an address, also of one that a server redirects to, is :func:`public`.
"""

import re
import unicodedata
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from sslslr.utils.errors import UserError

# Parameters of a query that let somebody in: a word of the name (`X-Amz-Signature`, `sig`), or a part.
SECRET = re.compile(
    r"(^|[^a-z])(auth|bearer|creds?|hdnea|invite|jwt|login|nonce|otp|pass|pin|policy|pw|pwd|sas|sess|tok"
    r"|j?session|j?sessionid|sid|sig|ticket)($|[^a-z])|^(code|user|user_?name|e?mail)$|key($|[^a-z])"
    r"|token|secret|passw|signature|credential|api_?key|access_?key|authoriz|hmac",
    re.IGNORECASE,
)
# A value that nobody types: capitals, small letters and digits mixed, or hex digits, as long as a key.
RANDOM = re.compile(
    r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/=_~%-]{20,}|[0-9a-fA-F]{32,}|[0-9a-f-]{36}"
)
# Tokens whose makers gave them a beginning, wherever they stand (GitHub, GitLab, Hugging Face, AWS, Slack,
# Google, OpenAI and others, PyPI, npm, Stripe, SendGrid, Shopify, DigitalOcean), JSON web tokens, private keys,
# and addresses that are a secret as a whole (web hooks of Slack and Discord, bots of Telegram).
KNOWN = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|\bgl[a-z]{2,6}-[\w-]{20,}|hf_[A-Za-z0-9]{30,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}|AIza[\w-]{30,}|\bsk-[\w-]{20,}"
    r"|\bnpm_[A-Za-z0-9]{30,}|\b[rs]k_(?:live|test)_\w{10,}|\bSG\.[\w-]{10,}\.[\w-]{10,}|\bshp[a-z]{2}_\w{20,}"
    r"|\bdop_v1_\w{20,}|\bya29\.[\w-]{10,}|\b1//0[\w-]{20,}|GOCSPX-[\w-]{10,}|(?:\b|bot)\d{6,12}:[\w-]{30,}"
    r"|hooks\.slack\.com/services/\S+|discord(?:app)?\.com/api/webhooks/\S+|AGE-SECRET-KEY-1\w{10,}|PuTTY-User-Key-File"
    r"|\bBearer [\w.~+/-]{16,}|(?i:-{4,5} ?BEGIN [\w ]{0,30}PRIVATE KEY)"
    r"|\bAuthorization: ?\w{1,20} [\w.~+/=-]{8,}|(?:^|\s)(?:-u|--user)[ =][^\s:]{1,80}:[^\s]{3,80}"
    r"|pypi-[\w-]{30,}|\beyJ[\w-]{10,}\.[\w-]{10,}"
)
# What is said to be one, in a setting (API_TOKEN=...), a header, an option of a program, or a sentence. The words
# alone are in every second text on models, so what follows must look like a value: `(?=...)` asks for a digit
# and a letter in it, and a plain word counts behind `password:` alone, where the clause ends with it.
PASSWORD = r"pass(?:word|wd|phrase|code|wort)|pwd|kennwort|mot de passe|contrase\xf1a|senha|пароль|密码|密碼|パスワード"
TOKEN = r"secret|token|(?:api|access|account|private|auth|secret)[ _-]?key|credential"
MIXED = r"(?=\S{0,80}\d)(?=\S{0,80}[^\W\d])"
IS = r"[\w-]{0,20}[\"'`]?\s{0,3}(?::=|=>|[:=])\s{0,3}[\"'`]?"
SAID = re.compile(
    "|".join((
        # API_TOKEN=value
        r"(?:password|secret|token|api_?key|access_key|account_?key)\w{0,20}=(?![0-9.]+\b)[^\s&;=#]{6,}",
        # password: value, or password: word at the end of a clause
        rf"(?:{PASSWORD}){IS}(?:{MIXED}\S{{4,}}|(?!none|not|required|needed|unknown|optional|protected|n/a|yes)"
        r"[^\s.,;:)\"'`]{4,}[\"'`]?[.,;)]{0,2}(?=\s*$|[\s.,;)]*\n|[.,;)]))",
        # the password is value
        rf"(?:{PASSWORD})[\w-]{{0,20}}\s{{1,3}}(?:is |was |ist )?[\"'`]?{MIXED}\S{{6,}}",
        # token: value; pw: value; the token is VALUE
        rf"(?:{TOKEN}){IS}{MIXED}[^\s()<>{{}}\[\]]{{12,}}",
        rf"(?<![a-z])(?:pass|pw)(?![a-z]){IS}{MIXED}\S{{6,}}",
        rf"(?:{TOKEN})\s{{1,3}}(?:is )?(?-i:{MIXED}(?=\S{{0,80}}[a-z])(?=\S{{0,80}}[A-Z]))[\w+/=.-]{{20,}}",
        # --password value, --token value
        rf"--[a-z-]{{0,20}}(?:password\s{{1,3}}\S{{4,}}|(?:token|secret|api-?key)\s{{1,3}}{MIXED}\S{{8,}})",
        # headers
        rf"authorization[\"']?\s?[:=]\s?[\"']?(?:\w{{1,20}} )?{MIXED}\S{{8,}}",
        r"cookie[\"']?: ?[\w-]{1,40}=[^\s;]{6,}",
        # programs that take it behind -p, and addresses that are signed
        r"\b(?:sshpass|mysql\w{0,9}|docker login)\b[^\n]{0,80}\s-p ?\S{4,}",
        rf"\bsig(?:nature)?={MIXED}\S{{8,}}",
    )),
    re.IGNORECASE,
)  # fmt: skip
# One of these stands in every text that SAID finds something in; it is a slow search.
STEMS = (
    *("pass", "pw", "kennwort", "mot de", "contrase", "senha", "пароль", "密", "パス"),
    *("secret", "token", "key", "credential", "authori", "cookie", "docker login", "mysql", "sig"),
)
# `user:password@host` without a scheme, as scp and git write it, or behind one that lacks a slash.
LOGIN = re.compile(
    r"(?:^|[/\\\s'\"<(\[{=,;`“|])(?!mailto:)[^/\\\s'\"<(\[{=,;:`“|]{1,200}:[^\s/@]{1,200}"
    r"@[A-Za-z0-9][A-Za-z0-9.-]{0,200}"
)
# Parameters that say which file or page is meant. Nobody can list the names of all that let somebody in,
# so of a query that is published only these stay.
OPEN = re.compile(
    r"arnumber|articleid|author|commit|dl|doi|download|export|fileid|format|gid|id|lang(uage|_code)?|list|oldid|page"
    r"|persistentid|q|raw|ref|rev(ision)?|sign|title|v|version",
    re.IGNORECASE,
)
# A query behind anything, as `example.org/a?sig=x`, where the scheme was forgotten.
QUERY = re.compile(r"\?(?=[\w%.\[\]-]{1,80}=)[^\s'\"<>{}|\\^`)]+")
# `code=ase`, as lists of languages have it.
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{2})?", re.IGNORECASE)
# The page of an author, as citations have it, and a file on Google Drive: what names them looks like a token.
EVERYBODYS = re.compile(
    r"(https://(?:scholar\.google(?:\.[a-z]{2,3}){1,2}/citations\?(?:user=[\w-]{12}|&|hl=[\w-]{2,5}){1,3}"
    r"|(?:drive|docs|drive\.usercontent)\.google\.com/(?:uc|open|download)\?"
    r"(?:id=[\w-]{20,60}|&|(?:export|confirm)=\w{1,10}){1,5}))"
    r"(?=[).,;:!]*(?:[\s'\"<>{}|\\^`]|$))"
)
LONGEST = 1_000_000  # characters of a text: it is looked through a microsecond each
NOWHERE = "https://-/"  # before a query, to take it for one
PARAMETER = re.compile(";[^/;=]*=")  # of a path
CONTENT = re.compile(r"commit|sha\d*|md5|rev\w*|ref|version|hash|checksum", re.IGNORECASE)
# A scheme without a bound would be looked for from every letter of a long word.
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s'\"<>{}|\\^`]+")
ADVICE = (
    "It would stand in logs, in the report and in what is published. Write the address without it; user "
    "and password for the host belong into ~/.netrc (or the file that $NETRC names), which downloads "
    "read. Where only such an address works, fetch the file by hand and name your copy."
)


def public(url: str) -> str:
    """The address without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        parts.port  # noqa: B018
    except ValueError:  # as `http://[`, or a slash in a password, which ends the host before its @
        return re.sub(r"//.*@", "//", re.split(r"[?#]", url)[0])
    path = parts.path.split(";")[0] if PARAMETER.search(parts.path) else parts.path
    return urlunsplit((parts.scheme, host, path, "", ""))


def shareable(url: str) -> str:
    """The address as it is published: of its query only what says which file or page is meant."""
    tail = url[len(url.rstrip(").,;:!")) :]  # of the sentence around it
    plain = public(url.removesuffix(tail))
    try:
        stated = urlsplit(url.removesuffix(tail)).query.split("&")
    except ValueError:
        stated = []
    kept = "&".join(pair for pair in stated if OPEN.fullmatch(unquote(pair.partition("=")[0])))
    return (f"{plain}?{kept}" if kept and not secret_of(f"{plain}?{kept}") else plain) + tail


def shareable_text(text: str) -> str:
    """A text in which each address, and each query without one, is :func:`shareable`."""
    return "".join(
        part if EVERYBODYS.fullmatch(part) else _shareable(part) for part in EVERYBODYS.split(text)
    )


def _shareable(text: str) -> str:
    text = ADDRESS.sub(lambda match: shareable(match[0]), text)
    return QUERY.sub(lambda match: shareable(NOWHERE + match[0]).removeprefix(NOWHERE), text)


def _unescaped(text: str) -> str:
    """A text as a server may read it: `%40` is `@`, also where it was escaped twice, and so is a wide one."""
    for _ in range(3):
        text = unquote(text) if "%" in text else text
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", text)  # without what nobody sees, as a space of no width
    return "".join(c for c in plain if unicodedata.category(c) != "Cf")


def without_secrets(text: str) -> str:
    """A text in which each address is :func:`public`, without logins and known tokens: for messages that
    repeat what somebody wrote, or what a library says of it.
    """
    shown = _without_secrets(text)
    hidden = _unescaped(shown)
    return shown if _without_secrets(hidden) == hidden else _without_secrets(_unescaped(text))


def _without_secrets(text: str) -> str:
    text = QUERY.sub("", ADDRESS.sub(lambda match: public(match[0]), text))
    return SAID.sub("...", KNOWN.sub("...", LOGIN.sub("...", text)))


def secret_of(url: str) -> str:
    """What of an address must not be published: "a user name or password", ...; empty for nothing."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018
    except ValueError:
        return "a user name or password" if "@" in url else ""
    if "@" in parts.netloc:
        return "a user name or password"
    if _has_token(url):
        return "what looks like a token"
    # A semicolon parts the parameters of a path, and in some queries those of the query.
    stated = [text.replace(";", "&") for text in (parts.query, parts.fragment)]
    stated.append("&".join(parts.path.split(";")[1:]))
    for name, value in (pair for text in stated for pair in parse_qsl(text)):
        if name.lower() == "code" and LANGUAGE.fullmatch(value):
            continue
        if SECRET.search(name) or (RANDOM.fullmatch(value) and not CONTENT.fullmatch(name)):
            return "what looks like a token in its query"
        if LOGIN.search(unquote(value)):  # an address within the address
            return "a user name or password"
    words = [word for text in stated for word in re.split(r"[&;]", text)]
    return "what looks like a token in its query" if any(map(RANDOM.fullmatch, words)) else ""


def _shown(url: str) -> str:
    return SAID.sub("...", KNOWN.sub("...", public(url))).removeprefix(NOWHERE) or "a text"


def refuse_secrets(values: Any, where: str) -> None:
    """Raise UserError for the first text within `values` that holds an address with a secret.

    Args:
        values: text, lists and dictionaries, as YAML or JSON gives them; also ones that hold themselves.
        where: what holds the values, for the message: a file, an option.
    """
    left: list[tuple[tuple, Any]] = [((), values)]
    # Texts, and ids of what holds them: a card repeats its keys 200,000 times.
    seen: set[Any] = set()
    while left:
        path, value = left.pop()
        if isinstance(value, str) and value not in seen:
            seen.add(value)
            _refuse_secret(value, path, where)
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            entries = value.items() if isinstance(value, dict) else enumerate(value)
            for name, entry in entries:
                if isinstance(entry, dict | list | tuple | str):
                    left.append(((path, name), entry))
                # It may be an address itself, as the files of a data set can be.
                if isinstance(name, str):
                    left.append((path, name))


def _refuse_secret(text: str, path: tuple, where: str) -> None:
    if len(text) > LONGEST:
        raise UserError(
            f"{where}: {_dotted(path) or 'a text'}: {len(text)} characters; at most {LONGEST} are read."
        )
    _refuse_secret_as_it_stands(text, path, where)
    if (hidden := _unescaped(text)) != text:
        _refuse_secret_as_it_stands(hidden, path, where)


def _refuse_secret_as_it_stands(text: str, path: tuple, where: str) -> None:
    urls = []
    if "://" in text:
        text = EVERYBODYS.sub(" ", text)
        urls = ADDRESS.findall(text)
    if "?" in text:
        urls += map(NOWHERE.__add__, QUERY.findall(text))
    for url in urls:
        if secret := secret_of(url):
            shown = _shown(url).removeprefix(NOWHERE)
            raise UserError(f"{_place(where, path)}: {shown} has {secret} in its address. {ADVICE}")
    if ("@" in text and LOGIN.search(text)) or _has_token(text):
        raise UserError(
            f"{_place(where, path)}: has what looks like a password or a token. {ADVICE}"
        )


def _has_token(text: str) -> bool:
    return bool(KNOWN.search(text) or (_said_in(text) and SAID.search(text)))


def _said_in(text: str) -> bool:
    lower = text.lower()
    return any(stem in lower for stem in STEMS)


def _place(where: str, path: tuple) -> str:
    return f"{where}: {_dotted(path)}" if path else where


def _dotted(path: tuple) -> str:
    """`a.b` of (((), "a"), "b")."""
    names: list[str] = []
    while path:
        path, name = path
        names.append(public(name) if isinstance(name, str) else str(name))
    return ".".join(reversed(names))


def check_address(url: str, allow_http: bool) -> None:
    """Raise UserError for an address that is not HTTPS, names no host, or holds a password.

    Only :func:`public` of it is said: a redirect may hold a token.
    """
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        parts.port  # noqa: B018  (raises where it is no number)
    except ValueError:
        sound = False
    if not sound:
        raise UserError(
            f"{public(url)}: not an address that can be fetched; it must begin with https://."
        )
    if "@" in parts.netloc:
        raise UserError(f"{public(url)}: has a user name or password in its address. {ADVICE}")
    if parts.scheme == "http" and not allow_http:
        raise UserError(
            f"{public(url)}: refused, because it is not HTTPS and anyone on the way could change the file. "
            "Set downloads.allow_http: true (`--allow-http`) to fetch it nevertheless."
        )
