"""What of a study's configuration is published: in the report, in provenance.json and in the archive.

Settings that decide nothing of the results stay at home, and of a local path only its last part is
told, of a query only what says which file is meant. An address with a password never comes so far
(`sslslr.config.settings.parse` refuses it).
"""

import re
from collections.abc import Iterator
from typing import Any

from sslslr.utils.download.addresses import shareable_text

# Where files are kept, what was agreed to, what a scheduler is asked for.
AT_HOME = ("downloads", "accept_licences", "resources")
# Sentences: `ASL:left/right` and `/a/ and /b/` are no places there.
SENTENCES = ("note", "licence", "citation")
# The beginnings of a path that leads out of the study's folder, on any system; `host:folder/x` as scp and
# rsync write it; an address of a scheme that the web does not have, which names folders of a machine.
LOCAL = re.compile(
    r"\s*(/|~[\w.-]*([/\\]|$)|(\$\{?|%)\w+[%}]?[/\\]|(\w[^\s/\\:]*[/\\]+|\.[/\\]+)*\.\.([/\\]|$)"
    r"|[a-z]:[/\\]|\\\\|[\w.-]+@[\w.-]+:\S|(?!(doi|arxiv|hdl|urn|isbn):)([\w.-]+|\[[\da-f:.]+\]):(?!//)[^\s:]*[/\\]"
    r"|(?!https?:)[a-z][a-z0-9+.-]*://).*",
    re.IGNORECASE | re.DOTALL,
)
WINDOWS = re.compile(r"[a-z]:\\\w|\\\\\w", re.IGNORECASE)  # a folder's name may hold a blank
# The same within a text: only what is nothing else there, so no `and/or` and no `1/2`. A mark before it
# counts where no word goes before the mark: `-/home/x`, not `Hand-/Arm-/Kopf`.
LOCAL_WORD = re.compile(
    r"((?<![\w.~@/:%$\\)\]}>+&?#!-])|(?<=(?<![\w.~/\\)\]}>])[@:+&?#!_-])(?![@:+&?#!_-])|(?<=(?<!\w)(?-i:-[IL]))|(?=file:)"
    # Home folders behind a closing mark, `//` and an option, too.
    r"|(?<![\w.~/\\:@-])(?=/{1,3}(home|users)/\w)|(?<=(?<!\w)-\w)(?=/(home|users)/\w))"
    # With a blank in the name only where both words look like names and a folder follows.
    r"(([a-z]:[/\\]|/)users[/\\](?-i:[A-Z][\w.-]*( [A-Z][\w.-]*){1,2})(?=[/\\])|/{2,3}(?=(home|users)/\w)"
    r"|(?!https?:)[a-z][a-z0-9+.-]{0,30}://|file:/|[\w.-]{1,80}@[\w.-]{1,80}:(?=[\w~/])"
    # A host, though no `right:/left`: with a dot or a digit in its name, or a folder within a folder.
    r"|[\w.-]{1,80}:/(?!/)(?=[^\s:/]{1,200}/)|(?=[a-z-]{0,80}[.\d])[\w.-]{1,80}:/(?!/)"
    r"|~([a-z_][\w.-]{0,80}/|/(?=\w))|/(?=\.?\w)[\w.@~+-]{1,200}/(?=\w)"
    # Windows' drives and shares, but no commands of LaTeX; folders above; variables that name folders.
    r"|[a-z]:/|([a-z]:|\\\\[\w.-]{1,80}|(\.{1,2}[/\\]){0,9}\.\.)\\(?![a-z]+\{)(?=\w)|(\.{1,2}/){0,9}\.\./(?=\w)"
    r"|(?-i:\$\{?[A-Z_]{4,40}\}?/|%[A-Z_]{4,40}%\\))"
    r"[^\s'\"<>)\]}`*|”»]*",
    re.IGNORECASE,
)
# A folder in one of these is called as who lives there.
HOMES = ("home", "homes", "users", "documents and settings")


def published(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration, as plain values, without what is nobody's business.

    A study can be made of it again, but for the places of local files, which have only their names.
    """
    kept = {key: value for key, value in config.items() if key not in AT_HOME}
    if "threads" in config.get("resources", {}):  # sums in another order: the one that can tell
        kept["resources"] = {"threads": config["resources"]["threads"]}
    return {key: _without_places(value, key) for key, value in kept.items()}


def unpublished_places(value: Any, key: str = "") -> Iterator[str]:
    """Dotted keys, below `key`, of values that are published otherwise than they stand there."""
    if isinstance(value, dict):
        for name, entry in value.items():
            if _without_place(str(name)) != str(name):
                yield key or "the name of a key"
            yield from unpublished_places(entry, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from unpublished_places(entry, key)
    elif isinstance(value, str) and _without_place(value, key.rpartition(".")[2]) != value:
        yield key


def _without_places(value: Any, key: Any = "") -> Any:
    if isinstance(value, dict):
        named = {key: _without_place(key) if isinstance(key, str) else key for key in value}
        if len(set(named.values())) < len(named):  # two folders may hold files of one name
            named = {key: f"{name} ({i})" for i, (key, name) in enumerate(named.items(), 1)}
        return {named[key]: _without_places(entry, key) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_places(entry, key) for entry in value]
    return _without_place(value, key) if isinstance(value, str) else value


def _without_place(text: str, key: Any = "") -> str:
    """A text in which no address lets anybody in; of one that is a local place its last part."""
    if LOCAL.fullmatch(text) and (key not in SENTENCES or WINDOWS.match(text)):
        return _last_part(text)
    return shareable_text(LOCAL_WORD.sub(lambda match: _last_part(match[0]), text))


def _last_part(place: str) -> str:
    place = re.split("[?#]", place.strip())[0].rstrip("/\\")
    bare = place.rstrip(".,;:!")  # of the sentence around it
    *above, last = re.split(r"[/\\:]+", bare)
    if not above or not last.strip("~"):  # `~anna`, `$HOME`, `C:`; `..`
        return "local" + (place[len(bare) :] if last else "")
    return ("local" if above[-1].lower() in HOMES else last) + place[len(bare) :]
