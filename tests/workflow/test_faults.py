"""What clusters and disks do to a workflow: nothing is lost, nothing stale is taken for new.

Kills at random moments are in tests/chaos.py (`make test-chaos`).
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
from edits import CONFIG

import chaos
from disks import small_disk
from sslslr.workflow import results_lock, seals

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
RANDOM = "random.none.transformer.none.s0"
HOLDER = (
    "import sys, time; from sslslr.workflow.results_lock import enter; enter('results');"
    "print(1, flush=True); time.sleep(600)"
)
RUN = ("snakemake", "--cores", "2")


def cut(file, kept: int) -> None:
    """Truncate a file behind the workflow's back: its time stays."""
    before = file.stat()
    os.truncate(file, kept)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def jobs_of(done: subprocess.CompletedProcess) -> set[str]:
    return set(re.findall(r"^(?:local)?rule (\w+):", done.stdout + done.stderr, re.MULTILINE))


def test_everything_that_was_built_is_sealed(built):
    assert seals.unsealed(built.path / "results") == []
    damages, count = seals.examine(built.path / "results", thorough=True)
    assert damages == []
    assert count > 40


def test_what_snakemake_passes_over_is_said_at_the_start(fresh, copy_of):
    """A folder that is gone left the old clips in use, and of a key that stands twice one counted."""
    project = copy_of(fresh)
    clips = project.path / "results/data/toy/clips"
    clips.mkdir(parents=True)
    for name in ("keypoints.npy", "clips.parquet", "card.json"):
        (clips / name).write_text("{")
    (project.path / "results/checkpoints").mkdir()
    (project.path / "results/checkpoints/earlier.ckpt").touch()
    project.edit(CONFIG, "source: synthetic", "source: local")
    project.edit(CONFIG, "{signs: 3, signers: 5, clips: 60}", "{folder: gone}")
    said = project.run("snakemake", "--dry-run", check=False).stderr
    assert (
        "data set 'toy' stays as it was built, whatever its settings are now: gone: there" in said
    )
    assert "1 checkpoints (0.0 MB) that no job of this configuration goes on from" in said
    (project.path / "gone{sign}").mkdir()
    (project.path / "gone{sign}/labels.csv").touch()
    project.edit(CONFIG, "{folder: gone}", "{folder: 'gone{sign}'}\nname: again")
    done = project.run("snakemake", "--dry-run", check=False)
    assert "key 'name' stands twice, in lines" in done.stdout + done.stderr
    project.edit(CONFIG, "\nname: again", "")
    assert (
        "what stands in braces for a wildcard; rename it"
        in project.run(*RUN, "-n", check=False).stderr
    )


def test_a_home_that_cannot_be_written_is_not_needed(fresh, monkeypatch):
    """Snakemake's cache of sources lay there: its own traceback, before anything of ours was read."""
    monkeypatch.setenv("HOME", "/proc/nowhere")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert "page" in fresh.dry_run()


def test_files_that_were_cut_are_found_and_their_jobs_planned_again(built, copy_of):
    project = copy_of(built)
    results = project.path / "results"
    cut(results / f"encoders/{RANDOM}/encoder.safetensors", 1000)
    cut(results / "tables/linear.tex", 100)
    listed = sorted((results / "seals").rglob("*.json"))
    jobs = project.dry_run()
    assert {f"pretrain_encoder:{RANDOM}", f"evaluate_encoder:{RANDOM}"} <= jobs
    assert "tables" in jobs
    assert not [job for job in jobs if "sl_fpn" in job or "build_clips" in job]
    assert sorted((results / "seals").rglob("*.json")) == listed, "a plan changes nothing"
    done = project.run("sslslr", "check-results", check=False)
    assert done.returncode == 1
    assert f"encoders/{RANDOM}/encoder.safetensors: holds 1000 bytes" in done.stdout


READERS = [["--list-changes", "code"], ["--unlock"], ["-np"]]
OTHERS = [["--summary"], ["--list-rules"], ["--lint"], ["--dag"]]


@pytest.mark.parametrize("readers", [READERS, pytest.param(OTHERS, marks=pytest.mark.slow)])
def test_what_only_reads_takes_nothing_and_breaks_no_seal(built, copy_of, readers):
    """`--list-changes code` took the results folder and ended another workflow's "orphans"."""
    project = copy_of(built)
    results = project.path / "results"
    cut(results / "tables/linear.tex", 100)
    state = {
        p: p.read_bytes() for p in [results / results_lock.RECORD, *results.rglob("seals/*/*")]
    }
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=project.path,
        env=project.environment(quick=False),
        stdout=subprocess.PIPE,
    ) as other:
        other.stdout.readline()
        state[results / results_lock.RECORD] = (results / results_lock.RECORD).read_bytes()
        for arguments in readers:
            done = project.run("snakemake", *arguments, check=False)
            assert "another workflow is at work" not in done.stdout + done.stderr, arguments
            assert {path: path.read_bytes() for path in state} == state, arguments
            assert other.poll() is None, arguments
        other.kill()
    assert {*results.rglob("seals/*/*")} == set(state) - {results / results_lock.RECORD}


def test_a_second_snakemake_says_so_and_leaves(built, copy_of):
    project = copy_of(built)
    project.edit("config/demo.yaml", "epochs: 2", "epochs: 3")
    before = chaos.contents(project.path / "results")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=project.path,
        env=project.environment(quick=False),
        stdout=subprocess.PIPE,
    ) as first:
        first.stdout.readline()
        second = project.run(*RUN, check=False)
        first.kill()
    assert second.returncode != 0
    assert f"another workflow is at work there (process {first.pid}" in second.stderr
    assert not jobs_of(second)
    assert chaos.contents(project.path / "results") == before


@pytest.mark.slow  # builds half of the tiny study again
def test_a_file_that_was_cut_is_made_again_by_a_plain_run_and_only_once(built, copy_of):
    project = copy_of(built)
    expected = chaos.contents(project.path / "results")
    cut(project.path / "results/data/toy/clips/keypoints.npy", 5000)
    cut(project.path / "results/figures/clip.png", 100)
    done = project.run(*RUN)
    assert "keypoints.npy: holds 5000 bytes" in done.stderr
    assert {"build_clips", "figure"} <= jobs_of(done)
    assert chaos.differences(project.path / "results", expected) == []
    assert project.dry_run() == set()


@pytest.mark.slow  # two runs of Snakemake
def test_snakemake_killed_alone_leaves_orphans_that_the_next_run_ends(fresh, copy_of):
    project = copy_of(fresh)
    command = [*RUN, "evaluate"]
    process = subprocess.Popen(
        command,
        cwd=project.path,
        env=project.environment(quick=False),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    jobs, deadline = [], time.monotonic() + 240
    while not jobs:
        assert time.monotonic() < deadline
        time.sleep(0.1)
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if {"pretrain", "--seal"} <= set(child.cmdline()) and "bash" not in child.name():
                    jobs.append(child)
    for job in jobs:
        job.suspend()  # or it might have ended before the next run begins
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list((project.path / ".snakemake/locks").iterdir()), "a killed Snakemake leaves locks"
    done = project.run(*command, quick=False)
    assert f"process {process.pid} was killed while it worked on results" in done.stderr
    assert "had left running" in done.stderr
    assert (
        chaos.differences(project.path / "results", chaos.contents(project.path / "results")) == []
    )
    assert not [job for job in jobs if job.is_running() and job.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow  # a build on a disk that is too small, and another
def test_a_full_disk_is_said_and_a_later_run_ends_the_same(built, fresh, copy_of):
    expected = chaos.contents(built.path / "results")
    project = copy_of(fresh)
    results = project.path / "results"
    with small_disk(results, "size=500k"):
        failed = project.run(*RUN, check=False)
        assert failed.returncode != 0
        said = failed.stdout + failed.stderr
        assert "no space left" in said.lower()
        subprocess.run(["mount", "-o", "remount,size=64m", str(results)], check=True)
        project.run(*RUN)
        assert chaos.differences(results, expected) == []


@pytest.mark.slow  # mounts
def test_a_read_only_results_folder_is_said_and_stays_as_it_is(built, copy_of):
    project = copy_of(built)
    results = project.path / "results"
    project.edit("config/demo.yaml", "epochs: 2", "epochs: 3")
    before = chaos.contents(results)
    with read_only_mount(results):
        done = project.run(*RUN, check=False)
        assert done.returncode != 0
        assert "not writable" in done.stderr
        assert not jobs_of(done)
    assert chaos.contents(results) == before
    assert "pretrain_encoder:sl_fpn.temporal_permutation.transformer.toy.s0" in project.dry_run()


@contextlib.contextmanager
def read_only_mount(folder):
    """A folder as it is, on which nobody can write."""
    try:
        subprocess.run(
            ["mount", "--bind", str(folder), str(folder)], check=True, capture_output=True
        )
        subprocess.run(
            ["mount", "-o", "remount,bind,ro", str(folder)], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting is not permitted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_kills_are_drawn_over_all_of_the_work():
    timeline = chaos.Timeline((10.0, 12.0, 30.0), 40.0)
    assert timeline.moment(0.1) == (0, 4.0)
    assert timeline.moment(0.275) == (1, 1.0)
    assert timeline.moment(0.9) == (3, 6.0)
    shares = [chaos.share_of(0, number)[0] for number in range(50)]
    assert shares[:5] == [chaos.share_of(0, number)[0] for number in range(5)]
    for kind in range(len(chaos.KINDS)):  # the last fifth of a study's time is its report
        of_kind = shares[kind :: len(chaos.KINDS)]
        assert {int(5 * share) for share in of_kind} >= {0, 4}
    assert min(sum(int(5 * share) == part for share in shares) for part in range(5)) >= 5


def test_pages_are_compared_but_for_what_a_clock_measured(built, tmp_path):
    page = (built.path / "results/report.html").read_text()
    other = tmp_path / "report.html"
    other.write_text(page)
    same = chaos.comparable(other)
    start = page.index('id="table-cost"')
    head, *rows = re.findall(r"<tr>.*?</tr>", page[start : page.index("</table>", start)])
    titles = re.findall(r'<th scope="col"[^>]*>(?:<button[^>]*>)?([^<]*)', head)
    assert set(chaos.COSTS) <= set(titles)
    for row in rows:
        cells = re.findall(chaos.CELL, row)
        assert len(cells) == len(titles)
        for title, cell, number in zip(titles, cells, range(len(cells)), strict=True):
            changed = "".join([*cells[:number], "<td>9,999.9</td>", *cells[number + 1 :]])
            other.write_text(page[:start] + page[start:].replace("".join(cells), changed, 1))
            assert (chaos.comparable(other) == same) is (title in chaos.COSTS), (title, cell)
    for said in ("SL-FPN</th>", "epochs: 2", "Budget ("):
        assert said in page
        other.write_text(page.replace(said, f"other {said}"))
        assert chaos.comparable(other) != same, said


def test_the_results_lock_knows_every_folder_of_a_stage(built):
    made = {path.name for path in (built.path / "results").iterdir()}
    assert made - {"logs", "seals", "checkpoints", ".gitignore", results_lock.RECORD} == set(
        results_lock.PLACES
    )
