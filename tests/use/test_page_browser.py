"""One signs to the page in a real Chromium, with a video in place of the webcam and no network.

`make test-page`: MediaPipe in Python makes the dictionary and answers too; what the page finds must agree.
"""

import json
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from sslslr.use import holistic_js
from sslslr.use.clips import clips_of
from sslslr.use.dictionary import Dictionary, build
from sslslr.use.dictionary_page import make_page
from sslslr.use.load import load_encoder

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HERE = Path(__file__).parent
SIGNS = ("water", "drink", "no", "eat", "book", "thankyou")
QUERY = "water"
FPS = 15
BEFORE, AFTER, SLOWER = (
    4.0,
    5.0,
    1.4,
)  # the film: seconds held at its ends, and how much slower it runs
SECONDS = 1800  # that the browser may take: a look at a picture is 0.1 to 4 s
FAULTS = 120  # seconds that it may take where no picture is looked at
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


class Server(SimpleHTTPRequestHandler):
    """The page's folder; keeps what is posted and which addresses were asked for."""

    found, done = None, threading.Event()

    def do_POST(self):
        type(self).found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.done.set()

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def dictionary(shared_data, tmp_path_factory):
    pytest.importorskip("mediapipe")
    folder = tmp_path_factory.mktemp("videos")
    rows = ["file,gloss"]
    for sign in SIGNS:
        shutil.copy(shared_data / "lookup_videos" / "dictionary" / f"{sign}.mp4", folder)
        rows.append(f"{sign}.mp4,{sign}")
    (folder / "labels.csv").write_text("\n".join(rows))
    out = tmp_path_factory.mktemp("built") / "dictionary"
    with clips_of(folder) as clips:
        build(load_encoder(hand_features(out.parent)), clips.store, out)
    return Dictionary.open(out)


def hand_features(folder: Path) -> Path:
    """The encoder without weights: what the page finds must not hang on a training run."""
    import pandas as pd

    from sslslr.config.run import NO_DATASET, RunSpec
    from sslslr.config.study import EncoderConfig, PreprocessConfig, PretrainConfig
    from sslslr.encoders import artifact
    from sslslr.encoders.build import build_encoder

    spec = RunSpec(
        run_id="hand_features.none.s0", method="hand_features", method_type="hand_features",
        method_options={}, augmentation="none", augmentation_steps=[], dataset=NO_DATASET,
        preprocess=PreprocessConfig(variant="picture", frames=16, fit="resample", gaps="keep"),
        pretrain=PretrainConfig(), encoder=EncoderConfig(variant="hand_features"), seed=0,
    )  # fmt: skip
    encoder = build_encoder(spec.encoder, spec.preprocess.frames, spec.seed)
    run = {"spec": spec.model_dump(mode="json"), "joints": None}
    artifact.save(folder / "encoder", encoder, pd.DataFrame({"epoch": [0]}), run)
    return folder / "encoder"


def as_webcam(video: Path, out: Path) -> None:
    """A video as the y4m that Chromium takes for a webcam and plays round and round.

    Its first frame is held, with the mark that drive.js waits for; then comes the sign, slower than it was, since
    a loaded machine looks at one picture a second; then its last frame is held.
    """
    import av

    with av.open(str(video)) as container:
        frames = [
            (frame.time, frame.reformat(width=480, height=270, format="yuv420p").to_ndarray())
            for frame in container.decode(video=0)
        ]
    end = frames[-1][0]
    with open(out, "wb") as file:
        file.write(f"YUV4MPEG2 W480 H270 F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(int((BEFORE + SLOWER * end + AFTER) * FPS)):
            waiting = number / FPS < BEFORE
            time = min(max(number / FPS - BEFORE, 0) / SLOWER, end)
            picture = next(
                picture for at, picture in reversed(frames) if at <= max(time, frames[0][0])
            ).copy()
            picture[:16, :32] = 16
            picture[:16, slice(0, 16) if waiting else slice(16, 32)] = 235
            file.write(b"FRAME\n" + picture.tobytes())


def browse(folder: Path, webcam: Path, profile: Path, seconds: int = SECONDS) -> dict:
    """What the script of drive.html reports of the page in `folder`."""
    Server.done.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-background-networking", "--no-first-run",
        "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={profile}",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream", f"--use-file-for-fake-video-capture={webcam}",
        "--window-size=1000,900", f"http://127.0.0.1:{server.server_port}/drive.html",
    ]  # fmt: skip
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert Server.done.wait(seconds), f"the browser reported nothing in {seconds} s"
    finally:
        browser.terminate()
        browser.wait(20)
        server.shutdown()
    return Server.found


@pytest.fixture
def tarball(request) -> Path:
    """MediaPipe as npm packs it, fetched once and kept in pytest's cache."""
    kept = request.config.cache.mkdir("holistic")
    try:
        return next(kept.glob("*.tgz"), None) or holistic_js._fetched(kept)
    except holistic_js.NoHolistic as error:
        pytest.skip(str(error))


def driven(page: Path, script: str, width: int) -> None:
    """Put a script beside the page that uses it in a frame."""
    shutil.copy(HERE / script, page)
    (page / "drive.html").write_text(
        f"<!doctype html><iframe allow='camera' width={width} height=850></iframe><script src={script}></script>"
    )


def test_a_narrow_page_refuses_what_it_cannot_read_and_scrolls_to_no_side(
    toy_store, encoder_folder, tmp_path
):
    build(load_encoder(encoder_folder), toy_store, tmp_path / "dictionary", say=lambda _: None)
    page = tmp_path / "page"
    make_page(
        Dictionary.open(tmp_path / "dictionary"), page, without_video=True, say=lambda _: None
    )
    driven(page, "faults.js", 320)
    np.save(page / "query.npy", np.asarray(toy_store.frames(0)))

    found = browse(page, tmp_path / "none.y4m", tmp_path / "profile", FAULTS)
    assert "error" not in found, found
    assert found["scroll"] <= 320, "a long file name widens the page"
    assert "from 0.2 to 5" in found["aspect"]
    assert "less than 5 MB" in found["large"]
    assert found["seen"], "what was said stands below the screen"
    assert found["still"] == [0, "Let all skeletons move"]


@pytest.mark.slow
def test_the_page_finds_what_python_finds(dictionary, tarball, shared_data, tmp_path, capsys):
    video = shared_data / "lookup_videos" / "queries" / f"{QUERY}.mp4"
    with clips_of(video) as clips:
        by_python = dictionary.find(dictionary.embed(clips.store).features)[0]
        keypoints = np.asarray(clips.store.frames(0))
        aspect = float(clips.store.clips["aspect"].iloc[0])
    page = tmp_path / "page"
    make_page(dictionary, page, tarball)
    driven(page, "drive.js", 390)
    shutil.copy(video, page / "query.mp4")
    np.save(page / "query.npy", keypoints)
    asked = {"width": 390, "file": "query.mp4", "keypoints": "query.npy", "aspect": aspect}
    (page / "ask.json").write_text(json.dumps(asked))
    as_webcam(video, tmp_path / "webcam.y4m")

    found = browse(page, tmp_path / "webcam.y4m", tmp_path / "profile")
    with capsys.disabled():
        print(
            f"\n{QUERY} by Python: {list(by_python['gloss'])}; by the page: {json.dumps(found)[:1500]}"
        )
        print(
            f"From the last picture with a hand to the next answer: {found.get('firstAnswer', 0):.0f} ms"
        )
        print(
            f"By webcam so far: {found.get('soFar')}; at the end: {found.get('atFirst')}; "
            f"at last: {found.get('webcam')}"
        )
    assert "error" not in found, found
    assert "Nothing leaves this device" in found["first"]
    assert "A gloss is not a translation" in found["first"]
    assert max(found["scroll"]) <= 390
    assert found["focused"] == "answers"
    assert found["sign"]["cards"][0] == [found["chosen"], 1.0]
    assert len(found["sign"]["cards"]) == min(6, len(SIGNS))
    assert by_python["gloss"][0] == QUERY
    assert found["wider"]["cards"] != found["keypoints"]["cards"]
    assert "no .npy file" in found["refused"]["said"]
    assert found["refused"]["hidden"], "another question's answers stand below an error"
    for way in ("keypoints", "video", "webcam"):
        assert found[way]["cards"][0][0] == QUERY, way
    # Wrong of too few pictures: then it says that it is not sure.
    assert found["atFirst"]["cards"][0][0] == QUERY or not found["atFirst"]["sure"]
    if found["soFar"]:
        assert len(found["soFar"]["cards"]) == min(6, len(SIGNS))
        assert not found["soFar"]["sure"]
    assert found["keypoints"]["cards"][0][1] == pytest.approx(by_python["similarity"][0], abs=0.006)
    # Video files are looked at by a smaller model of MediaPipe, 15 pictures a second.
    assert found["video"]["cards"][0][1] == pytest.approx(by_python["similarity"][0], abs=0.15)
