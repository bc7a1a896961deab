"""Get built results from a DVC remote, check every byte, and certify them for Snakemake.

    python scripts/restore.py [--remote NAME]        (or: make restore REMOTE=NAME)

A lock file of hashes may come from anybody, and so may what a remote serves for them. So nothing is
put in its place before all of it is known: the lists of files are fetched first and every path in
them must lie in its stage's output (`locked_results.py`); then the files, into DVC's cache, each of
which must have its hash; then they are copied beside their place and renamed.

Certifying (`snakemake --touch --forceall`) makes Snakemake take for up to date whatever lies in the
results folder. So it comes last, after DVC finds nothing changed. On any error nothing is certified.
"""

import argparse
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from locked_results import LOCK, LONGEST_LIST, Refused, check_list, locked_outs, md5_of, object_of

from sslslr.config.load import load
from sslslr.utils.download.addresses import without_secrets
from sslslr.utils.errors import UserError
from sslslr.utils.files import atomic_file, atomic_folder
from sslslr.utils.user_files import open_user_file, read_user_text, shown

CONFIG = "config/demo.yaml"  # the study of dvc.yaml
DVC_CONFIG = Path(".dvc/config")
# What a commit may say there: where remotes are. Other settings name files with commands in them (AWS's
# `credential_process`), secrets, or a cache anywhere on the disk.
OF_A_REMOTE = {"url", "endpointurl", "region", "profile", "verify", "version_aware", "jobs"}
OF_DVC = {
    "core": {"remote", "analytics", "autostage", "check_update", "no_scm"},
    "cache": {"type"},
}
SHOWN = 12  # lines of a list before it is cut


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--remote", help="name of the DVC remote; left out: the default one")
    remote = parser.parse_args().remote
    os.chdir(Path(__file__).resolve().parents[1])
    try:
        refuse_settings_of_dvc()
        results = Path(load(CONFIG).results)
        outs = locked_outs(results)
        refuse_links_and_pipes(results, outs)
        cache = folder_of_cache()
        for md5 in outs.values():
            refuse_no_file(object_of(cache, md5))
        refuse_other_code_and_changed_results(outs)
        remote = remote or default_remote()
        fetch(remote, outs, cache)
        count = place(outs, cache)
        refuse_anything_changed()
        certify(results)
    except (Refused, UserError) as refusal:
        print(f"restore: {refusal}\nrestore: nothing was certified.", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        said = " ".join(error.cmd[:2])
        print(f"restore: `{said}` failed, see above. Nothing was certified.", file=sys.stderr)
        return 1
    print(f"restore: {count} files have the hashes of {LOCK}; Snakemake has nothing to do.")
    return 0


def refuse_settings_of_dvc() -> None:
    """Before DVC goes by it: the committed configuration names remotes and nothing else."""
    from dvc.config import Config, ConfigError

    # A cache that is a link leads elsewhere, and so may one in it.
    folder = DVC_CONFIG.parent.as_posix()
    asked = subprocess.run(["git", "ls-files", "-z", "--", folder], capture_output=True, text=True)
    own = {f"{folder}/.gitignore", str(DVC_CONFIG), ""}
    if foreign := sorted(set(asked.stdout.split("\0")) - own):
        raise Refused(
            f"{foreign[0]!r} is in git, where it came with a commit; DVC's folder is each person's own, but "
            f"for its configuration. Look at what it says or leads to, then take it out: git rm {foreign[0]}"
        )
    if not DVC_CONFIG.exists():
        return
    read_user_text(DVC_CONFIG, 1 << 20)  # a plain file of a sound size
    try:
        stated = Config.load_file(str(DVC_CONFIG))  # by the parser that DVC itself goes by
        parts = {(kind, ""): settings for kind, settings in stated.items() if kind != "remote"}
        parts |= {("remote", name): settings for name, settings in stated.get("remote", {}).items()}
        more = [
            (kind, name, key)
            for (kind, name), settings in parts.items()
            for key in dict(settings)
            if key not in (OF_A_REMOTE if kind == "remote" else OF_DVC.get(kind, ()))
        ]
    except (ConfigError, ValueError, TypeError, AttributeError):
        raise Refused(
            f"{DVC_CONFIG} cannot be read. Get it anew: git checkout -- {DVC_CONFIG}"
        ) from None
    for kind, name, key in more:
        own = f"dvc remote modify --local {name}" if name else f"dvc config --local {kind}."
        raise Refused(
            f"{DVC_CONFIG} sets {' '.join(filter(None, (kind, name)))}: {key}. A commit of anybody's may do so, and "
            "DVC could be led to read a file that names a command, or to write elsewhere. If you trust it, "
            f"take it out there and set it for yourself: {own}{' ' * bool(name)}{key} VALUE"
        )


def refuse_links_and_pipes(results: Path, outs: dict[str, str]) -> None:
    """Within the results nothing leads elsewhere or waits: they alone may be a link.

    One may come with anybody's commit. DVC would read a device without end, and what is restored or
    sealed would be written where a link leads.
    """
    for place in (*map(Path, outs), results / "seals"):
        if any(part.is_symlink() for part in (place, *place.parents) if results in part.parents):
            raise Refused(
                f"{place} is a link, or lies behind one. What is restored would be written where it leads, "
                f"or replace it. Move it away: mv {place} {place}.mine"
            )
        for file in [place] * place.exists() + list(place.rglob("*")):
            if stat.S_IFMT(mode := file.lstat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
                kind = "a link" if stat.S_ISLNK(mode) else "a pipe, a socket or a device"
                raise Refused(
                    f"{shown(file)} is {kind}, which no stage writes, and would be replaced. Move it away."
                )


def changes() -> dict[str, str]:
    """What `dvc status` finds: path or key -> how it differs from dvc.lock."""
    stages = json.loads(run("dvc", "status", "--json", "dvc.yaml", show=False))
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


def refuse_other_code_and_changed_results(outs: dict[str, str]) -> None:
    """Before anything is fetched: results of other code are no use, and one's own are not replaced."""
    expected = {"deleted", "not in cache"}  # what is to be fetched
    found = {path: how for path, how in changes().items() if how not in expected}
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
    # `dvc remote list` draws a table, which breaks a long address over lines.
    settings = run("dvc", "config", "--list", show=False)
    return re.findall(r"^remote\.(.+?)\.url=", settings, re.MULTILINE)


def known_remotes(names: list[str]) -> str:
    return f"Known: {', '.join(names)}." if names else "None is configured."


def folder_of_cache() -> Path:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            return Path(repo.cache.local.path)
    except DvcException as error:  # no repository of DVC's, a configuration that cannot be read
        raise Refused(f"DVC cannot be asked for its cache: {said_by(error)}") from None


def refuse_no_file(place: str | Path) -> None:
    """DVC would wait for a pipe, read a device without end, and fail at a folder."""
    if os.path.exists(place):
        open_user_file(place).close()


def fetch(remote: str, outs: dict[str, str], cache: Path) -> None:
    """Fetch all objects of `outs` into DVC's cache, the lists of files first."""
    from dvc.repo import Repo

    if remote not in (names := remotes()):
        raise Refused(
            f"there is no remote {remote!r}. {known_remotes(names)} Add it: "
            f"dvc remote add {remote} URL"
        )
    missing = (
        f"`dvc fetch` from {remote!r} failed. If files are missing there, who built the results has "
        f"not pushed them: dvc push --remote {remote}. What was fetched is kept; run this again when "
        "it is mended."
    )
    with Repo() as repo:
        try:
            store = repo.cloud.get_remote_odb(remote)
        except Exception as error:  # of an extra that is not installed, of an address that is none
            raise Refused(f"the remote {remote!r} cannot be used: {said_by(error)}") from None
        local = store.fs.protocol == "local"  # a folder that others may write to
        objects = {md5 for md5 in outs.values() if not md5.endswith(".dir")}
        for path, md5 in outs.items():
            if md5.endswith(".dir"):
                if local:
                    refuse_no_file(store.oid_to_path(md5))
                try:
                    with store.fs.open(store.oid_to_path(md5), "rb") as stream:
                        content = stream.read(LONGEST_LIST)
                except Exception as error:  # of any file system that DVC knows
                    raise Refused(f"the list of {path}: {said_by(error)}\n{missing}") from None
                objects |= set(check_list(path, md5, content).values())
                with atomic_file(object_of(cache, md5)) as temporary:
                    temporary.write_bytes(content)  # what DVC goes by from here on
        for md5 in sorted(objects):
            refuse_no_file(object_of(cache, md5))
            if local:
                refuse_no_file(store.oid_to_path(md5))
    try:
        run("dvc", "fetch", "--remote", remote, "dvc.yaml")  # and of no other file
    except subprocess.CalledProcessError:
        raise Refused(missing) from None


def place(outs: dict[str, str], cache: Path) -> int:
    """Put outputs in their places once all of their files have their hashes.

    A fetch alone does not hash, and then takes a damaged object for sound. Damaged ones are removed
    from the cache, so that they are fetched anew.

    Returns:
        The number of files.
    """
    files: dict[str, dict[str, str]] = {}
    for path, md5 in outs.items():
        inner = {"": md5}
        if md5.endswith(".dir"):
            inner = check_list(path, md5, object_of(cache, md5).read_bytes())
        files[path] = inner
    damaged = []
    for path, inner in files.items():
        for name, md5 in inner.items():
            if not (file := object_of(cache, md5)).is_file() or md5_of(file) != md5:
                damaged.append(f"{Path(path, name)} (object {md5[:2]}/{md5[2:]})")
                file.unlink(missing_ok=True)
    count = sum(map(len, files.values()))
    if damaged:
        raise Refused(
            f"{len(damaged)} of {count} files are damaged in the remote (their hash is not the one "
            f"of {LOCK}; a full disk leaves empty ones):\n{listed(damaged)}\n"
            "Nothing of them was put in place. Who built the results removes these objects from the "
            "remote and runs `dvc push` again (push skips what is there already)."
        )
    if mine := sorted(file for path, inner in files.items() for file in others(Path(path), inner)):
        raise Refused(
            f"these files are not those of {LOCK} and would be replaced:\n{listed(mine)}\n"
            "Move them away (mv results results.mine), and run this again."
        )
    for path, inner in files.items():
        if "" in inner:
            with atomic_file(path) as temporary:
                shutil.copyfile(object_of(cache, inner[""]), temporary)
            continue
        with atomic_folder(path) as temporary:
            for name, md5 in inner.items():
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(object_of(cache, md5), temporary / name)
    return count


def others(path: Path, inner: dict[str, str]) -> list[str]:
    """Files that are at an output's place and are not of the lock: somebody's own."""
    there = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    names = {file: "" if file == path else file.relative_to(path).as_posix() for file in there}
    return [str(file) for file, name in names.items() if inner.get(name) != md5_of(file)]


def refuse_anything_changed() -> None:
    if found := changes():
        raise Refused(
            f"after the pull DVC still finds changes:\n"
            f"{listed(f'{path} ({how})' for path, how in sorted(found.items()))}"
        )


def certify(results: Path) -> None:
    """Have Snakemake take the files for those of its jobs, and seal them."""
    shutil.rmtree(results / "seals", ignore_errors=True)  # of what was here before
    try:
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


def said_by(error: Exception) -> str:
    return shown(without_secrets(" ".join(str(error).split())))


def listed(lines) -> str:
    lines = list(map(shown, lines))
    more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*(f"  {line}" for line in lines[:SHOWN]), *more])


if __name__ == "__main__":
    sys.exit(main())
