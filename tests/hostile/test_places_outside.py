"""Folders and files that a person names, or that came from somebody: names, links, places, odd tables."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from hostile_bytes import npy, one_line, shaped
from sslslr.config.study import EncoderConfig
from sslslr.data.store import writing
from sslslr.encoders.build import build_encoder
from sslslr.provenance import publish
from sslslr.use.best import best_encoder
from sslslr.use.card import scores, training_data
from sslslr.use.clips import clips_of
from sslslr.use.dictionary import DICTIONARY, ENTRIES, FEATURES, FORMAT, Dictionary
from sslslr.use.load import load_encoder
from sslslr.utils.files import read_json, sha256_of
from sslslr.utils.tables import read_written
from sslslr.utils.user_files import at_home

ROWS = "run_id,method,protocol,metric,shots,label_fraction,value,target_dataset\n"
RUN = "random.none.transformer.none.s0"
PAGEMAP = Path("/proc/self/pagemap")  # says that it is empty, and has 2^39 bytes


def read(path):
    with clips_of(path):
        pass


@pytest.mark.parametrize("use", [load_encoder, Dictionary.open, read])
@pytest.mark.parametrize("name", ["~nobody_at_all/a", "a\0b", "a" * 5000, "a/" * 3000, ""])
def test_a_name_that_no_folder_has_is_one_line(use, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with one_line("."):
        use(name)


def test_the_package_asks_for_home_folders_in_one_way():
    package = Path(publish.__file__).parents[1]
    asked = [file for file in package.rglob("*.py") if ".expanduser()" in file.read_text()]
    assert asked == []  # pathlib raises RuntimeError where there is no such user
    assert at_home("~/a") == Path(os.path.expanduser("~/a"))


@pytest.mark.parametrize("folder", [Path("/"), Path("/model")])
def test_an_encoder_may_lie_at_the_root_of_a_disk_as_in_a_container(folder):
    assert scores(folder, "no_such_run") == []
    assert training_data(folder, {"spec": {"dataset": "no_such_set"}})["dataset"] == "no_such_set"


def test_a_wrong_member_of_a_committee_is_one_line():
    member = {"variant": "transformer", "depth": 10**6, "width": 10**6}
    with one_line("depth"):
        build_encoder(EncoderConfig(variant="committee", member=member), 8, 0)


METRICS = {
    "empty": "",
    "latin": b"protocol\n\xff\xfe",
    "one column": "protocol\nknn\n",
    "ragged": "protocol,a\n1,2,3,4\n1,2,3,4,5,6,7\n",
    "open quote": 'protocol,"a\n',
    "text for a value": f"{ROWS}{RUN},a,knn,top1,0,1,many,x\n",
    "run elsewhere": f"{ROWS}../../x,a,knn,top1,0,1,0.5,x\n",
    "run without a name": f"{ROWS},a,knn,top1,0,1,0.5,x\n",
    "columns twice": "protocol,protocol\nknn,knn\n",
}


@pytest.mark.parametrize("name", METRICS)
def test_the_best_of_metrics_of_another_shape_is_one_line(name, tmp_path):
    content = METRICS[name]
    (tmp_path / "metrics/a").mkdir(parents=True)
    (tmp_path / "metrics/a/metrics.csv").write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    with one_line("not the metrics that `sslslr evaluate` writes"):
        best_encoder(tmp_path)


@pytest.fixture
def keypoints(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        np.save(folder / f"{name}.npy", rng.uniform(0.2, 0.8, (12, 75, 2)).astype(np.float32))
    return folder


@pytest.mark.parametrize(
    "name", ["a,b", "don't", "{x}", "$(touch x)", "-rf", "%40", " ", "a\nb", "x" * 250, "\u202egpj"]
)
def test_a_folder_may_have_any_name(name, keypoints):
    with clips_of(keypoints.rename(keypoints.with_name(name))) as clips:
        assert len(clips.store) == 2
        assert re.fullmatch(r"\w[\w .+()-]*", clips.store.card["dataset"])


def test_a_clip_whose_name_is_no_text_is_one_line(keypoints):
    (keypoints / "a.npy").rename(keypoints / os.fsdecode(b"\xff.npy"))
    with one_line("is no Unicode text. Rename it"):
        read(keypoints)


@pytest.mark.parametrize(
    "make",
    [
        lambda file: file.write_text(f'file,gloss\n"{"x" * 200_000}",g\n'),
        lambda file: (file.touch(), os.truncate(file, 1 << 38)),
    ],
)
def test_a_table_that_is_none_beside_videos_and_keypoints_is_one_line(make, keypoints):
    (keypoints / "c.mp4").touch()
    make(keypoints / "labels.csv")
    with one_line("."):
        read(keypoints)


def test_a_single_vast_file_is_not_copied(tmp_path):
    (tmp_path / "a.npy").touch()
    os.truncate(tmp_path / "a.npy", 1 << 40)
    with one_line("1099511627776 bytes, at most"):
        read(tmp_path / "a.npy")


def test_features_that_are_more_than_a_dictionary_has_are_not_read(tmp_path, monkeypatch):
    with writing(tmp_path / ENTRIES, {"dataset": "toy", "inputs": {}}) as writer:
        writer.add("a", np.full((3, 75, 2), 0.5), gloss="g")
    about = {"format": FORMAT, "centre": [0.0] * 16, "threshold": {"similarity": None}}
    about["clips_sha256"] = read_json(tmp_path / ENTRIES / "card.json")["sha256"]["keypoints.npy"]
    (tmp_path / DICTIONARY).write_text(json.dumps(about))
    (tmp_path / FEATURES).write_bytes(npy(np.zeros((1, 16))))  # the widest that are read
    assert len(Dictionary.open(tmp_path).features) == 1
    (tmp_path / FEATURES).write_bytes(shaped((2**28,), "<f4"))
    os.truncate(tmp_path / FEATURES, 128 + 2**30)
    with one_line("at most 65664 are read", memory=1 << 27):
        Dictionary.open(tmp_path)


@pytest.mark.skipif(not PAGEMAP.exists(), reason="only Linux has such files")
def test_links_to_files_of_the_kernel_are_not_read_without_end(tmp_path):
    for number, name in enumerate(("pagemap", "mem", "clear_refs")):
        (tmp_path / str(number)).symlink_to(PAGEMAP.with_name(name))
    (tmp_path / publish.PROVENANCE).write_text('{"@graph": []}')
    hashes = {"study": "s", "files": {"0": "x"}, "data": {}, "encoders": {}}
    (tmp_path / publish.HASHES).write_text(json.dumps(hashes))
    assert "0: changed since it was published" in publish.check(tmp_path)
    assert sha256_of(tmp_path / "1") == sha256_of("/dev/null")
    with one_line("has more than"):
        read_written(tmp_path / "0")
