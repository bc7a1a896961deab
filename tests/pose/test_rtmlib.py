"""The backend rtmlib on ONNX models that the test writes, and the map of 133 points on a real video.

The models' outputs are constants, where the first channel is anywhere above its mean: what they find is known, and only
a picture that is red, in RGB, shows it.
"""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from films import film
from sslslr.data.datasets._extract_folder import extract_folder
from sslslr.data.store import ClipStore
from sslslr.pose.backends import ready_backend
from sslslr.pose.layouts import of_components
from sslslr.pose.model import Extraction, backend_options, prepare_model
from sslslr.pose.skeleton import (
    FROM_WHOLEBODY,
    LEFT_SHOULDER,
    MIRROR,
    RIGHT_SHOULDER,
    from_wholebody,
)
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of

WIDTH, HEIGHT = 48, 64  # of the model's picture
RED = np.full((96, 96, 3), (220, 10, 10), np.uint8)


def onnx_model(path, outputs, channel=0, size=(HEIGHT, WIDTH)):
    """Write a model whose outputs are `outputs` (name: array) where a channel is positive anywhere, else 0."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed (the extra `onnx`)")
    from onnx import TensorProto, helper, numpy_helper

    constants = {name: np.asarray(value, np.float32) for name, value in outputs.items()}
    nodes = [
        helper.make_node("Gather", ["input", "channel"], ["plane"], axis=1),
        helper.make_node("ReduceMax", ["plane"], ["most"], keepdims=0),
        helper.make_node("Sign", ["most"], ["sign"]),
        helper.make_node("Relu", ["sign"], ["there"]),
        *(helper.make_node("Mul", [f"{name}.value", "there"], [name]) for name in constants),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, *size])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(value.shape))
            for name, value in constants.items()
        ],
        [
            numpy_helper.from_array(np.array([channel], np.int64), "channel"),
            *(numpy_helper.from_array(value, f"{name}.value") for name, value in constants.items()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def simcc(points, scores):
    """RTMPose's outputs for (133, 2) whole half pixels of the model's picture."""
    x, y = np.zeros((1, len(points), 2 * WIDTH)), np.zeros((1, len(points), 2 * HEIGHT))
    rows = np.arange(len(points))
    x[0, rows, points[:, 0]] = y[0, rows, points[:, 1]] = scores
    return {"simcc_x": x, "simcc_y": y}


POINTS = np.column_stack([np.arange(133) % 80 + 4, np.arange(133) % 90 + 10])
SCORES = np.where(np.arange(133) == 95, 0.1, 0.8)  # joint 4 of the left hand is not sure


@pytest.fixture
def weights(tmp_path):
    for package in ("rtmlib", "onnxruntime"):
        pytest.importorskip(
            package, reason=f'not installed: pip install "sslslr[rtmlib]" ({package})'
        )
    return onnx_model(tmp_path / "pose.onnx", simcc(POINTS, SCORES))


def made(tmp_path, **options):
    """A prepared backend and its model.json."""
    from sslslr.pose.backends import BACKENDS

    settings = Extraction(backend="rtmlib", backend_options={k: str(v) for k, v in options.items()})
    described = prepare_model(settings, tmp_path / "model")
    return BACKENDS.get("rtmlib")(backend_options(settings), tmp_path / "model"), described


def test_the_133_points_of_a_box_become_the_75_joints_of_the_picture(weights, tmp_path):
    backend, described = made(tmp_path, weights=weights, box="picture")
    joints = backend.estimate([RED, RED])
    # The box is the picture, 96 x 96, a quarter wider and brought to 48 : 64.
    wide, high = 96 * 1.25, 96 * 1.25 * HEIGHT / WIDTH
    inside = POINTS / 2 / (WIDTH, HEIGHT) * (wide, high) + (48 - wide / 2, 48 - high / 2)
    np.testing.assert_allclose(joints[1, :, :2], inside[FROM_WHOLEBODY] / 96, atol=1e-4)
    np.testing.assert_allclose(joints[0, :, 2], SCORES[FROM_WHOLEBODY], atol=1e-6)
    assert (
        backend.estimate([RED[..., ::-1]])[..., 2] == 0
    ).all()  # blue: the channels are not exchanged
    assert described["weights_sha256"] == {"pose.onnx": sha256_of(weights)}
    assert backend.several is None


def test_videos_go_the_whole_path_and_the_person_of_a_detector_is_followed(weights, tmp_path):
    boxes = np.array([[[0, 0, 20, 60, 0.9], [30, 10, 40, 20, 0.8], [0, 0, 60, 60, 0.1]]])
    points = np.zeros((1, 3, 17, 3))
    points[0, :2, :, :2] = np.linspace(boxes[0, :2, :2], boxes[0, :2, 2:4], 17).swapaxes(0, 1)
    outputs = {"dets": boxes, "keypoints": points}
    detector = onnx_model(tmp_path / "rtmo.onnx", outputs, channel=2, size=(64, 64))
    with zipfile.ZipFile(tmp_path / "rtmw.zip", "w") as archive:  # as OpenMMLab publishes them
        archive.write(weights, "20231122/rtmw/end2end.onnx")
    (tmp_path / "films/x").mkdir(parents=True)
    film(tmp_path / "films/x/a.mp4", 6)
    options = {
        "weights": str(tmp_path / "rtmw.zip"),
        "detector": "rtmo",
        "detector_weights": str(detector),
    }
    said = []
    values = {"folder": str(tmp_path / "films"), "backend": "rtmlib", "backend_options": options}
    extract_folder("toy", values, tmp_path / "store", tmp_path / "work", say=said.append)
    store = ClipStore.open(tmp_path / "store")
    extraction = store.card["extraction"]
    assert extraction["detector"]["rule"].startswith("the largest person")
    assert "weights" not in extraction["options"]
    assert np.isnan(np.asarray(store.frames(0))[:, 4]).all()
    assert any("Several persons are in 1 of 1 videos" in line for line in said)
    assert any(line.startswith("The left hand was found in 100 %") for line in said)
    assert "store.preview.png: x/a.mp4" in said[-1]
    assert (tmp_path / "store.preview.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"simcc_x": np.ones((1, 17, 96)), "simcc_y": np.ones((1, 17, 128))}, "not the 133 points"),
        ({"heatmaps": np.ones((1, 133, 16, 12))}, "not the 133 points"),
        (None, "not an ONNX model"),
    ],
)
def test_weights_of_another_model_are_refused_before_the_videos(
    weights, tmp_path, outputs, message
):
    if outputs is None:
        weights.write_bytes(b"no model")
    else:
        onnx_model(weights, outputs)
    with pytest.raises(UserError, match=message):
        made(tmp_path, weights=weights)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "weights is missing: a whole-body model.*--backend-options"),
        ({"weights": "https://x.org/a.onnx"}, "weights_sha256"),
        ({"weights": "a.onnx", "detector": "rtmo"}, "go together"),
        ({"weights": "a.onnx", "detector_weights": "b.onnx"}, "go together"),
        (
            {"weights": "a.onnx", "detector": "rtmo", "detector_weights": "b", "box": "picture"},
            "box",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        backend_options(Extraction(backend="rtmlib", backend_options=options))


def test_a_preview_takes_a_backend_that_needs_no_weights(monkeypatch):
    from sslslr.pose.backends import BACKENDS, mediapipe

    monkeypatch.setattr(mediapipe.MediaPipe, "ready", staticmethod(lambda: True))
    assert ready_backend() == "mediapipe"
    monkeypatch.setattr(mediapipe.MediaPipe, "ready", staticmethod(lambda: False))
    with pytest.raises(UserError, match="make pose"):
        ready_backend()
    assert "mmpose" in BACKENDS.names()


def test_the_map_of_mmposes_133_points_agrees_with_mediapipe_on_a_real_video(shared_data):
    """One signer, both tools: the median over joints and frames is 0.04 to 0.05 shoulder widths.

    With left and right exchanged it is 0.25, so 0.06 is passed by no such mistake.
    """
    from pose_format import Pose

    folder = shared_data / "pose_files"
    if not (folder / "football_mediapipe.pose").is_file():
        pytest.skip("shared/data/pose_files is absent")
    found = json.loads((folder / "football_wholebody_predictions.json").read_text())
    frames = [frame["instances"][0] for frame in found]
    whole = np.array([np.column_stack([f["keypoints"], f["keypoint_scores"]]) for f in frames])
    pose = Pose.read((folder / "football_mediapipe.pose").read_bytes())
    layout = of_components(
        tuple((part.name, tuple(part.points)) for part in pose.header.components), "mediapipe"
    )
    theirs = layout.apply(np.ma.filled(pose.body.data[:, 0].astype(float), np.nan))[..., :2]
    ours = from_wholebody(whole)[: len(theirs)]
    ours[ours[..., 2] < 0.3] = np.nan
    theirs = theirs[: len(ours)]
    width = np.nanmedian(
        np.linalg.norm(theirs[:, LEFT_SHOULDER] - theirs[:, RIGHT_SHOULDER], axis=1)
    )

    def apart(joints):
        return np.nanmedian(np.linalg.norm(joints[..., :2] - theirs, axis=2)) / width

    assert apart(ours) < 0.06
    assert apart(ours[:, MIRROR]) > 0.2
    assert pd.notna(apart(ours))
