"""The profiles: what one must repeat of the other, and that groups name all small jobs."""

import re

import yaml

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
