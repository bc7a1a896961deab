"""Results that one lab pushed and another restores: from a folder, and from an S3 on loopback.

`make restore` certifies what it pulled, so what is not sound must stop it before.
"""

import hashlib
import json
import os
import re
import runpy
import shutil
from pathlib import Path

import pytest
import yaml

import chaos
from project import Project
from sslslr.workflow import seals
from toys import ROOT

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")
RESTORE = runpy.run_path(str(ROOT / "scripts/restore.py"))
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
    with (project.path / ".dvc/config").open("a") as stream:
        stream.write(f"['remote \"store\"']\n    url = {project.remote}\n")
    project.run("dvc", "push", "--quiet", "--remote", "store")
    project.run(*GIT, "commit", "--quiet", "--all", "--message", "Name the remote")
    return project


@pytest.fixture
def clone(pushed, tmp_path) -> Project:
    """A colleague's clone, whose remote is a copy that a test may damage."""
    project = clone_of(pushed, tmp_path / "clone")
    project.remote = tmp_path / "remote"
    shutil.copytree(pushed.remote, project.remote)
    project.edit(".dvc/config", str(pushed.remote), str(project.remote))
    return project


def restore(project: Project, *options: str):
    return project.run("script", "scripts/restore.py", *options, check=False)


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


def is_output(results: Path, file: Path) -> bool:
    place = file.relative_to(results).parts[0]
    return place not in seals.NOT_SEALED and not any(part[0] == "." for part in file.parts[-2:])


def test_restored_results_are_certified_and_later_changes_are_still_seen(clone, monkeypatch):
    """Trap 4: without Snakemake's metadata, a change of a parameter after `dvc pull` is ignored."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = restore(clone, "--remote", "store")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Snakemake has nothing to do" in done.stdout
    assert clone.dry_run() == set()
    assert clone.changed_stages() == set()
    results = clone.path / "results"
    assert seals.unsealed(results) == []
    outputs = [file for file in results.rglob("*") if file.is_file() and is_output(results, file)]
    assert len(outputs) > 60
    for file in outputs:  # each in turn, its time kept
        content, times = file.read_bytes(), file.stat()
        damage(file)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert [d.file for d in seals.examine(results, thorough=True, renew=False)[0]] == [file]
        file.write_bytes(content)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    clone.edit("config/demo.yaml", "epochs: 2", "epochs: 4")
    assert "pretrain_encoder:sl_fpn.temporal_permutation.transformer.toy.s0" in clone.dry_run()


@pytest.mark.slow  # evaluates and reports again
def test_restored_results_are_gone_on_from(clone, monkeypatch):
    """Every table and figure again, from the metrics that were pulled and from nothing else."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert restore(clone).returncode == 0
    results = clone.path / "results"
    expected = chaos.contents(results)
    for name in ("tables", "figures"):
        shutil.rmtree(results / name)
    jobs = clone.dry_run()
    # The exported model is made of encoders and metrics, not of tables.
    assert {job.partition(":")[0] for job in jobs} == REPORT_RULES - {"report", "model"}
    # Stale by its source, a stage is made again by DVC with all behind it, and with nothing else.
    clone.edit(
        "sslslr/evaluation/protocols/logistic.py", "import torch\n", "import torch  # edited\n"
    )
    log = clone.run("dvc", "repro")
    ran = re.findall(r"(?:local)?rule (\w+):", log.stdout + log.stderr)
    rendered = [job.partition(":")[0] for job in jobs]
    assert sorted(ran) == sorted(
        ["evaluate", *2 * ["evaluate_encoder"], "model", *rendered, "report"]
    )
    differing = [Path(said.split()[0]).name for said in chaos.differences(results, expected)]
    stating_code = {"evaluation.json", "preprocess.json", "provenance.json"}
    assert set(differing) == stating_code, "they state the code's hash"
    assert clone.dry_run() == set()
    assert clone.changed_stages() == set()


def test_the_makefile_restores_by_this_script():
    recipe = re.search(r"^restore:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)[1]
    assert "scripts/restore.py" in recipe
    assert "snakemake" not in recipe, "nothing is certified around the script's checks"


def test_what_is_missing_or_damaged_is_found_and_once_mended_the_pull_goes_on(clone):
    """A trap of its own: `dvc pull` does not hash what it gets, and `dvc status` believes it."""
    name = "results/metrics/random.none.transformer.none.s0/metrics.csv"
    damaged = object_of(clone, name)
    missing = object_of(clone, "results/encoders/random.none.transformer.none.s0/run.json")
    contents = {path: path.read_bytes() for path in (damaged, missing)}
    damage(damaged)
    missing.unlink()
    assert "has not pushed them" in refused(clone)

    missing.write_bytes(contents[missing])
    text = refused(clone)
    assert name in text
    assert "1 of " in text
    assert not (clone.path / name).exists()

    damaged.write_bytes(b"")  # as a push to a full disk leaves it
    assert "a full disk leaves empty ones" in refused(clone)
    assert not (clone.path / "results/metrics").exists(), "all or nothing"

    damaged.write_bytes(contents[damaged])
    assert restore(clone).returncode == 0, "what was fetched is of use, the damaged file comes anew"


def lock_of(project: Project) -> dict:
    return yaml.safe_load((project.path / "dvc.lock").read_text())


def serve_list(clone: Project, change) -> None:
    """A lock file whose hash of the encoders is that of another list, which the remote serves."""
    lock = lock_of(clone)
    out = lock["stages"]["pretrain"]["outs"][0]
    listing = clone.remote / "files/md5" / out["md5"][:2] / out["md5"][2:]
    entries = json.loads(listing.read_text())
    evil = clone.remote / "files/md5/ab" / ("c" * 30)
    evil.parent.mkdir(exist_ok=True)
    evil.write_text("raise SystemExit('run')\n")
    content = json.dumps(change(entries)).encode()
    digest = hashlib.md5(content).hexdigest()
    place = clone.remote / "files/md5" / digest[:2] / f"{digest[2:]}.dir"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    out["md5"] = digest + ".dir"
    (clone.path / "dvc.lock").write_text(yaml.safe_dump(lock))


def test_such_a_list_is_refused_before_anything_is_fetched(clone):
    """A lock file of other hashes could replace a module, which the restore itself then ran."""
    before = {path: path.stat().st_mtime_ns for path in clone.path.rglob("*.py")}
    evil = {"relpath": "../../sslslr/sitecustomize.py", "md5": "ab" + "c" * 30}
    serve_list(clone, lambda entries: [*entries, evil])
    assert "no file below results/encoders" in refused(clone)
    assert {path: path.stat().st_mtime_ns for path in clone.path.rglob("*.py")} == before
    assert not (clone.path / "results/encoders").exists()


def test_a_lock_file_of_other_outputs_or_without_hashes_is_refused(pushed, tmp_path, monkeypatch):
    shutil.copy(pushed.path / "dvc.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)

    def said_of(**change) -> str:
        lock = lock_of(pushed)
        out = lock["stages"]["pretrain"]["outs"][0]
        out.update(change)
        if change == {}:
            del out["md5"]
        Path("dvc.lock").write_text(yaml.safe_dump(lock))
        with pytest.raises(RESTORE["Refused"]) as refusal:
            RESTORE["locked_outs"](Path("results"))
        return str(refusal.value)

    assert "is None, not 32 hexadecimal digits" in said_of(md5=None)
    assert "not 32 hexadecimal digits" in said_of(md5="../../x")
    assert "'sslslr/methods' is no output of a stage in results/" in said_of(path="sslslr/methods")
    assert "is no output of a stage" in said_of(path="results/../sslslr")
    assert "dvc.lock cannot be read" in said_of()


def test_a_damaged_list_of_files_is_found(clone):
    md5 = lock_of(clone)["stages"]["pretrain"]["outs"][0]["md5"]
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
    clone.run("git", "checkout", "--quiet", "HEAD~1", "--", ".dvc/config")
    assert "None is configured" in refused(clone)


def test_results_of_other_code_or_settings_are_not_taken(clone):
    clone.edit("config/demo.yaml", "epochs: 2", "epochs: 3")
    text = refused(clone)
    assert "config/demo.yaml: pretrain" in text
    assert not (clone.path / "results/metrics").exists(), "nothing was fetched"
    clone.run("git", "checkout", "--", "config/demo.yaml")
    clone.edit("sslslr/encoders/transformer.py", "import torch", "import torch  # edited")
    assert "sslslr/encoders/transformer.py" in refused(clone)


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
