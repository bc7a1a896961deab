"""LSFB-ISOL against a server that misbehaves."""

import json
from dataclasses import replace

import numpy as np
import pytest

from openhands_toys import lsfb, npy
from servers import Fault, download_settings, serving
from sslslr.data.datasets import build, download
from sslslr.data.store import ClipStore
from sslslr.pose.skeleton import BODY, LEFT_HAND
from sslslr.utils.errors import UserError

CLIP = "CLSFBI0003A_S001_B_0_99"
LEFT = f"/poses/left_hand/{CLIP}.npy"


@pytest.fixture
def settings(tmp_path):
    return download_settings(tmp_path, accepted=("CC-BY-NC-SA-4.0",))


@pytest.fixture
def server():
    with serving(lsfb()) as running:
        yield running


def get(server, tmp_path, settings, **options):
    options = {"source": server.url, "labels": None, **options}
    download("lsfb_isol", options, tmp_path / "raw", settings)
    return options


def make(tmp_path, options, name="s"):
    build("lsfb", "lsfb_isol", options, tmp_path / name, tmp_path / "raw", say=lambda line: None)
    return ClipStore.open(tmp_path / name)


def test_downloaded_and_built_twice(server, tmp_path, settings):
    options = get(server, tmp_path, settings)
    first, second = make(tmp_path, options), make(tmp_path, options, "second")
    for name in ("keypoints.npy", "clips.parquet", "card.json"):
        assert (first.path / name).read_bytes() == (second.path / name).read_bytes()
    assert first.clips["split"].value_counts().to_dict() == {"train": 8, "test": 4}
    assert first.clips["clip_id"][0] == CLIP
    assert first.clips.iloc[0][["gloss", "signer", "fps"]].tolist() == ["MAISON", "S001", 50.0]
    frames = first.frames(0)
    assert np.isnan(frames[0, LEFT_HAND]).all()  # zero in the file
    assert np.isfinite(frames[:, BODY][:, :23]).all()
    assert np.isnan(frames[:, BODY][:, 23:]).all()  # joints that the set does not have
    given = np.load(tmp_path / "raw" / f"poses/pose/{CLIP}.npy")
    np.testing.assert_allclose(frames[:, BODY][:, :23], given[..., :2], atol=1e-3)
    assert first.check() == []


@pytest.mark.parametrize("body", [23, 25, 30, 33])
def test_bodies_of_any_length(body, tmp_path, settings):
    with serving(lsfb(body)) as server:
        store = make(tmp_path, get(server, tmp_path, settings))
    assert np.isfinite(store.frames(0)[:, BODY]).all(axis=(0, 2)).sum() == body


def test_only_the_wanted_signs_are_fetched(server, tmp_path, settings):
    options = get(server, tmp_path, settings, labels=2)
    assert len([p for p in server.gets() if p is None]) == len(server.log) == 4 + 3 * 2 * 3
    assert set(make(tmp_path, options).clips["gloss"]) == {"MAISON", "PT:PRO1"}
    server.log.clear()
    get(server, tmp_path, settings)
    assert len(server.log) == 3 * 2 * 3  # what is there already is not asked for


@pytest.mark.parametrize("fault", [Fault(status=404, times=-1), Fault(page="silent", times=-1)])
def test_a_clip_that_the_server_lacks_is_counted(fault, server, tmp_path, settings):
    server.faults[LEFT] = fault
    store = make(tmp_path, get(server, tmp_path, settings))
    assert len(store) == 11
    assert store.card["counts"][0] == {
        "split": "train",
        "expected": 8,
        "found": 7,
        "kept": 7,
        "dropped": {"no file at the source: left_hand": 1},
    }
    assert store.card["dropped"]["clips"][0]["clip_id"] == CLIP


def test_what_cannot_be_fetched_leaves_nothing_half_done(server, tmp_path, settings):
    server.faults[LEFT] = Fault(cut=100, times=-1)
    with pytest.raises(
        UserError, match=r"poses/left_hand/.*: the connection was cut; given up after 3"
    ):
        get(server, tmp_path, settings)
    assert not (tmp_path / "raw").exists()
    assert not (tmp_path / "cache/lsfb_isol" / LEFT[1:]).exists()
    assert len(list((tmp_path / "cache/lsfb_isol").rglob("*.json"))) == 2  # of the splits
    assert len(list((tmp_path / "cache/lsfb_isol").rglob("*.npy"))) == 35
    server.faults.clear()
    server.log.clear()
    assert len(make(tmp_path, get(server, tmp_path, settings))) == 12
    assert len(server.log) == 1


def test_a_server_that_is_down_is_not_asked_for_everything(server, tmp_path, settings):
    for path in server.files:
        if "/poses/" in path:
            server.faults[path] = Fault(status=500, times=-1)
    few = replace(settings, tries=1, parallel=1)
    with pytest.raises(UserError, match="21 more failed, 16 of them untried") as caught:
        get(server, tmp_path, few)
    assert len(str(caught.value).splitlines()) == 16
    assert 4 + 20 <= len(server.log) <= 4 + 21  # one may be on its way


@pytest.mark.parametrize("fault", [Fault(status=404, times=-1), Fault(page="typed", times=-1)])
def test_metadata_must_be_there(fault, server, tmp_path, settings):
    server.faults["/instances.csv"] = fault
    with pytest.raises(UserError, match=r"instances\.csv: not there.*Is `source` the folder"):
        get(server, tmp_path, settings)


@pytest.mark.parametrize("clip", ["../../evil", "/etc/passwd", "a/b", "", "..", "a\\b", "x" * 300])
def test_an_id_that_would_lead_elsewhere(clip, server, tmp_path, settings):
    server.files["/metadata/splits/train.json"] = json.dumps([clip]).encode()
    with pytest.raises(UserError, match="is no plain name; refused"):
        get(server, tmp_path, settings)
    assert not (tmp_path / "raw").exists()


def test_files_that_change_are_refused(server, tmp_path, settings):
    get(server, tmp_path, settings)
    (tmp_path / "cache/lsfb_isol" / LEFT[1:]).write_bytes(npy(np.ones((6, 21, 3), np.float32)))
    with pytest.raises(UserError, match="damaged, or the published file was changed"):
        get(server, tmp_path, settings)


def test_a_folder_that_was_downloaded_before(server, tmp_path, settings):
    get(server, tmp_path, settings)
    options = {"source": str(tmp_path / "cache/lsfb_isol"), "labels": None}
    server.log.clear()
    download("lsfb_isol", options, tmp_path / "raw", settings)
    assert len(make(tmp_path, options)) == 12
    assert server.log == []
    with pytest.raises(UserError, match=r"holds no instances\.csv"):
        download("lsfb_isol", {"source": str(tmp_path)}, tmp_path / "raw2", settings)


def test_a_download_that_is_not_whole_is_not_built(server, tmp_path, settings):
    options = get(server, tmp_path, settings)
    (tmp_path / "raw" / "files.sha256").unlink()
    with pytest.raises(UserError, match="the download is not whole"):
        make(tmp_path, options)


@pytest.mark.parametrize(
    ("part", "array", "reason"),
    [
        (
            "left_hand",
            np.ones((6, 20, 3), np.float32),
            "left_hand: float32 of shape (20, 3) a frame",
        ),
        (
            "left_hand",
            np.ones((5, 21, 3), np.float32),
            "its parts have different numbers of frames",
        ),
        ("pose", np.ones((6, 99, 3), np.float32), "pose: float32 of shape (99, 3) a frame"),
        ("pose", np.ones((6, 23), np.float32), "pose: float32 of shape (23,) a frame"),
        ("pose", np.ones((6, 23, 3), int), "pose: int64 of shape (23, 3) a frame"),
        ("pose", np.full((6, 23, 3), 500, np.float32), "coordinates in pixels"),
    ],
)
def test_clips_that_cannot_be_used(part, array, reason, server, tmp_path, settings):
    server.files[f"/poses/{part}/{CLIP}.npy"] = npy(array)
    if "pixels" in reason:
        for hand in ("left_hand", "right_hand"):
            server.files[f"/poses/{hand}/{CLIP}.npy"] = npy(np.full((6, 21, 3), 500, np.float32))
    store = make(tmp_path, get(server, tmp_path, settings))
    assert len(store) == 11
    assert store.card["dropped"]["clips"][0]["reason"].startswith(reason)


def test_ids_without_a_row_and_listed_twice(server, tmp_path, settings):
    ids = json.loads(server.files["/metadata/splits/test.json"])
    ids += ["unknown", ids[0], CLIP]  # the last is a training clip
    server.files["/metadata/splits/test.json"] = json.dumps(ids).encode()
    store = make(tmp_path, get(server, tmp_path, settings))
    assert store.card["counts"][1]["dropped"] == {
        "listed twice": 2,
        "no row in instances.csv": 1,
    }
