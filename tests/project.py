"""Copies of the repository, with a tiny study, to run the workflow in."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import warm
from toys import ROOT

HERE = Path(__file__).parent / "workflow"


@dataclass
class Project:
    """A working copy of the repository, with the tools of this environment."""

    path: Path

    def environment(self, quick: bool = True) -> dict[str, str]:
        """For the copy's sources, not those that are installed; `quick`: see warm.py."""
        folders = [str(warm.commands())] if quick else []
        return {
            **os.environ,
            "PATH": os.pathsep.join(
                [*folders, str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
            "PYTHONPATH": str(self.path),
            "DVC_NO_ANALYTICS": "1",
        }

    def run(
        self, *command: str, check: bool = True, timeout: int = 1200, quick: bool = True
    ) -> subprocess.CompletedProcess:
        """Run a command in the project; with `quick` off, each process starts from nothing."""
        environment = self.environment(quick)
        done = subprocess.run(
            [shutil.which(command[0], path=environment["PATH"]) or command[0], *command[1:]],
            cwd=self.path,
            env=environment,
            text=True,
            capture_output=True,
            timeout=timeout,
        )
        assert not check or done.returncode == 0, (
            f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
        )
        return done

    def dry_run(self, *extra: str) -> set[str]:
        """The jobs that Snakemake would run, as `rule` or `rule:wildcard`; empty for none."""
        done = self.run("snakemake", "--dry-run", *extra)
        text = done.stdout + done.stderr
        if "Nothing to be done" in text:
            return set()
        jobs = set()
        for block in re.split(r"\n(?=(?:localrule|rule) )", text):
            if match := re.match(r"(?:local)?rule (\w+):", block):
                wildcards = re.search(r"wildcards: \w+=(\S+)", block)
                jobs.add(match[1] + (f":{wildcards[1]}" if wildcards else ""))
        assert jobs, text
        return jobs - {"all"}

    def changed_stages(self) -> set[str]:
        """The stages that DVC holds to be out of date because of their own deps or params."""
        import json

        return set(json.loads(self.run("dvc", "status", "--json").stdout))

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.path / name).read_text()
        assert old in text, f"{old!r} is not in {name}"
        (self.path / name).write_text(text.replace(old, new, 1))


def copy_sources(target: Path) -> None:
    """What a clone would hold: tracked and new files, nothing that is ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def copy_repository(target: Path, study: Path | None = HERE / "tiny.yaml") -> Project:
    """What a clone would hold, with a repository of its own.

    Args:
        study: takes the place of config/demo.yaml; None leaves that.
    """
    copy_sources(target)
    if study:
        shutil.copy(study, target / "config/demo.yaml")
    project = Project(target)
    project.run("script", "scripts/generate.py")
    author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "tiny"]):
        project.run("git", *author, *command, quick=False)
    return project
