"""mmpose on real videos with random weights, whole path: `make test-pose`. What the keypoints mean
cannot be tested so (the real weights cannot be fetched here): tests/pose/test_wholebody.py tests the map."""

import hashlib
import json
import os
import pickle

import numpy as np
import pytest

from films import film
from sslslr.data.datasets._extract_folder import extract_folder
from sslslr.data.store import ClipStore
from sslslr.pose.backends import BACKENDS
from sslslr.utils.errors import UserError

pytestmark = [pytest.mark.pose, pytest.mark.xdist_group("mmpose")]
pytest.importorskip("mmpose", reason="mmpose is not installed; run `make pose`")
torch = pytest.importorskip("torch")
MODELS = ("rtmpose-m", "rtmw-m")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Random weights as OpenMMLab writes them: a pickle with numpy's types in its metadata."""
    from sslslr.pose.backends.mmpose import build_model

    folder, files = tmp_path_factory.mktemp("weights"), {}
    for name in MODELS:
        torch.manual_seed(0)
        options = BACKENDS.get("mmpose").Options(model=name)
        metadata = {
            "epoch": np.int64(270),
            "sigmas": np.full(133, 0.05, np.float32),
            "names": np.array(["nose", "left_eye"]),
            "loss": np.float64(0.5),
        }
        files[name] = folder / f"{name}.pth"
        state = build_model(options)[0].state_dict()
        torch.save({"state_dict": state, "meta": metadata}, files[name])
    return files


def prepare(folder, **options):
    kind = BACKENDS.get("mmpose")
    folder.mkdir(parents=True, exist_ok=True)
    return kind.prepare(kind.Options(**options), folder)


@pytest.mark.parametrize("name", MODELS)
def test_real_videos_go_the_whole_path(name, checkpoints, shared_data, tmp_path):
    names = ["karsl_0001_test.mp4", "karsl_0033_train.mp4", "wlasl_69531.mp4"]
    rows = "".join(f"{file},x\n" for file in [*names[:2], "absent.mp4"])
    if name == MODELS[0]:
        rows += f"{names[2]},x\n"  # once is enough: 63 frames
    (tmp_path / "labels.csv").write_text(f"file,gloss\n{rows}")
    values = {
        "folder": str(shared_data / "sign_videos"),
        "table": str(tmp_path / "labels.csv"),
        "backend": "mmpose",
        "backend_options": {"model": name, "weights": str(checkpoints[name]), "device": "cpu"},
        "min_confidence": 0.0,
    }
    extract_folder("random", values, tmp_path / "store", tmp_path / "work")
    store = ClipStore.open(tmp_path / "store")
    assert len(store) == (3 if name == MODELS[0] else 2)
    assert np.isfinite(np.asarray(store.keypoints)).all()
    made = store.card["extraction"]
    digest = hashlib.sha256(checkpoints[name].read_bytes()).hexdigest()
    assert made["model"] == f"mmpose {name}"
    assert made["weights_sha256"] == {checkpoints[name].name: digest}
    assert made["versions"]["mmpose"] == "1.3.2"
    assert "weights" not in made["options"]
    reasons = [d["reason"] for d in store.card["dropped"]["clips"] if d["clip_id"] == "absent"]
    assert reasons == ["there is no such file"]
    assert str(tmp_path) not in json.dumps(store.card)


def test_the_same_input_gives_the_same_bytes_and_batches_do_not_matter(
    checkpoints, shared_data, tmp_path
):
    file = checkpoints["rtmpose-m"]
    (tmp_path / "labels.csv").write_text("file,gloss\nkarsl_0001_test.mp4,x\n")

    def run(out, **options):
        settings = {"model": "rtmpose-m", "weights": str(file), "device": "cpu", **options}
        values = {
            "folder": str(shared_data / "sign_videos"),
            "table": str(tmp_path / "labels.csv"),
            "backend": "mmpose",
            "backend_options": settings,
            "min_confidence": 0.0,
        }
        extract_folder("random", values, tmp_path / out, tmp_path / f"{out}.work")
        return ClipStore.open(tmp_path / out)

    run("a"), run("b")
    for name in ("keypoints.npy", "clips.parquet", "card.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    # With the whole picture as the box a frame's keypoints cannot depend on its batch.
    small, large = (np.asarray(run(str(n), batch=n, box="picture").keypoints) for n in (4, 15))
    np.testing.assert_allclose(small.astype(float), large.astype(float), atol=2e-3)


def test_the_box_follows_the_person_that_was_found(checkpoints, tmp_path, monkeypatch):
    """Keypoints made by hand stand for the model's; the second batch's box lies around them."""
    kind = BACKENDS.get("mmpose")
    prepare(tmp_path / "m", model="rtmpose-m", weights=str(checkpoints["rtmpose-m"]))
    backend = kind(kind.Options(model="rtmpose-m", device="cpu"), tmp_path / "m")
    boxes = []

    def infer(frames, box):
        boxes.append([round(float(v)) for v in box])
        found = np.zeros((len(frames), 133, 3), np.float32)
        found[..., :2] = np.random.default_rng(0).uniform((200, 100), (300, 400), (133, 2))
        found[..., 2] = 0.9
        found[:, 100:] = (0, 0, 0.01)  # not sure of these, far away
        return found

    monkeypatch.setattr(backend, "_infer", infer)
    frames = [np.zeros((480, 640, 3), np.uint8)] * 4
    backend.estimate(frames), backend.estimate(frames)
    assert boxes[0] == [0, 0, 640, 480]  # the first frame alone, to find where the person is
    for left, top, right, bottom in boxes[1:]:
        assert 160 <= left <= 205
        assert 60 <= top <= 105
        assert 295 <= right <= 340
        assert 395 <= bottom <= 440
    backend.start()
    backend.estimate(frames)
    assert boxes[-2] == [0, 0, 640, 480]


def test_a_checkpoint_that_runs_code_is_refused_and_nothing_ran(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/ran",)

    torch.save({"state_dict": {}, "meta": Bomb()}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Bomb()))
    for name in ("a.pth", "b.pth"):
        with pytest.raises(UserError, match="not a checkpoint that may be read"):
            prepare(tmp_path / "model", model="rtmpose-m", weights=str(tmp_path / name))
    assert not (tmp_path / "ran").exists()


def test_wrong_weights_say_so(checkpoints, tmp_path):
    good = checkpoints["rtmpose-m"]
    with pytest.raises(UserError, match="is not of this model"):
        prepare(tmp_path / "m", model="rtmw-m", weights=str(good))
    with pytest.raises(UserError, match="its sha256 is .* expected " + "0" * 64):
        prepare(tmp_path / "m", model="rtmpose-m", weights=str(good), weights_sha256="0" * 64)
    with pytest.raises(UserError, match="no such file of weights"):
        prepare(tmp_path / "m", model="rtmpose-m", weights=str(tmp_path / "none.pth"))
    with pytest.raises(UserError, match="not HTTPS"):
        prepare(tmp_path / "m", model="rtmpose-m", weights="http://127.0.0.1/a.pth")
    named = tmp_path / "rtmpose-m_256x192-00000000_20230123.pth"
    named.write_bytes(good.read_bytes())
    with pytest.raises(UserError, match="expected 00000000..."):
        prepare(tmp_path / "m", model="rtmpose-m", weights=str(named))
    assert not list((tmp_path / "m").iterdir())


def test_safetensors_are_read_too_and_a_sha256_that_fits_is_accepted(checkpoints, tmp_path):
    made = prepare(tmp_path / "a", model="rtmpose-m", weights=str(checkpoints["rtmpose-m"]))
    file = tmp_path / "a/weights.safetensors"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    again = prepare(tmp_path / "b", model="rtmpose-m", weights=str(file), weights_sha256=digest)
    assert made["versions"] == again["versions"]
    assert (tmp_path / "b/weights.safetensors").read_bytes() == file.read_bytes()
    assert file.exists()


@pytest.fixture(scope="session")
def rtmo(tmp_path_factory):
    """Random weights of RTMO-t, but for the last layer of scores and boxes.

    Those answer the same in every cell: score 0.88, and a square of 8 cells, 256 pixels of the
    416 that the model reads where a cell has 32.
    """
    from sslslr.pose.backends._rtmo import build_detector

    torch.manual_seed(1)
    model, _ = build_detector("rtmo-t")
    head = model.head.head_module
    for layer in [*head.out_cls, *head.out_bbox]:
        torch.nn.init.zeros_(layer.weight)
    for layer in head.out_cls:
        torch.nn.init.constant_(layer.bias, 2.0)
    for layer in head.out_bbox:
        layer.bias.data = torch.tensor([0.0, 0.0, np.log(8), np.log(8)], dtype=torch.float32)
    file = tmp_path_factory.mktemp("rtmo") / "rtmo.pth"
    torch.save({"state_dict": model.state_dict(), "meta": {"epoch": np.int64(600)}}, file)
    return file


def with_detector(checkpoints, rtmo, **options):
    return {
        "model": "rtmpose-m", "weights": str(checkpoints["rtmpose-m"]), "device": "cpu",
        "detector": "rtmo-t", "detector_weights": str(rtmo), **options,
    }  # fmt: skip


def test_the_detectors_boxes_are_in_the_pictures_pixels(checkpoints, rtmo, tmp_path):
    kind, options = BACKENDS.get("mmpose"), with_detector(checkpoints, rtmo)
    prepare(tmp_path / "m", **options)
    backend = kind(kind.Options(**options), tmp_path / "m")
    frames = [np.full((480, 640, 3), shade, np.uint8) for shade in (0, 90)]
    first, second = backend._follower.detect(frames)
    assert len(first) > 1
    np.testing.assert_allclose(first[:, 4], 1 / (1 + np.exp(-2)), atol=1e-4)
    np.testing.assert_allclose(first, second, atol=1e-3)
    sides = first[:, 2:4] - first[:, :2]
    np.testing.assert_allclose(sides.max(), 256 * 640 / 416, rtol=1e-3)
    assert first[:, 0].min() >= 0
    assert first[:, 2].max() <= 640 + 1e-3
    backend._follower.detect.__self__._model.test_cfg.score_thr = 0.95
    assert [found.shape for found in backend._follower.detect(frames)] == [(0, 5)] * 2


def test_a_video_goes_through_the_detector_the_whole_path(checkpoints, rtmo, tmp_path):
    (tmp_path / "films").mkdir()
    film(tmp_path / "films/a.mp4", 11, size=(320, 240))
    (tmp_path / "labels.csv").write_text("file,gloss\na.mp4,x\n")

    def run(out, **options):
        values = {
            "folder": str(tmp_path / "films"),
            "table": str(tmp_path / "labels.csv"),
            "backend": "mmpose",
            "backend_options": with_detector(checkpoints, rtmo, **options),
            "min_confidence": 0.0,
        }
        extract_folder("random", values, tmp_path / out, tmp_path / f"{out}.work")
        return ClipStore.open(tmp_path / out)

    store = run("a", detector_stride=3)
    assert np.isfinite(np.asarray(store.keypoints)).all()
    made = store.card["extraction"]
    digest = hashlib.sha256(rtmo.read_bytes()).hexdigest()
    assert made["detector"] == {
        "model": "mmpose rtmo-t",
        "weights_sha256": {"rtmo.pth": digest},
        "rule": "the largest person at first, then the nearest to the last box",
    }
    assert made["options"]["detector"] == "rtmo-t"
    assert "detector_weights" not in made["options"]
    assert str(tmp_path) not in json.dumps(store.card)
    other = run("b", detector_stride=3, batch=4)  # boxes do not depend on batches
    np.testing.assert_allclose(
        np.asarray(store.keypoints, float), np.asarray(other.keypoints, float), atol=2e-3
    )


def test_every_frame_is_estimated_in_its_own_box(checkpoints, rtmo, tmp_path, monkeypatch):
    kind, options = BACKENDS.get("mmpose"), with_detector(checkpoints, rtmo, detector_stride=2)
    prepare(tmp_path / "m", **options)
    backend = kind(kind.Options(**options), tmp_path / "m")
    found = iter([[[10, 20, 110, 220, 0.9]], [[14, 20, 114, 220, 0.9], [150, 0, 319, 239, 0.9]]])
    monkeypatch.setattr(
        backend._follower, "detect", lambda frames: [np.array(next(found)) for _ in frames]
    )
    seen = []
    infer = backend._infer
    monkeypatch.setattr(
        backend, "_infer", lambda f, boxes: (seen.append(boxes), infer(f, boxes))[1]
    )
    joints = backend.estimate([np.zeros((240, 320, 3), np.uint8)] * 4)
    assert joints.shape == (4, 75, 3)
    assert seen[0].tolist() == [[10, 20, 110, 220]] * 2 + [[14, 20, 114, 220]] * 2
    # Keypoints lie within the box, widened by a quarter and to the model's form.
    assert (joints[..., 0] * 320 < 114 + 100).all()


def test_wrong_weights_of_the_detector_say_so(checkpoints, rtmo, tmp_path):
    options = with_detector(checkpoints, rtmo)
    with pytest.raises(UserError, match="is not of this model"):
        prepare(tmp_path / "m", **{**options, "detector": "rtmo-s"})
    with pytest.raises(UserError, match="its sha256 is .* expected " + "0" * 64):
        prepare(tmp_path / "m", **options, detector_weights_sha256="0" * 64)
    foreign = {**options, "detector_weights": str(checkpoints["rtmpose-m"])}
    with pytest.raises(UserError, match="Name the right `detector`"):
        prepare(tmp_path / "m", **foreign)
