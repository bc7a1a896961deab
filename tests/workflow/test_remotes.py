"""Results that one lab pushed and another restores: from a folder, and from an S3 on loopback.

`make restore` certifies what it pulled, so what is not sound must stop it before.
"""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from project import Project
from toys import ROOT

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")
REPORT_RULES = set(
    re.findall(r"^rule (\w+):", (ROOT / "workflow/rules/report.smk").read_text(), re.M)
)


def clone_of(project: Project, target: Path) -> Project:
    """What `git clone` of it holds: no results, no cache, nothing of Snakemake's."""
    project.run("git", "clone", "--quiet", str(project.path), str(target))
    return Project(target)


@pytest.fixture(scope="module")
def pushed(built, tmp_path_factory) -> Project:
    """A built copy with its lock committed and its results in the folder `project.remote`."""
    path = tmp_path_factory.mktemp("pushed")
    shutil.copytree(built.path, path / "project", symlinks=True)
    project = Project(path / "project")
    project.remote = path / "remote"
    project.run("dvc", "remote", "add", "--quiet", "store", str(project.remote))
    project.run("dvc", "push", "--quiet", "--remote", "store")
    project.run(*GIT, "commit", "--quiet", "--all", "--message", "Name the remote")
    return project


@pytest.fixture
def clone(pushed, tmp_path) -> Project:
    """A colleague's clone, whose remote is a copy that a test may damage."""
    project = clone_of(pushed, tmp_path / "clone")
    project.remote = tmp_path / "remote"
    shutil.copytree(pushed.remote, project.remote)
    project.run("dvc", "remote", "modify", "store", "url", str(project.remote))
    return project


def restore(project: Project, *options: str):
    return project.run(sys.executable, "scripts/restore.py", *options, check=False)


def refused(project: Project, *options: str) -> str:
    """What a restore that must fail says; and that it certified nothing."""
    done = restore(project, *options)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "nothing was certified" in done.stderr
    assert not list((project.path / ".snakemake").glob("metadata/*"))
    return done.stderr


def object_of(project: Project, name: str) -> Path:
    """Where the remote holds a file of the results."""
    lock = yaml.safe_load((project.path / "dvc.lock").read_text())
    for stage in lock["stages"].values():
        for out in stage.get("outs", []):
            md5 = out["md5"]
            if name == out["path"]:
                return project.remote / "files/md5" / md5[:2] / md5[2:]
            if name.startswith(out["path"] + "/"):
                listing = project.remote / "files/md5" / md5[:2] / md5[2:]
                for entry in json.loads(listing.read_text()):
                    if f"{out['path']}/{entry['relpath']}" == name:
                        md5 = entry["md5"]
                        return project.remote / "files/md5" / md5[:2] / md5[2:]
    raise AssertionError(f"{name} is not in dvc.lock")


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def test_restored_results_are_certified_and_later_changes_are_still_seen(clone, monkeypatch):
    """Trap 4: without Snakemake's metadata, a change of a parameter after `dvc pull` is ignored."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = restore(clone, "--remote", "store")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Snakemake has nothing to do" in done.stdout
    assert clone.dry_run() == set()
    assert clone.changed_stages() == set()
    text = (clone.path / "config/demo.yaml").read_text()
    clone.edit("config/demo.yaml", "epochs: 2", "epochs: 4")
    assert "pretrain_encoder:sl_fpn.temporal_permutation.paper.toy.s0" in clone.dry_run()
    (clone.path / "config/demo.yaml").write_text(text)

    # Every table and figure again, from the metrics that were pulled and from nothing else.
    for name in ("tables", "figures"):
        shutil.rmtree(clone.path / "results" / name)
    jobs = clone.dry_run()
    assert jobs <= REPORT_RULES
    assert {job for job in REPORT_RULES if job.startswith("render_")} == jobs
    clone.run("snakemake", "--cores", "2", "report")
    assert clone.changed_stages() == set(), "rendered again, they are the same to the byte"
    assert clone.dry_run() == set()


def test_the_makefile_restores_by_this_script():
    recipe = re.search(r"^restore:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)[1]
    assert "scripts/restore.py" in recipe
    assert "snakemake" not in recipe, "nothing is certified around the script's checks"


def test_what_is_missing_or_damaged_is_found_and_once_mended_the_pull_goes_on(clone):
    """A trap of its own: `dvc pull` does not hash what it gets, and `dvc status` believes it."""
    name = "results/metrics/random.none.paper.none.s0/metrics.csv"
    damaged = object_of(clone, name)
    missing = object_of(clone, "results/encoders/random.none.paper.none.s0/run.json")
    contents = {path: path.read_bytes() for path in (damaged, missing)}
    damage(damaged)
    missing.unlink()
    assert "has not pushed them" in refused(clone)

    missing.write_bytes(contents[missing])
    text = refused(clone)
    assert name in text
    assert "1 of " in text
    assert not (clone.path / name).exists()

    damaged.write_bytes(contents[damaged])
    shutil.rmtree(clone.path / "results/features")  # as where a pull was interrupted
    (clone.path / "results/encoders/random.none.paper.none.s0/run.json").unlink()
    assert restore(clone).returncode == 0, "what was fetched is of use, the damaged file comes anew"


def test_a_damaged_list_of_files_is_found(clone):
    lock = yaml.safe_load((clone.path / "dvc.lock").read_text())
    md5 = lock["stages"]["pretrain"]["outs"][0]["md5"]
    listing = clone.remote / "files/md5" / md5[:2] / md5[2:]
    listing.chmod(0o644)
    listing.write_text(listing.read_text().replace("encoder", "decoder", 1))
    assert "results/encoders" in refused(clone)


def test_results_that_nobody_pushed_are_an_error_that_says_so(clone):
    shutil.rmtree(clone.remote)
    assert "has not pushed them" in refused(clone)


def test_without_a_lock_there_is_nothing_to_restore(clone):
    (clone.path / "dvc.lock").unlink()
    assert "docs/share-results.md" in refused(clone)
    (clone.path / "dvc.lock").write_text("stages: [")
    assert "cannot be read" in refused(clone)


def test_an_unknown_remote_is_named_with_those_that_are_known(clone):
    assert "Known: store." in refused(clone, "--remote", "elsewhere")
    clone.run("dvc", "remote", "remove", "store")
    assert "None is configured" in refused(clone)


def test_results_of_other_code_or_settings_are_not_taken(clone):
    clone.edit("config/demo.yaml", "epochs: 2", "epochs: 3")
    text = refused(clone)
    assert "config/demo.yaml: pretrain" in text
    assert not (clone.path / "results/metrics").exists(), "nothing was fetched"
    clone.run("git", "checkout", "--", "config/demo.yaml")
    clone.edit("sslslr/encoder.py", "import torch", "import torch  # edited")
    assert "sslslr/encoder.py" in refused(clone)


def test_results_changed_by_hand_are_neither_replaced_nor_certified(clone):
    table = clone.path / "results/tables/linear.csv"
    table.parent.mkdir(parents=True)
    table.write_text("mine")
    assert "results/tables" in refused(clone)
    assert table.read_text() == "mine"


@pytest.fixture
def s3(monkeypatch, tmp_path):
    """The address of an S3 on loopback with a bucket `store`."""
    server_module = pytest.importorskip("moto.server", reason="no moto; `make test-s3` installs it")
    pytest.importorskip("dvc_s3", reason="no dvc-s3; `make test-s3` installs it")
    import boto3

    (tmp_path / "aws").write_text("")  # neither the user's settings nor the machine's
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "aws"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "aws"),
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=address).create_bucket(Bucket="store")
        yield address
    finally:
        server.stop()


def test_push_and_restore_through_s3(built, copy_of, s3, tmp_path):
    import boto3

    project = copy_of(built)
    project.run("dvc", "remote", "add", "--default", "cloud", "s3://store/sslslr")
    project.run("dvc", "remote", "modify", "cloud", "endpointurl", s3)
    project.run("dvc", "push")
    project.run(*GIT, "commit", "--quiet", "--all", "--message", "Name the remote")
    objects = boto3.client("s3", endpoint_url=s3)
    stored = objects.list_objects_v2(Bucket="store")["Contents"]
    assert len(stored) > 20

    clone = clone_of(project, tmp_path / "clone")
    lock = yaml.safe_load((clone.path / "dvc.lock").read_text())
    md5 = next(out["md5"] for out in lock["stages"]["report"]["outs"] if "html" in out["path"])
    key = next(item["Key"] for item in stored if item["Key"].endswith(md5[2:]))
    sound = objects.get_object(Bucket="store", Key=key)["Body"].read()
    objects.put_object(Bucket="store", Key=key, Body=sound[:-1] + b"?")
    assert "results/report.html" in refused(clone)
    objects.put_object(Bucket="store", Key=key, Body=sound)
    done = restore(clone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert clone.dry_run() == set()
