"""The profiles: what one must repeat of the other, and that groups name all small jobs."""

import re

import pytest
import yaml

from sslslr.utils.errors import UserError
from sslslr.workflow.start import refuse_missing_profile
from toys import ROOT


def settings(name: str) -> dict:
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())


def test_slurms_profile_repeats_what_it_replaces():
    """`--workflow-profile` replaces `profiles/default`."""
    for_one_machine = {"latency-wait", "resources", "shared-fs-usage"}
    default, slurm = settings("default"), settings("slurm")
    assert {key: slurm.get(key) for key in set(default) - for_one_machine} == {
        key: value for key, value in default.items() if key not in for_one_machine
    }


def test_every_job_of_the_report_is_in_its_group():
    text = (ROOT / "workflow/rules/report.smk").read_text()
    rules = set(re.findall(r"^rule (\w+):", text, re.MULTILINE)) - {"report"}
    assert len(rules) >= 4
    groups = dict(entry.split("=") for entry in settings("slurm")["groups"])
    assert {rule for rule, group in groups.items() if group == "report"} == rules
    assert "cores" in settings("slurm"), "without it grouped jobs stay pending"


def test_a_profile_is_looked_for_where_snakemake_was_called(tmp_path, monkeypatch):
    """With `--directory` Snakemake has gone elsewhere when the rules are read."""
    (tmp_path / "profiles/mine").mkdir(parents=True)
    (tmp_path / "profiles/mine/config.yaml").touch()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name in ("profiles/mine", "mine", "profiles/mine/config.yaml", "profiles/mine/", "none"):
        for words in (["--workflow-profile", name], [f"--workflow-profile={name}"]):
            refuse_missing_profile([*words, "--directory", "elsewhere"], ROOT / "Snakefile")
    for name in ("profiles/mien", "mien", "profiles", "profiles/mine/confg.yaml", "elsewhere"):
        for words in (["--workflow-profile", name], [f"--workflow-prof={name}"]):
            with pytest.raises(UserError, match="there is no such profile"):
                refuse_missing_profile(words, ROOT / "Snakefile")
