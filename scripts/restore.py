"""Get built results from a DVC remote, check every byte, and certify them for Snakemake.

    python scripts/restore.py [--remote NAME]        (or: make restore REMOTE=NAME)

Certifying (`snakemake --touch --forceall`) makes Snakemake take for up to date whatever lies in the
results folder. So it comes last, after three checks: the lock file is of this code and this
configuration; every file has the hash that the lock file says; DVC finds nothing changed. On any
error nothing is certified.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import yaml

LOCK = Path("dvc.lock")
CACHE = Path(".dvc/cache/files/md5")
BLOCK = 1 << 20
SHOWN = 12  # lines of a list before it is cut


class Refused(Exception):
    """What was found and what to do; nothing was certified."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--remote", help="name of the DVC remote; left out: the default one")
    remote = parser.parse_args().remote
    try:
        outs = locked_outs()
        refuse_other_code_and_changed_results()
        pull(remote or default_remote())
        count = verify(outs)
        refuse_anything_changed()
        certify()
    except Refused as refusal:
        print(f"restore: {refusal}\nrestore: nothing was certified.", file=sys.stderr)
        return 1
    print(f"restore: {count} files have the hashes of {LOCK}; Snakemake has nothing to do.")
    return 0


def locked_outs() -> list[dict]:
    """The outputs that dvc.lock names."""
    if not LOCK.exists():
        raise Refused(
            f"{LOCK} is absent: it says which results belong to this commit. Who built them commits "
            "it after `dvc repro` and `dvc push`; see docs/share-results.md."
        )
    try:
        stages = yaml.safe_load(LOCK.read_text())["stages"]
        return [out for stage in stages.values() for out in stage.get("outs", [])]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise Refused(f"{LOCK} cannot be read. Get it anew: git checkout -- {LOCK}") from None


def changes() -> dict[str, str]:
    """What `dvc status` finds: path or key -> how it differs from dvc.lock."""
    stages = json.loads(run("dvc", "status", "--json", show=False))
    found: dict[str, str] = {}
    for stage, entries in stages.items():
        for entry in entries:
            if not isinstance(entry, dict):
                found[f"stage {stage}"] = str(entry)
                continue
            for changed in entry.values():
                for path, how in changed.items():
                    if isinstance(how, dict):  # keys of a configuration
                        found |= {f"{path}: {key}": state for key, state in how.items()}
                    else:
                        found[path] = how
    return found


def refuse_other_code_and_changed_results() -> None:
    """Before anything is fetched: results of other code are no use, and one's own are not replaced."""
    expected = {"deleted", "not in cache"}  # what is to be fetched
    found = {path: how for path, how in changes().items() if how not in expected}
    outs = {out["path"]: out["md5"] for out in locked_outs()}
    found = {path: how for path, how in found.items() if not is_part_of(path, outs.get(path, ""))}
    if mine := sorted(path for path in found if path in outs):
        raise Refused(
            f"these results differ from those of {LOCK} and would be replaced:\n{listed(mine)}\n"
            "Move them away (mv results results.mine), or go back to the locked ones with "
            "`dvc checkout --force`, and run this again."
        )
    if found:
        raise Refused(
            f"{LOCK} is of other code or another configuration:\n"
            f"{listed(f'{path} ({how})' for path, how in sorted(found.items()))}\n"
            "Check out the commit that it was made at (git stash, git checkout), or build here: "
            "dvc repro"
        )


def is_part_of(path: str, md5: str) -> bool:
    """Is it a folder that an interrupted pull left unfinished, and nothing else in it?"""
    listing = CACHE / md5[:2] / md5[2:]
    if not md5.endswith(".dir") or not listing.exists():
        return False
    expected = expected_files(Path(path), md5)
    present = [file for file in Path(path).rglob("*") if file.is_file()]
    return all(file in expected and md5_of(file) == expected[file] for file in present)


def default_remote() -> str:
    """The remote of `dvc remote add --default`, or the only one there is."""
    names = remotes()
    default = subprocess.run(["dvc", "config", "core.remote"], capture_output=True, text=True)
    if name := default.stdout.strip():
        return name
    if len(names) == 1:
        return names[0]
    raise Refused(
        f"which remote? {known_remotes(names)} Name one: make restore REMOTE=NAME, or add one: "
        "dvc remote add --default NAME URL"
    )


def remotes() -> list[str]:
    return [line.split()[0] for line in run("dvc", "remote", "list", show=False).splitlines()]


def known_remotes(names: list[str]) -> str:
    return f"Known: {', '.join(names)}." if names else "None is configured."


def pull(remote: str) -> None:
    if remote not in (names := remotes()):
        raise Refused(
            f"there is no remote {remote!r}. {known_remotes(names)} Add it: "
            f"dvc remote add {remote} URL"
        )
    try:
        run("dvc", "pull", "--remote", remote)
    except subprocess.CalledProcessError:
        raise Refused(
            f"`dvc pull` from {remote!r} failed, see above. If files are missing there, who built "
            f"the results has not pushed them: dvc push --remote {remote}. What was fetched is kept; "
            "run this again when it is mended."
        ) from None


def verify(outs: list[dict]) -> int:
    """Hash every file; a pull alone does not, and then takes a damaged object for sound.

    Damaged files are removed, from the results and from the cache, so that they are fetched anew.

    Returns:
        How many files were found sound.
    """
    count, damaged = 0, []
    for out in outs:
        path = Path(out["path"])
        for file, expected in expected_files(path, out["md5"]).items():
            count += 1
            if not file.is_file() or md5_of(file) != expected:
                damaged.append(f"{file} (object {expected[:2]}/{expected[2:]})")
                file.unlink(missing_ok=True)
                (CACHE / expected[:2] / expected[2:]).unlink(missing_ok=True)
    if damaged:
        raise Refused(
            f"{len(damaged)} of {count} files are damaged in the remote (their hash is not the one "
            f"of {LOCK}):\n{listed(damaged)}\n"
            "They were removed here. Who built the results removes these objects from the remote "
            "and runs `dvc push` again (push skips what is there already)."
        )
    return count


def expected_files(path: Path, md5: str) -> dict[Path, str]:
    """File -> md5 of an output, which is one file or a folder with a list of its files."""
    if not md5.endswith(".dir"):
        return {path: md5}
    listing = CACHE / md5[:2] / md5[2:]
    content = listing.read_bytes() if listing.exists() else b""
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5.removesuffix(".dir"):
        listing.unlink(missing_ok=True)
        raise Refused(
            f"the list of files of {path} (object {md5[:2]}/{md5[2:]}) is damaged in the remote. Who "
            "built the results removes that object from the remote and runs `dvc push` again."
        )
    return {path / entry["relpath"]: entry["md5"] for entry in json.loads(content)}


def md5_of(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def refuse_anything_changed() -> None:
    if found := changes():
        raise Refused(
            f"after the pull DVC still finds changes:\n"
            f"{listed(f'{path} ({how})' for path, how in sorted(found.items()))}"
        )


def certify() -> None:
    try:
        # The seals of what was here before are of other files; DVC has checked those that are here.
        run("sslslr", "check-results", "--anew", "--adopt")
        run("snakemake", "--touch", "--forceall", "--cores", "1", "--quiet", "all")
        plan = run("snakemake", "--dry-run", show=False)
    except subprocess.CalledProcessError as error:
        raise Refused(f"Snakemake failed, see above:\n{error.stderr or ''}") from None
    if "Nothing to be done" not in plan:
        raise Refused(f"Snakemake still has something to do:\n{plan[-3000:]}")


def run(*command: str, show: bool = True) -> str:
    """Run a command; with `show` its output goes to the screen."""
    done = subprocess.run(command, text=True, stdout=None if show else subprocess.PIPE,
                          stderr=None if show else subprocess.PIPE)  # fmt: skip
    if done.returncode:
        if not show:
            print(done.stdout + done.stderr, file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return (done.stdout or "") + (done.stderr or "")


def listed(lines) -> str:
    lines = list(lines)
    more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*(f"  {line}" for line in lines[:SHOWN]), *more])


if __name__ == "__main__":
    sys.exit(main())
