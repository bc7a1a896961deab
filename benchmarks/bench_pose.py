"""Frames a second of each pose backend, and peak memory over a long video against a short one.

`make bench` calls `main`; alone: `python benchmarks/bench_pose.py`. A backend that is not installed
is named and left out. mmpose runs with random weights: the speed is the same.
"""

import contextlib
import io
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from sslslr.pose.backends import BACKENDS
from sslslr.pose.extract import extract_video
from sslslr.pose.skeleton import N_JOINTS
from sslslr.pose.video import open_video
from sslslr.utils.errors import UserError

SECONDS, LONG, SHORT, RATE = 8.0, 600, 10, 25
SIZE = (640, 480)


class Cheap:
    """A backend that costs nothing: what remains is decoding, streaming and writing."""

    batch = 16

    def start(self) -> None:
        pass

    def estimate(self, frames: list[np.ndarray]) -> np.ndarray:
        return np.full((len(frames), N_JOINTS, 3), frames[0][0, 0, 0] / 255, dtype=np.float32)


def synthetic_video(path: Path, seconds: int, size: tuple[int, int] = (160, 120)) -> Path:
    """A moving square, H.264 at 25 frames a second."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=Fraction(RATE))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for number in range(seconds * RATE):
            picture = np.full((size[1], size[0], 3), 60, dtype=np.uint8)
            left = number % (size[0] - 20)
            picture[40:60, left : left + 20] = 220
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode())
    return path


def peak_memory(path: Path) -> float:
    """MB at most that a process of its own needs to stream a video through the cheap backend."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; import bench_pose; bench_pose.stream({str(path)!r})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def stream(path: str) -> None:
    """In that process: extract to a file and print the peak."""
    with tempfile.TemporaryFile() as out:
        extract_video(Path(path), Cheap(), out)
    print(own_peak())


def own_peak() -> float:
    """MB. Linux's ru_maxrss counts what the parent held at the fork, so it is asked only elsewhere."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def frames_per_second(backend: object, frames: list[np.ndarray]) -> float:
    """Over about `SECONDS`, after one batch that warms up."""
    backend.start()
    backend.estimate(frames[: backend.batch])
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        count += len(backend.estimate(frames[: backend.batch]))
    return count / (time.perf_counter() - began)


def random_weights(model: str, folder: Path) -> None:
    """A checkpoint of random numbers, in place of OpenMMLab's."""
    import torch

    from sslslr.pose.backends.mmpose import build_model

    torch.manual_seed(0)
    options = BACKENDS.get("mmpose").Options(model=model)
    torch.save({"state_dict": build_model(options)[0].state_dict()}, folder / "random.pth")


def measured(name: str, options: dict, frames: list[np.ndarray]) -> str:
    """A row's value: frames a second, or why there is none."""
    kind = BACKENDS.get(name)
    with tempfile.TemporaryDirectory() as temporary, contextlib.redirect_stderr(io.StringIO()):
        folder = Path(temporary)
        try:
            if name == "mmpose":
                random_weights(options["model"], folder)
                options = {**options, "weights": str(folder / "random.pth")}
            chosen = kind.Options(**options)
            kind.prepare(chosen, folder)
            backend = kind(chosen, folder)
        except UserError:
            return "not installed (`make pose`)"
        speed = frames_per_second(backend, frames)
        backend.close()
        return f"{speed:.1f}"


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = synthetic_video(folder / "speed.mp4", 3, SIZE)
        began = time.perf_counter()
        with open_video(path) as video:
            frames = list(video.frames())
        decoding = len(frames) / (time.perf_counter() - began)
        print(f"\n| {'poses, ' + 'x'.join(map(str, SIZE)):34} | frames/s |\n| :--- | ---: |")
        print(f"| {'decoding alone':34} | {decoding:.1f} |", flush=True)
        rows = [
            ("mediapipe", {}),
            ("mmpose", {"model": "rtmpose-m"}),
            ("mmpose", {"model": "rtmw-l"}),
        ]
        for name, options in rows:
            label = f"{name} {options.get('model', 'Holistic')}"
            print(f"| {label:34} | {measured(name, options, frames)} |", flush=True)
        short = peak_memory(synthetic_video(folder / "short.mp4", SHORT))
        long = peak_memory(synthetic_video(folder / "long.mp4", LONG))
        print(
            f"\npeak memory of streaming: {short:.0f} MB over {SHORT} s of video, {long:.0f} MB over "
            f"{LONG} s, {long - short:+.0f} MB"
        )


if __name__ == "__main__":
    main()
