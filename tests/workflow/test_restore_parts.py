"""What `scripts/restore.py` refuses before it fetches anything, part by part, without a built project."""

import hashlib
import json
import os
import runpy
import subprocess
import time
from pathlib import Path

import pytest

from sslslr.utils.errors import UserError
from toys import ROOT

RESTORE = runpy.run_path(str(ROOT / "scripts/restore.py"))


@pytest.mark.parametrize(
    "entry",
    [
        {"relpath": "/tmp/sslslr-planted"},
        {"relpath": "a/../../../sitecustomize.py"},
        {"relpath": "a//b"},
        {"relpath": "./a"},
        {"relpath": ""},
        {"relpath": 7},
        {"relpath": ".git/config"},
        {"relpath": "a/.GIT/hooks/post-checkout"},
        {"relpath": "a/.dvcignore"},
        {"relpath": "a/dvc.yaml"},
        {"relpath": "\ud800"},
        {"relpath": "a" * 300},
        {"relpath": "a\\..\\b"},
        {"relpath": "a", "md5": "../../../../sitecustomize"},
        {"relpath": "a", "md5": "abc"},
        {"relpath": "a", "md5": None},
    ],
    ids=repr,
)
def test_a_list_that_names_a_file_elsewhere_is_none(entry):
    content = json.dumps([{"md5": "ab" + "c" * 30, **entry}]).encode()
    with pytest.raises(RESTORE["Refused"], match="no file below results/encoders"):
        RESTORE["check_list"]("results/encoders", hashlib.md5(content).hexdigest(), content)


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("b/a", "a", "b/a/c/d"), ("a/b", "a")])
def test_a_list_that_names_a_place_twice_is_none(names):
    entries = [{"md5": "ab" + "c" * 30, "relpath": name} for name in (*names, "a.b", "a-b/c")]
    content = json.dumps(entries).encode()
    with pytest.raises(RESTORE["Refused"], match="names a file twice"):
        RESTORE["check_list"]("results/encoders", hashlib.md5(content).hexdigest(), content)


def test_a_long_list_of_deep_paths_is_looked_through_at_once():
    deep = "/".join("a" * 400)
    entries = [{"md5": "ab" + "c" * 30, "relpath": f"{n}/{deep}"} for n in range(5_000)]
    content = json.dumps(entries).encode()
    began = time.process_time()
    assert (
        len(RESTORE["check_list"]("results/x", hashlib.md5(content).hexdigest(), content)) == 5_000
    )
    assert time.process_time() - began < 5


def test_nothing_within_the_results_leads_elsewhere_or_waits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("elsewhere/encoders/run", "elsewhere/other", "sslslr"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "results").symlink_to("elsewhere")
    look = RESTORE["refuse_links_and_pipes"]
    look(Path("results"), {"results/encoders": "", "results/new": ""})
    for place, target in {
        "metrics": "../sslslr", "tables": "../nowhere", "figures": "other", "loop": "loop",
        "all": ".", "seals": "../sslslr",
    }.items():  # fmt: skip
        (tmp_path / "results" / place).symlink_to(target)
        for out in (f"results/{place}", f"results/{place}/linear") if place != "seals" else ():
            with pytest.raises(RESTORE["Refused"], match="is a link, or lies behind one"):
                look(Path("results"), {out: ""})
    with pytest.raises(RESTORE["Refused"], match="results/seals is a link"):
        look(Path("results"), {})
    (tmp_path / "results/seals").unlink()
    inner = tmp_path / "results/encoders/run/\x1b"
    for make in (os.mkfifo, *(
        lambda path, to=to: path.symlink_to(to) for to in ("/dev/zero", "..", "\x1b", "/nowhere")
    )):  # fmt: skip
        make(inner)
        with pytest.raises(
            RESTORE["Refused"], match=r"run/\\x1b is a (link|pipe).* no stage writes"
        ):
            look(Path("results"), {"results/encoders": ""})
        inner.unlink()


TWO = f"{{path: results/x, hash: md5, md5: {'a' * 32}}}"
OUT = "stages: {s: {outs: [{path: results/x, hash: md5, md5: %s"


def write_out(lock, **more):
    out = {"path": "results/x", "hash": "md5", "md5": "a" * 32, **more}
    lock.write_text(json.dumps({"stages": {"s": {"outs": [out]}}}))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "is a pipe"),
        (lambda lock: lock.symlink_to("/dev/zero"), "is a device"),
        (Path.mkdir, "is a folder"),
        (lambda lock: lock.write_text("a: &a {x: 1}\nstages: {b: *a}\n"), "holds an alias"),
        (lambda lock: lock.write_text("stages: &s {a: *s}\n"), "holds an alias"),
        (lambda lock: lock.write_text("stages: " + "[" * 2000), "cannot be read"),
        (lambda lock: lock.write_text("stages: {}\n"), "names no result"),
        (lambda lock: write_out(lock, hash="md5-dos2unix"), "another hash"),
        (lambda lock: write_out(lock, hash="../x"), "another hash"),
        (lambda lock: write_out(lock, cloud={"lab": {"version_id": "x"}}), "more than a path"),
        (lambda lock: write_out(lock, etag="../x"), "more than a path"),
        (
            lambda lock: write_out(lock, files=[{"relpath": "../../x", "md5": "../../../x"}]),
            "more than a path",
        ),
        *(
            (lambda lock, of=of: write_out(lock, **of), "is no count of bytes or files")
            for of in (
                {"size": -1},
                {"size": "x"},
                {"nfiles": True},
                {"nfiles": 10**400},
                {"size": 1e30},
            )
        ),
        (lambda lock: lock.write_text(OUT % ("0x" + "f" * 5000) + "}]}}"), "thousands of digits"),
        (lambda lock: write_out(lock, path="a" * 100_000), "no output of a stage"),
        (lambda lock: write_out(lock, md5="z" * 500_000), "not 32 hexadecimal digits"),
        (lambda lock: write_out(lock, md5="\x1b[31m\n"), "not 32 hexadecimal digits"),
        (lambda lock: write_out(lock, path=["results/x"]), "cannot be read"),
        (lambda lock: write_out(lock, path=True), "no output of a stage"),
        (
            lambda lock: lock.write_text(f"stages: {{a: {{outs: [{TWO}]}}, b: {{outs: [{TWO}]}}}}"),
            "names an output twice",
        ),
        (lambda lock: lock.write_text("x" * 2_000_000), "at most 1048576 are read"),
        (
            lambda lock: lock.write_text(
                "stages: {" + "s%d: {outs: []}," * 20_000 % (*range(20_000),) + "}"
            ),
            "names no result",
        ),
        (lambda lock: lock.write_text("stages: " + "{a: " * 3000), "cannot be read"),
        *(
            (lambda lock, unit=unit: lock.write_text(unit * 250_000), "cannot be read")
            for unit in ("- ", "? ", "[", "{a: ", "a: ")
        ),
        (lambda lock: lock.write_text(": " * 50_000), "cannot be read"),
        (lambda lock: lock.write_text("? {a: 1}\n: 2"), "cannot be read"),
        (lambda lock: lock.write_text("stages: !!timestamp x"), "cannot be read"),
        (
            lambda lock: lock.write_text("stages: !!python/object/apply:os.system [id]"),
            "cannot be read",
        ),
        (lambda lock: lock.write_text("---\na: 1\n---\nb: 2"), "cannot be read"),
        (lambda lock: lock.write_bytes(b"stages: \xe9"), "not in UTF-8"),
        (lambda lock: lock.write_bytes(b"stages: \0"), "cannot be read"),
    ],
)
def test_a_lock_that_is_none_is_refused_at_once(tmp_path, monkeypatch, make, said):
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text("stages: {s: {outs: [{results/x: {persist: true}}]}}\n")
    make(Path("dvc.lock"))
    began = time.process_time()
    with pytest.raises((RESTORE["Refused"], UserError), match=said) as refused:
        RESTORE["locked_outs"](Path("results"))
    assert time.process_time() - began < 5
    assert len(str(refused.value)) < 600
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"{}", b'"ab"', b"[" + b"[]," * (1 << 21) + b"[]]", b'["a"]', b"[[1, 2]]", b"[" * 100_000, b"[NaN]",
     json.dumps([{"relpath": "a", "md5": "a" * 32, "remote": "../x"}]).encode(),
     "[]".encode("utf-16"), b'["\xe9"]'],
)  # fmt: skip
def test_a_list_of_files_that_is_none_is_refused(content):
    with pytest.raises(RESTORE["Refused"], match="is no list of paths and hashes"):
        RESTORE["check_list"]("results/x", hashlib.md5(content).hexdigest(), content)


@pytest.mark.parametrize("md5", ["x\n\x1b" * 100_000, int("9" * 4000), ["a"] * 10_000])
def test_what_a_list_names_is_said_in_one_line(md5):
    content = json.dumps([{"relpath": "a", "md5": md5}]).encode()
    with pytest.raises(RESTORE["Refused"]) as refused:
        RESTORE["check_list"]("results/x", hashlib.md5(content).hexdigest(), content)
    assert len(str(refused.value)) < 900
    assert str(refused.value).isprintable()


REMOTE = "['remote \"lab\"']\n    url = /shared\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (REMOTE + "    credentialpath = keys\n", "remote lab: credentialpath.*modify --local lab"),
        (REMOTE + "    configpath = aws\n", "remote lab: configpath"),
        (REMOTE + "    keyfile = key\n", "remote lab: keyfile"),
        (REMOTE + "    access_key_id = AKIA\n", "remote lab: access_key_id"),
        # A reader that takes an indented line for the rest of the one before sees no [cache] here.
        ("[core]\nremote = lab\n   [cache]\n   dir = /elsewhere\n", "sets cache: dir"),
        ("[db]\npickle = x\n", r"sets db: pickle.*dvc config --local db\.pickle"),
        ("[core]\nmachine = x\n", "sets core: machine"),
        ("[core\n", "cannot be read"),
        ("remote = lab\n", "cannot be read"),
        ("core = 3\n", "cannot be read"),
    ],
)
def test_a_committed_configuration_of_dvc_names_remotes_alone(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text(text)
    with pytest.raises(RESTORE["Refused"], match=said):
        RESTORE["refuse_settings_of_dvc"]()


@pytest.mark.parametrize(
    "text",
    [
        "",
        (ROOT / ".dvc/config").read_text() + REMOTE + "    endpointurl = https://s3.example.org\n",
    ],
)
def test_remotes_and_our_own_settings_may_stand_there(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    RESTORE["refuse_settings_of_dvc"]()  # none at all
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text(text)
    RESTORE["refuse_settings_of_dvc"]()


def test_a_local_configuration_that_was_committed_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    Path(".dvc/config.local").write_text("[cache]\ndir = /elsewhere\n")
    subprocess.run(["git", "init", "--quiet"], check=True)
    RESTORE["refuse_settings_of_dvc"]()
    subprocess.run(["git", "add", "--force", ".dvc/config.local"], check=True)
    with pytest.raises(RESTORE["Refused"], match=r"config\.local' is in git"):
        RESTORE["refuse_settings_of_dvc"]()


@pytest.mark.parametrize("name", ["cache", "cache/files/md5/ab", "tmp/lock", "plots/x.json"])
def test_what_a_commit_put_into_dvcs_folder_is_refused(tmp_path, monkeypatch, name):
    """A cache that is a link is written to, wherever it leads."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / ".dvc" / name
    place.parent.mkdir(parents=True)
    place.symlink_to("/elsewhere")
    subprocess.run(["git", "init", "--quiet"], check=True)
    RESTORE["refuse_settings_of_dvc"]()  # one's own
    subprocess.run(["git", "add", "--force", ".dvc"], check=True)
    with pytest.raises(RESTORE["Refused"], match=rf"\.dvc/{name}' is in git"):
        RESTORE["refuse_settings_of_dvc"]()
