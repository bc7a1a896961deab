"""What a lock file of DVC and its lists of files say of results, taken from whoever wrote them.

Every path must be one of a stage's outputs, or lie plainly below it, and every hash be one: DVC itself
would follow `../..`, and take a hash for a part of a path.
"""

import hashlib
import itertools
import json
import re
from functools import partial
from pathlib import Path, PurePosixPath

import yaml

from sslslr.utils.files import refuse_vast_json
from sslslr.utils.user_files import name_fault, read_user_text, shown_value

LOCK = Path("dvc.lock")
# In the lock; by other keys DVC would go as well.
OF_AN_OUTPUT = {"path", "md5", "hash", "size", "nfiles", "isexec"}
OF_A_LIST = {"relpath", "md5"}
COUNTS = {"size", "nfiles"}
LARGEST_LOCK = 1 << 20  # bytes; a study of hundreds of runs has a tenth of it
LONGEST_LIST = 1 << 26  # bytes of a list of files
# LibYAML where PyYAML was built with it: a megabyte takes a second, not twenty.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST = 50  # levels of keys within keys
BEGINS = (
    *(yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken),
    *(yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken),
)
ENDS = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
HASH = re.compile(r"[0-9a-f]{32}")
# What leads elsewhere; Git would run what a configuration in a .git names, and DVC goes by its own files,
# wherever they lie.
ELSEWHERE = {"", ".", "..", ".git", ".dvc", ".dvcignore", "dvc.yaml", "dvc.lock"}


class Refused(Exception):
    """What was found and what to do; nothing was certified."""


def locked_outs(results: Path) -> dict[str, str]:
    """Path to md5 of the outputs that dvc.lock names; each is one of dvc.yaml, within the results."""
    if not LOCK.exists():
        raise Refused(
            f"{LOCK} is absent: it says which results belong to this commit. Who built them commits "
            "it after `dvc repro` and `dvc push`; see docs/share-results.md."
        )
    try:
        stages = read_lock()["stages"]
        entries = [out for stage in stages.values() for out in stage.get("outs", [])]
        outs = {out["path"]: out["md5"] for out in entries}
        twice = len(outs) < len(entries)
        odd = [out["path"] for out in entries if set(out) - OF_AN_OUTPUT or out["hash"] != "md5"]
        uncounted = [
            (out["path"], key)
            for out in entries
            for key in COUNTS & set(out)
            if type(out[key]) is not int or not 0 <= out[key] < 1 << 63
        ]
        stated = yaml.safe_load(read_user_text("dvc.yaml"))["stages"].values()
        known = {path for stage in stated for out in stage["outs"] for path in out}
    except (yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError, RecursionError):
        raise Refused(f"{LOCK} cannot be read. Get it anew: git checkout -- {LOCK}") from None
    if not outs:
        raise Refused(f"{LOCK} names no result. Get it anew: git checkout -- {LOCK}")
    if twice:
        raise Refused(f"{LOCK} names an output twice. Get it anew: git checkout -- {LOCK}")
    if odd:
        raise Refused(
            f"{LOCK}: {shown_value(odd[0])} has more than a path and an md5, or another hash; DVC writes none such."
        )
    if uncounted:
        path, key = uncounted[0]
        raise Refused(f"{LOCK}: {key} of {shown_value(path)} is no count of bytes or files.")
    for path, md5 in outs.items():
        if path not in known or not is_plain(path) or results not in Path(path).parents:
            raise Refused(f"{LOCK}: {shown_value(path)} is no output of a stage in {results}/.")
        if not isinstance(md5, str) or not HASH.fullmatch(md5.removesuffix(".dir")):
            raise Refused(
                f"{LOCK}: the md5 of {path} is {shown_value(md5)}, not 32 hexadecimal digits."
            )
    return outs


def read_lock() -> dict:
    """What dvc.lock holds. DVC writes no anchors: they could blow it up, or hold themselves."""
    text = read_user_text(LOCK, LARGEST_LOCK)
    depth = 0
    for token in yaml.scan(text, LOADER):
        depth += isinstance(token, BEGINS) - isinstance(token, ENDS)
        if depth > DEEPEST:  # LibYAML would follow it beyond the end of its stack
            raise Refused(f"{LOCK} cannot be read: keys within keys without end.")
        if isinstance(token, yaml.AliasToken):
            raise Refused(f"{LOCK} holds an alias (*name), which DVC never writes.")
    return yaml.load(text, LOADER)  # a safe one


def is_plain(path: object) -> bool:
    """Is it a relative path that leads nowhere but down?"""
    if not isinstance(path, str) or name_fault(path):
        return False
    return path == PurePosixPath(path).as_posix() and not ELSEWHERE & set(path.lower().split("/"))


def check_list(path: str, md5: str, content: bytes) -> dict[str, str]:
    """Relative path to md5 of a folder's files; its bytes must have the hash, its paths be plain."""
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5.removesuffix(".dir"):
        raise Refused(
            f"the list of files of {path} (object {md5[:2]}/{md5[2:]}) is damaged in the remote. Who "
            "built the results removes that object from the remote and runs `dvc push` again."
        )
    try:
        refuse_vast_json(content)
        found = json.loads(content.decode())
        if not isinstance(found, list):
            raise TypeError
        if any(set(entry) != OF_A_LIST for entry in found):  # DVC fails at more
            raise TypeError
        entries = [(entry["relpath"], entry["md5"]) for entry in found]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Refused(f"the list of files of {path} is no list of paths and hashes.") from None
    for name, of_file in entries:
        if not is_plain(name) or not isinstance(of_file, str) or not HASH.fullmatch(of_file):
            raise Refused(
                f"the list of files of {path} names {shown_value(name)} with the hash {shown_value(of_file)}: no file "
                f"below {path}. Do not use results of this {LOCK}."
            )
    # A file that is also a folder stands before what is in it.
    parts = sorted(name.split("/") for name, _ in entries)
    if any(after[: len(before)] == before for before, after in itertools.pairwise(parts)):
        raise Refused(f"the list of files of {path} names a file twice.")
    return dict(entries)


def object_of(cache: Path, md5: str) -> Path:
    return cache / md5[:2] / md5[2:]


def md5_of(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
