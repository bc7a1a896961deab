"""Configurations that are careless or hostile end in one sentence, at once."""

import copy
import os
import time
from pathlib import Path

import pytest
import yaml

from sslslr.config.load import load, read_yaml
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.utils.errors import UserError
from sslslr.workflow.check import check
from sslslr.workflow.grid import runs

STUDY = {
    "datasets": {"toy": {"source": "synthetic"}},
    "methods": {"sl_fpn": {}},
    "runs": [{"methods": ["sl_fpn"], "datasets": ["toy"]}],
}
BOMB = "a: &a {x: 1}\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n"
    for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        MERGES,
        "note: &a [*a]\n",
        "methods: &a {x: *a}\n",
        "note: " + "[" * 900 + "]" * 900,
        "note: " + "{a: " * 5000 + "1" + "}" * 5000,
        "note: x\n" * 200_000,
        "runs: [" + "{methods: [sl_fpn]}, " * 20_000 + "]",
    ],
    ids=["bomb", "merges", "list in itself", "map in itself", "lists", "maps", "large", "long"],
)
def test_a_file_that_blows_up_is_refused_within_seconds(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    began = time.process_time()
    with pytest.raises(UserError) as raised:
        load(path)
    assert time.process_time() - began < 5
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "is a pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device"),
        (lambda path: path.symlink_to(path.name), "cannot be opened"),
        (Path.mkdir, "is a folder"),
        (lambda path: path.write_text("seed: " + "9" * 5000), "a number or a date that cannot be"),
        (lambda path: path.write_text("name: 2020-13-45"), "a number or a date that cannot be"),
        (lambda path: path.write_text("name: 0x" + "f" * 5000), "a number of thousands of digits"),
        *(
            (lambda path, tag=tag: path.write_text(f"name: !!{tag}"), "cannot be|not valid YAML")
            for tag in (
                *('int ""', "int _", 'float ""', "float x", "bool x", "timestamp x", "binary é"),
                *("python/object/apply:os.abort []", "omap 3", "pairs [3]", "set [1]", "int [1]"),
            )
        ),
    ],
)
def test_what_is_no_file_of_settings_is_said_at_once(tmp_path, make, said):
    make(tmp_path / "study.yaml")
    with pytest.raises(UserError, match=said):
        load(tmp_path / "study.yaml")


@pytest.mark.parametrize(
    "results", ["/etc", "/proc/self/x", "/usr/share/x", "/home", "results/../.."]
)
def test_results_stay_out_of_folders_of_the_machine(results):
    with pytest.raises(UserError, match="a folder of the results' own"):
        parse(StudyConfig, {**STUDY, "results": results}, "study.yaml")


def changed(dotted: str, value) -> dict:
    study = copy.deepcopy(STUDY)
    *path, last = dotted.split(".")
    place = study
    for key in path:
        place = place[int(key)] if key.isdigit() else place.setdefault(key, {})
    place[last] = value
    return study


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(
            ("results", name)
            for name in ("/", ".git", "sslslr", "..", ".", "a/../..", "//", "a/../sslslr")
        ),
        *(
            ("results", name)
            for name in ("workflow/rules", "config", ".snakemake", "~/x", "a b", "-r")
        ),
        ("resources.pretrain.partition", "x; touch y"),
        ("resources.pretrain.partition", "$(touch y)"),
        ("resources.pretrain.memory", 10**12),
        ("resources.threads", 10**9),
        ("pretrain.learning_rate", 1e308),
        ("pretrain.weight_decay", 1e300),
        ("pretrain.epochs", 10**12),
        ("pretrain.batch_size", 10**15),
        ("encoder.width", 10**9),
        ("encoder.depth", 100_000),
        ("encoder.heads", 10**6),
        ("pretrain.learning_rate", 1e-320),
        ("pretrain.clip_norm", 1e-300),
        ("pretrain.clip_norm", 1e300),
        ("pretrain.checkpoint_every", 10**30),
        ("datasets.toy.options.clips", 10**12),
        ("datasets.toy.options.signs", 10**9),
        ("datasets.toy.options.max_frames", 10**9),
        ("methods.sl_fpn.projector_hidden", 10**9),
        ("methods.sl_fpn.projection", 10**30),
        ("methods.sl_fpn.w_o", 1e308),
        ("runs.0.method_options.predictor_hidden", 10**9),
        ("evaluate.protocols.knn.k", 10**18),
        ("evaluate.protocols.knn.temperature", 1e-320),
        ("evaluate.protocols.few_labels.draws", 10**9),
        ("evaluate.protocols.few_labels.shots", [10**18]),
        ("evaluate.protocols.logistic.max_iter", 10**18),
        ("evaluate.protocols.logistic.C", [1.0, 1e308]),
        ("evaluate.protocols.linear.warmup_epochs", 10**12),
        ("evaluate.average.views", 10**6),
        ("resources.clips_per_second", 1e300),
        ("runs.0.seeds", [2**64]),
        ("runs.0.seeds", [2**63]),
        ("runs.0.seeds", [-1]),
        ("runs.0.seeds", [1, 1]),
        ("runs.0.seeds", [True]),
        ("evaluate.protocols.few_labels.shots", [True]),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_with_its_name(key, value):
    with pytest.raises(UserError) as raised:
        check(parse(StudyConfig, changed(key, value), "study"))
    assert key.rpartition(".")[2] in str(raised.value)


@pytest.mark.parametrize(
    "name", ["results", "results/mine", "../mine", "/scratch/me/results", "out_1.2"]
)
def test_a_folder_of_its_own_is_a_place_for_results(name):
    assert parse(StudyConfig, changed("results", name), "study").results == name


@pytest.mark.parametrize("name", ["gpu", "gpu_a100", "long,short", "part-1.x"])
def test_the_name_of_a_partition_is_taken(name):
    study = parse(StudyConfig, changed("resources.pretrain.partition", name), "study")
    assert study.resources.pretrain.partition == name


def test_thousands_of_seeds_are_checked_in_seconds():
    study = parse(StudyConfig, changed("runs.0.seeds", list(range(5000))), "study")
    began = time.process_time()
    assert check(study) == len(runs(study)) == 5000
    assert time.process_time() - began < 10


def test_lists_that_multiply_are_counted_before_a_run_is_made():
    sweep = {"encoder.depth": [*range(1, 99)], "pretrain.epochs": [*range(1, 999)]}
    study = parse(StudyConfig, changed("runs.0.sweep", sweep), "study")
    began = time.process_time()
    with pytest.raises(UserError, match="^runs: 97804 runs"):
        runs(study)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("key", ["a" * 50_000, "." * 50_000])
def test_a_vast_key_of_a_sweep_is_shortened(key):
    with pytest.raises(UserError, match="^.{1,700}$"):
        runs(parse(StudyConfig, changed("runs.0.sweep", {key: [1]}), "study"))


def test_a_key_that_commands_the_screen_is_escaped():
    with pytest.raises(UserError, match=r"unknown key 'a\\+x1b\[31m'") as refused:
        parse(StudyConfig, {**STUDY, "a\x1b[31m": 1}, "study")
    assert str(refused.value).isprintable()


def test_anchors_that_say_a_thing_once_are_taken(tmp_path):
    path = tmp_path / "study.yaml"
    text = yaml.safe_dump({**STUDY, "runs": []}).replace("runs: []\n", "")
    path.write_text(
        text + "runs:\n- &first {methods: [sl_fpn], datasets: [toy]}\n- {<<: *first, tag: again}\n"
    )
    assert read_yaml(path)["runs"][1] == {
        "methods": ["sl_fpn"],
        "datasets": ["toy"],
        "tag": "again",
    }
    assert len(runs(load(path))) == 2


@pytest.mark.parametrize(
    "results", [".", "sub/..", "link/x", "Sslslr", "up", "file", "file/x", "a" * 300]
)
def test_results_do_not_lead_to_the_study_itself(tmp_path, monkeypatch, results):
    """Where an absolute path, a link or capital letters lead is looked at on the disk."""
    here = tmp_path / "study"
    (here / "sslslr").mkdir(parents=True)
    (here / "link").symlink_to("sslslr")
    (here / "up").symlink_to(tmp_path)
    (here / "file").touch()
    monkeypatch.chdir(here)
    with pytest.raises(UserError, match="^results: "):
        check(parse(StudyConfig, {**STUDY, "results": f"{here}/{results}"}, "study.yaml"))


NOT_OURS = {
    "a note": ["notes.txt"],
    "a home": [".bashrc", ".profile"],
    "a library of the system": ["apt/lists/a", "dpkg/status"],
    "a paper": ["figures/a.pdf", "tables/a.tex", "data/a.csv"],
    "data of somebody's": ["data/lsa64/a.mp4"],
    "results beside a note": ["mine/.workflow.json", "thesis.tex"],
    "a README alone": ["README.md", "a/b"],
    "a repository": [".git/config"],
    "a hidden file": [".password"],
    "a folder of empty folders": ["a/", "b/"],
    "a file deep below": ["data/a/b/c/thesis.tex", "figures/"],
    "logs": ["logs/boot.log"],
    "a name that is no text": ["a\x1b[31m\udcff"],
}
OURS = {
    "nothing": [],
    "what systems leave": [".DS_Store"],
    "a record": [".workflow.json", "notes.txt"],
    "a restored study": ["data/toy/clips/card.json", "encoders/a/run.json", "tables/linear.csv"],
    "an encoder made by hand": ["encoders/a/run.json"],
    "a download": ["data/lsa64/raw/a.zip", "downloads/a.zip.part"],
    "an interrupted training": ["checkpoints/a.ckpt"],
    "several studies": [".gitignore", "a/.workflow.json", "b/encoders/a/run.json"],
    "a study beside others": [".workflow.json", "data/toy/clips/card.json", "a/.workflow.json"],
    "none yet": [".gitignore"],
    "a new disk": ["lost+found/"],
    "an import that was refused": [".gitignore", "data/mine/"],
    "an import that was killed": ["data/mine/.clips.here.7.0123abcd.tmp/keypoints.npy"],
    "an encoder that was half written": ["encoders/a/encoder.safetensors"],
}


def filled(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for name in names:
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.touch()
    return folder


@pytest.mark.parametrize("names", NOT_OURS.values(), ids=NOT_OURS)
def test_results_do_not_go_into_a_folder_of_somebody_s(tmp_path, names):
    folder = filled(tmp_path / "there", names)
    with pytest.raises(UserError, match="^results: .* holds .* would be replaced") as refused:
        check(parse(StudyConfig, {**STUDY, "results": str(folder)}, "study.yaml"))
    assert len(str(refused.value).splitlines()) == 1
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("names", OURS.values(), ids=OURS)
def test_results_go_into_a_folder_that_is_empty_or_of_this_package(tmp_path, names):
    folder = filled(tmp_path / "there", names)
    assert check(parse(StudyConfig, {**STUDY, "results": str(folder)}, "study.yaml")) == 1


@pytest.mark.parametrize("results", ["/var/lib", "/var", "/opt/..", "/tmp", "~", "~/.."])
def test_results_do_not_go_into_a_folder_of_the_machine(tmp_path, monkeypatch, results):
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    (tmp_path / "home" / "me").mkdir(parents=True)  # empty, and nevertheless no place for results
    place = os.path.normpath(os.path.expanduser(results))
    with pytest.raises(UserError, match="results: "):
        check(parse(StudyConfig, {**STUDY, "results": place}, "study.yaml"))


def test_a_folder_of_very_many_folders_is_refused_at_once(tmp_path):
    folder = filled(tmp_path / "there", [f"{i}/" for i in range(20_000)])
    began = time.process_time()
    with pytest.raises(UserError, match="holds '[0-9]+'"):
        check(parse(StudyConfig, {**STUDY, "results": str(folder)}, "study.yaml"))
    assert time.process_time() - began < 5
