"""The page of a dictionary: what is in its folder, what it refuses, and what its own code answers."""

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import sslslr
from sslslr.encoders import artifact
from sslslr.pose.backends.mediapipe import MediaPipe
from sslslr.use import dictionary_page, holistic_js
from sslslr.use.dictionary import Dictionary, build
from sslslr.use.dictionary_page import INPUTS, RUNS, SOURCES, make_page, page_settings, write_page
from sslslr.use.holistic_js import FILES, NoHolistic, holistic_files
from sslslr.use.load import _in_memory
from sslslr.utils.errors import UserError
from sslslr.utils.files import read_json, write_json

NODE = shutil.which("node")


@pytest.fixture
def dictionary(toy_store, encoder_folder, tmp_path):
    run = read_json(encoder_folder / "run.json")
    run["spec"]["preprocess"]["fit"] = "resample"  # so that clips have parts
    write_json(encoder_folder / "run.json", run)
    encode = sslslr.load_encoder(encoder_folder)
    assert encode.parts == {"frames": 15, "starts": [0, 1, 3]}
    build(encode, toy_store, tmp_path / "dictionary", say=lambda _: None)
    return Dictionary.open(tmp_path / "dictionary")


@pytest.fixture
def page(dictionary, tmp_path):
    write_page(dictionary, tmp_path / "page", None)
    return tmp_path / "page"


def asked(page: Path, tmp_path: Path, **questions) -> dict:
    defaults = {"clips": [], "files": [], "landmarks": {}, "frames": [[0, 0]], "fps": 1}
    write_json(tmp_path / "asked.json", defaults | questions)
    command = [
        "node",
        str(Path(__file__).with_name("ask.mjs")),
        str(page),
        str(tmp_path / "asked.json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_the_page_answers_as_the_package_does(dictionary, page, toy_store, tmp_path):
    query = np.asarray(toy_store.frames(toy_store.indices("test")[0]))
    np.save(tmp_path / "query.npy", query)
    np.save(tmp_path / "flat.npy", np.zeros((5, 543, 3), np.float32))
    np.save(tmp_path / "pixels.npy", np.full((5, 75, 2), 300, np.float32))
    (tmp_path / "text.npy").write_text("no numbers here")
    files = [str(tmp_path / f"{name}.npy") for name in ("query", "flat", "pixels", "text")]
    body = [{"x": j / 40, "y": j / 50, "visibility": (j % 4) / 4} for j in range(33)]
    hand = [{"x": j / 30, "y": j / 90, "visibility": 0} for j in range(21)]
    landmarks = {"poseLandmarks": body, "rightHandLandmarks": hand}
    frames = [[0, 0], [1, 10], [1.5, None], [4, 40]]
    found = asked(
        page, tmp_path, clips=[0, 1, 7], files=files, landmarks=landmarks, frames=frames, fps=2
    )

    # A clip of the dictionary finds itself first.
    for number, answer in zip([0, 1, 7], found["clips"], strict=True):
        first = answer["answers"][0]
        assert first["gloss"] == dictionary.store.clips["gloss"][number]
        assert first["index"] == number
        assert first["similarity"] == pytest.approx(1, abs=1e-5)

    # A new clip has the package's answers.
    wanted = dictionary.find(dictionary.embed(_in_memory([query], None)).features, most=6)[0]
    answer = found["files"][0]
    assert [a["gloss"] for a in answer["answers"]] == list(wanted["gloss"])
    similarity = [a["similarity"] for a in answer["answers"]]
    np.testing.assert_allclose(similarity, wanted["similarity"], atol=1e-5)
    assert answer["sure"] == wanted["sure"][0]
    for file, reason in zip(found["files"][1:], ["543", "reach 300", "no .npy"], strict=True):
        assert reason in file["error"]

    # MediaPipe's landmarks become the joints that the Python backend makes of them.
    joints = np.array([np.nan if x is None else x for x in found["joints"]]).reshape(75, 2)
    np.testing.assert_allclose(joints, joints_of_backend(body, None, hand), atol=1e-7)

    # Between two frames with a joint it is interpolated, else the nearer frame decides.
    assert found["steady"] == [0, 5, 10, None, None, None, 40, 40, 40]

    assert found["encoders"] == sorted(RUNS)
    assert found["inputs"] == list(INPUTS)


def recorded(took: float, hands: list, lost: tuple = (), seconds: float = 6) -> dict:
    about = {"took": took, "hands": hands, "lost": lost, "seconds": seconds}
    command = [NODE, str(Path(__file__).parent / "record.mjs"), str(SOURCES), json.dumps(about)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_a_recording_ends_when_hands_are_down_and_a_slow_device_looks_again():
    fast = recorded(0.05, [[1.0, 3.4]])
    assert 4.1 <= fast["ended"] < 4.3
    assert fast["again"] is None
    assert fast["told"] == fast["looks"] > 50

    # One look a second, and one of them loses the hand: the sign is not cut in two.
    slow = recorded(1.0, [[1.0, 4.4]], lost=(2,))
    assert slow["ended"] >= 4.4
    assert slow["looks"] <= 7
    assert len(slow["again"]) <= 24
    assert slow["again"][0] <= 1.0
    assert slow["again"][-1] >= 4.3
    assert slow["after"] <= 24 + slow["recorded"] / 4 + 1

    # A hand that was seen once before the sign does not end the recording before it.
    assert recorded(0.05, [[0.0, 0.04], [2.0, 3.0]])["ended"] > 3.0

    # Where no hand was seen at all, every picture is looked at.
    assert len(recorded(0.5, [], seconds=2)["again"]) == 30


def joints_of_backend(body, left, right) -> np.ndarray:
    def landmarks(points):
        return points and SimpleNamespace(landmark=[SimpleNamespace(**point) for point in points])

    backend = MediaPipe.__new__(MediaPipe)
    backend._holistic = SimpleNamespace(
        process=lambda frame: SimpleNamespace(
            pose_landmarks=landmarks(body),
            left_hand_landmarks=landmarks(left),
            right_hand_landmarks=landmarks(right),
        )
    )
    joints = backend.estimate([np.zeros((2, 2, 3), np.uint8)])[0]
    sure = joints[:, 2] >= MediaPipe.default_confidence
    return np.where(sure[:, None], joints[:, :2], np.nan)


def test_the_folder_is_whole_and_asks_nothing_of_others(dictionary, page):
    named = {file.name for file in SOURCES.iterdir()} - {"apache-2.0.txt"}
    assert {file.name for file in page.iterdir()} == {*named, "data"}
    about = read_json(page / "data" / "dictionary.json")
    assert about["complexity"] is None
    assert len(about["clips"]) == len(dictionary.store) == len(np.load(page / "data/features.npy"))
    np.testing.assert_array_equal(np.load(page / "data/clips/3.npy"), dictionary.store.frames(3))
    html = (page / "index.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    for file in page.glob("*.*"):
        assert not re.search(r"https?://|//[\w-]+\.[a-z]{2,}/", file.read_text()), file.name
    for script in page.glob("*.mjs"):  # every import is a file of the folder
        for name in re.findall(r'from "\./([^"]+)"', script.read_text()):
            assert (page / name).is_file(), f"{script.name} imports {name}"


def test_an_encoder_that_the_page_cannot_run_is_refused(dictionary, tmp_path, monkeypatch):
    encode = dictionary.encoder()
    encode.run["spec"]["encoder"] = {"variant": "as_released", "depth": 1, "width": 32, "heads": 4}
    with pytest.raises(UserError, match="cannot run the encoder 'as_released'"):
        page_settings(encode)
    monkeypatch.setattr(dictionary_page, "INPUTS", ("palm",))
    with pytest.raises(UserError, match="cannot run the input 'position'"):
        make_page(dictionary, tmp_path / "page", without_video=True)
    assert not (tmp_path / "page").exists()


def packed(folder: Path, monkeypatch) -> Path:
    """A package of MediaPipe's file names, whose hash is the recorded one for this test."""
    tarball = folder / "holistic.tgz"
    with tarfile.open(tarball, "w:gz") as archive:
        for name in (*FILES, "pose_landmark_heavy.tflite"):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    monkeypatch.setattr(holistic_js, "SHA512", digest)
    return tarball


def test_mediapipe_is_checked_and_comes_with_its_licence(dictionary, tmp_path, monkeypatch):
    tarball = packed(tmp_path, monkeypatch)
    make_page(dictionary, tmp_path / "page", tarball, say=lambda _: None)
    folder = tmp_path / "page" / "holistic"
    assert {file.name for file in folder.iterdir()} == {*FILES, "NOTICE.txt", "LICENSE.txt"}
    assert "Apache License" in (folder / "LICENSE.txt").read_text()
    assert read_json(tmp_path / "page/data/dictionary.json")["complexity"] == 0
    make_page(dictionary, tmp_path / "page", without_video=True, say=lambda _: None)  # replaces it
    assert not folder.exists()
    tarball.write_bytes(tarball.read_bytes() + b"x")
    with pytest.raises(NoHolistic, match="its sha512 is"), holistic_files(tarball):
        pass


def test_without_npm_s_answer_the_page_is_made_without_video(dictionary, tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network unreachable' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = []
    make_page(dictionary, tmp_path / "page", say=lines.append)
    assert "network unreachable" in lines[0]
    assert "--without-video" in lines[0]
    assert read_json(tmp_path / "page/data/dictionary.json")["complexity"] is None
    assert (tmp_path / "page" / "data" / artifact.WEIGHTS).is_file()


def test_a_folder_of_something_else_is_not_replaced(dictionary, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(UserError, match="thesis"):
        write_page(dictionary, tmp_path / "mine", None)
