"""Videos that a test makes, and a pose backend that costs nothing."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from sslslr.config.settings import Settings
from sslslr.pose.backends import BACKENDS
from sslslr.pose.skeleton import N_JOINTS
from toys import add_entry


def picture(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A bright square on dark grey that moves right; the top left corner is white."""
    frame = np.full((height, width, 3), 40, dtype=np.uint8)
    left = 8 + 2 * number % (width // 2)
    frame[height // 2 : height // 2 + 8, left : left + 8] = (250, 60, 60)
    frame[: height // 4, : width // 4] = 255
    return frame


def film(
    path: Path,
    frames: int = 12,
    *,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: int = 25,
    rotation: int = 0,
    times: list[float] | None = None,
    options: dict[str, str] | None = None,
    container: str | None = None,
    sound: bool = False,
    pixel_shape: Fraction | None = None,
) -> Path:
    """Write a video; `times` are the frames' own, in seconds."""
    with av.open(str(path), "w", format=container, options=options or {}) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        if codec.startswith("libx264"):
            stream.options = {"preset": "ultrafast", "g": "6"}
        if pixel_shape:
            stream.codec_context.sample_aspect_ratio = pixel_shape
        if rotation:
            stream.set_display_rotation(rotation)
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if frames == 0:
            output.start_encoding()  # the header is written with the first frame otherwise
        tone = output.add_stream("aac", rate=16000) if sound else None
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24")
            frame = frame.reformat(format=pixels)
            if times is not None:
                frame.pts, frame.time_base = round(times[number] * 1000), Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
        if tone:
            _beep(output, tone)
    return path


def sound(path: Path) -> Path:
    """A file with sound alone."""
    with av.open(str(path), "w", format="mp4") as output:
        _beep(output, output.add_stream("aac", rate=16000))
    return path


def _beep(output: Any, stream: Any) -> None:
    for number in range(10):
        samples = np.zeros((1, 1024), dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, 1024 * number
        output.mux(stream.encode(frame))
    output.mux(stream.encode())


class ToyOptions(Settings):
    shift: float = 0.0


class ToyBackend:
    """All joints lie at the brightest red pixel's place; the confidence is 0.9, of the legs 0.1."""

    Options = ToyOptions
    default_confidence = 0.5
    batch = 4

    @staticmethod
    def prepare(options: ToyOptions, folder: Path) -> dict[str, Any]:
        return {"model": "toy", "versions": {"toy": "1"}, "weights_sha256": {}}

    def __init__(self, options: ToyOptions, folder: Path):
        self.options, self.starts, self.batches = options, 0, []

    def start(self) -> None:
        self.starts += 1

    def estimate(self, frames: list[np.ndarray]) -> np.ndarray:
        self.batches.append(len(frames))
        out = np.empty((len(frames), N_JOINTS, 3), dtype=np.float32)
        for joints, frame in zip(out, frames, strict=True):
            height, width = frame.shape[:2]
            red = frame[..., 0].astype(int) - frame[..., 1]
            y, x = np.unravel_index(np.argmax(red), red.shape)
            joints[:] = (x / width + self.options.shift, y / height, 0.9)
            joints[np.arange(N_JOINTS) % 3 == 0, 0] += 0.05  # a person is no point
            joints[67:, 2] = 0.1
        return out

    def close(self) -> None:
        pass


def add_toy_backend():
    """Register the backend `toy`; call the result to undo."""
    return add_entry(BACKENDS, "toy", ToyBackend)
