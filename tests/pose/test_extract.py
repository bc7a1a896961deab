import json
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from films import ToyBackend, film
from sslslr.config.settings import Settings
from sslslr.data.datasets._extract_folder import _model, extract_folder
from sslslr.data.store import ClipStore
from sslslr.pose import extract as module
from sslslr.pose.backends import BACKENDS
from sslslr.pose.extract import batches, extract_shard
from sslslr.pose.model import Extraction, local_weights, prepare_model
from sslslr.pose.shards import list_videos, n_shards, shard_of
from sslslr.utils.errors import UserError
from sslslr.workflow.check import check
from toys import ROOT, add_entry

FILES = ("keypoints.npy", "clips.parquet", "card.json")


@pytest.fixture
def films(tmp_path):
    """Five videos and their table."""
    folder = tmp_path / "films"
    folder.mkdir()
    lines = ["file,gloss,signer,split"]
    for number in range(5):
        film(folder / f"{number}.mp4", 5 + number, rotation=90 * (number == 1))
        lines.append(f"{number}.mp4,g{number % 2},s{number},{'test' if number > 3 else 'train'}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def values(folder, **more):
    table = {"table": str(folder / "labels.csv")}
    return {"folder": str(folder), **table, "backend": "toy", "shard_size": 2, **more}


def build(folder, out, work=None, **more):
    said = []
    work = work or out.with_name(f"{out.name}.work")
    extract_folder("films", values(folder, **more), out, work, say=said.append)
    return ClipStore.open(out), said


def test_a_clip_has_the_tables_columns_and_the_videos_rate_and_shape(films, tmp_path):
    store, _ = build(films, tmp_path / "store", language="ase", licence="ours")
    assert list(store.clips["clip_id"]) == ["0", "1", "2", "3", "4"]
    assert list(store.clips["n_frames"]) == [5, 6, 7, 8, 9]
    assert list(store.clips["signer"]) == ["s0", "s1", "s2", "s3", "s4"]
    assert list(store.clips["split"]) == ["train"] * 4 + ["test"]
    assert set(store.clips["language"]) == {"ase"}
    assert set(store.clips["fps"]) == {25.0}
    np.testing.assert_allclose(store.clips["aspect"], [4 / 3, 3 / 4] + [4 / 3] * 3, atol=1e-6)
    assert list(store.clips["source"]) == [f"{n}.mp4" for n in range(5)]
    assert store.card["extraction"]["model"] == "toy"
    assert "av" in store.card["extraction"]["versions"]
    assert store.card["licence"] == "ours"


def test_keypoints_are_normalised_by_width_and_height_and_doubtful_ones_are_nan(films, tmp_path):
    store, _ = build(films, tmp_path / "store")
    frames = np.asarray(store.frames(0))
    # The square's left edge is at pixel 8 of 64 and moves 2 pixels a frame; its top at 24 of 48.
    np.testing.assert_allclose(frames[:, 1, 0], (8 + 2 * np.arange(5)) / 64, atol=2.5 / 64)
    np.testing.assert_allclose(frames[:, 1, 1], 0.5, atol=2.5 / 48)
    assert np.isnan(frames[:, 67:]).all()
    assert np.isfinite(frames[:, :67]).all()
    all_of_it, _ = build(films, tmp_path / "all", min_confidence=0.0)
    assert np.isfinite(np.asarray(all_of_it.frames(0))).all()
    none, _ = build(films, tmp_path / "most", min_confidence=0.05, smoothing={"filter": "one_euro"})
    assert none.card["extraction"]["smoothing"]["filter"] == "one_euro"


def test_the_same_input_gives_the_same_bytes_however_it_is_cut_into_shards(films, tmp_path):
    build(films, tmp_path / "a")
    build(films, tmp_path / "b")
    build(films, tmp_path / "c", shard_size=5)
    for name in FILES:
        content = (tmp_path / "a" / name).read_bytes()
        assert content == (tmp_path / "b" / name).read_bytes()
        assert content == (tmp_path / "c" / name).read_bytes()


def test_a_second_call_keeps_the_shards_and_a_changed_video_makes_its_own_again(films, tmp_path):
    build(films, tmp_path / "a")
    _, said = build(films, tmp_path / "a")
    assert sum("kept" in line for line in said) == 3
    film(films / "2.mp4", 20)
    store, said = build(films, tmp_path / "a")
    assert sum("kept" in line for line in said) == 2
    assert list(store.clips["n_frames"]) == [5, 6, 20, 8, 9]
    _, said = build(films, tmp_path / "a", min_confidence=0.2)  # no new extraction for that
    assert sum("kept" in line for line in said) == 3
    _, said = build(films, tmp_path / "a", backend_options={"shift": 0.1})  # another model
    assert sum("kept" in line for line in said) == 0


SLOW = """
import sys, time
sys.path[:0] = [{root!r}, {tests!r}]
import films
films.add_toy_backend()
estimate = films.ToyBackend.estimate
def slowly(self, frames):
    time.sleep(0.15)
    return estimate(self, frames)
films.ToyBackend.estimate = slowly
from pathlib import Path
from sslslr.data.datasets._extract_folder import extract_folder
extract_folder("films", {values!r}, Path({out!r}), Path({work!r}))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_kill_loses_one_shard_at_most_and_the_next_call_ends_with_the_same_bytes(films, tmp_path):
    out, work = tmp_path / "store", tmp_path / "work"
    code = SLOW.format(
        root=str(ROOT),
        tests=str(ROOT / "tests"),
        values=values(films, shard_size=1),
        out=str(out),
        work=str(work),
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        until = time.monotonic() + 60
        while not (work / "shards/1/videos.json").exists() and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.wait()
    whole = sorted(p.name for p in (work / "shards").iterdir() if p.name.isdigit())
    assert {"0", "1"} <= set(whole) < {"0", "1", "2", "3", "4"}
    assert not out.exists()
    _, said = build(films, out, work, shard_size=1)
    assert sum("kept" in line for line in said) == len(whole)
    assert sorted(p.name for p in (work / "shards").iterdir()) == ["0", "1", "2", "3", "4"]
    build(films, tmp_path / "other", shard_size=1)
    for name in FILES:
        assert (out / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_backend_that_fails_leaves_no_shard(films, tmp_path, monkeypatch):
    def fail(self, frames):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(ToyBackend, "estimate", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        build(films, tmp_path / "a")
    assert list((tmp_path / "a.work").iterdir()) in (
        [tmp_path / "a.work/model"],
        [tmp_path / "a.work/shards", tmp_path / "a.work/model"],
        [tmp_path / "a.work/model", tmp_path / "a.work/shards"],
    )
    assert not list((tmp_path / "a.work").glob("shards/*"))
    assert not (tmp_path / "a").exists()


def test_batches_hold_less_of_large_pictures(monkeypatch):
    frames = [np.zeros((10, 10, 3), np.uint8)] * 7
    assert [len(b) for b in batches(frames, 3)] == [3, 3, 1]
    monkeypatch.setattr(module, "BATCH_BYTES", 650)
    assert [len(b) for b in batches(frames, 3)] == [2, 2, 2, 1]
    monkeypatch.setattr(module, "BATCH_BYTES", 1)
    assert [len(b) for b in batches(frames, 3)] == [1] * 7


def test_each_video_begins_anew_and_frames_go_in_batches(films, tmp_path, monkeypatch):
    made = []
    original = ToyBackend.__init__

    def remember(self, options, folder):
        original(self, options, folder)
        made.append(self)

    monkeypatch.setattr(ToyBackend, "__init__", remember)
    build(films, tmp_path / "a", shard_size=5)
    assert [(b.starts, b.batches) for b in made] == [(5, [4, 1, 4, 2, 4, 3, 4, 4, 4, 4, 1])]


def test_frames_are_never_all_in_memory(tmp_path, monkeypatch):
    """At most two batches of pictures are alive at any time, in a video of 100 frames."""
    path, alive, counts = film(tmp_path / "a.mp4", 100), set(), []
    original = ToyBackend.estimate

    def count(self, frames):
        for frame in frames:
            alive.add(id(frame))
            weakref.finalize(frame, alive.discard, id(frame))
        counts.append(len(alive))
        return original(self, frames)

    monkeypatch.setattr(ToyBackend, "estimate", count)
    with open(tmp_path / "out", "w+b") as stream:
        record = module.extract_video(path, ToyBackend(ToyBackend.Options(), tmp_path), stream)
    assert record["n_frames"] == 100
    assert len(counts) == 25
    assert ToyBackend.batch <= max(counts) <= 2 * ToyBackend.batch


def test_without_a_table_every_gloss_is_a_folder(tmp_path):
    folder = tmp_path / "films"
    for gloss in ("book", "house"):
        (folder / gloss).mkdir(parents=True)
        film(folder / gloss / "1.mp4", 3)
    (folder / "book/notes.txt").write_text("not a video")
    (folder / "book/.hidden.mp4").write_text("x")
    film(folder / "stray.mp4", 3)
    store, _ = build(folder, tmp_path / "a", table=None)
    assert list(store.clips["gloss"]) == ["book", "house"]
    assert list(store.clips["clip_id"]) == ["book/1", "house/1"]
    dropped = {d["clip_id"]: d["reason"] for d in store.card["dropped"]["clips"]}
    assert dropped == {
        "stray": "no gloss",
        "book/notes.txt": "its name does not end as a video's",
    }


def test_a_name_that_is_not_utf8_is_left_out_with_its_reason(tmp_path):
    folder = tmp_path / "films"
    (folder / "book").mkdir(parents=True)
    film(folder / "book/1.mp4", 3)
    try:
        os.rename(folder / "book/1.mp4", os.fsencode(folder / "book") + b"/caf\xe9.mp4")
    except OSError:
        pytest.skip("this file system has UTF-8 names alone")
    film(folder / "book/2.mp4", 3)
    store, _ = build(folder, tmp_path / "a", table=None)
    dropped = store.card["dropped"]["clips"]
    assert {"clip_id": "book/caf\\xe9", "reason": "its name is not UTF-8"} in dropped
    assert list(store.clips["clip_id"]) == ["book/2"]


def test_a_shard_or_a_model_replaces_no_other_folder(films, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.tex").write_text("years of work")
    settings = Extraction(backend="toy")
    with pytest.raises(UserError, match=r"chapter\.tex.*would be replaced"):
        prepare_model(settings, tmp_path / "thesis")
    prepare_model(settings, tmp_path / "model")
    prepare_model(settings, tmp_path / "model")  # its own, again
    with pytest.raises(UserError, match=r"chapter\.tex.*would be replaced"):
        extract_shard(settings, tmp_path / "model", tmp_path, [], tmp_path / "thesis")
    assert (tmp_path / "thesis/chapter.tex").read_text() == "years of work"


def test_shards_are_known_from_the_table_alone(tmp_path):
    (tmp_path / "labels.csv").write_text("file,gloss\n" + "".join(f"{i}.mp4,x\n" for i in range(7)))
    entries, _ = list_videos(tmp_path, tmp_path / "labels.csv")
    cut = [shard_of(entries, 3, k) for k in range(n_shards(7, 3))]
    assert [len(s) for s in cut] == [3, 3, 1]
    assert [e for s in cut for e in s] == entries
    with pytest.raises(UserError, match="no such shard"):
        shard_of(entries, 3, 3)


def test_options_are_checked_before_a_job_starts(films):
    from sslslr.config.settings import parse
    from sslslr.config.study import StudyConfig

    def study(**options):
        dataset = {"source": "videos", "options": values(films, **options)}
        return parse(
            StudyConfig,
            {
                "datasets": {"films": dataset},
                "methods": {"random": {}},
                "runs": [{"methods": ["random"]}],
            },
            "study",
        )

    assert check(study()) == 1
    with pytest.raises(UserError, match="unknown pose backend 'media'"):
        check(study(backend="media"))
    with pytest.raises(UserError, match="unknown key 'shif'. Did you mean 'shift'"):
        check(study(backend_options={"shif": 1}))
    with pytest.raises(UserError, match="unknown key .*'shard_siz'"):
        check(study(shard_siz=1))


def test_a_shard_that_was_cut_is_refused(films, tmp_path):
    build(films, tmp_path / "a")
    shard = tmp_path / "a.work/shards/0"
    content = json.loads((shard / "videos.json").read_text())
    content["videos"][0]["n_frames"] += 1
    (shard / "videos.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="Extract it again"):
        build(films, tmp_path / "a")


class Weighty(ToyBackend):
    """Keeps what its files of weights hold."""

    class Options(Settings):
        weights: str | None = None
        detector_weights: str | None = None

    @staticmethod
    def prepare(options, folder):
        (folder / "weights").write_bytes(Path(options.detector_weights).read_bytes())
        return ToyBackend.prepare(options, folder)


@pytest.mark.parametrize("kind", ["weights", "detector_weights"])
def test_weights_that_are_replaced_under_their_name_make_another_model(tmp_path, kind):
    """The detector's were kept for good."""
    remove, file = add_entry(BACKENDS, "weighty", Weighty), tmp_path / "file.pth"
    file.write_text("first")
    options = {"detector_weights": str(file), kind: str(file)}
    settings = Extraction(backend="weighty", backend_options=options)
    try:
        _model(settings, tmp_path)
        file.write_text("the second")
        assert local_weights(settings) == [file] * len(options)
        _model(settings, tmp_path)
    finally:
        remove()
    assert (tmp_path / "model" / "weights").read_text() == "the second"
