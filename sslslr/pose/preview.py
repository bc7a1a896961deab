"""Keypoints drawn over their video: a video of its own, or a strip of frames."""

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

from sslslr.pose.backends import BACKENDS
from sslslr.pose.extract import batches
from sslslr.pose.model import Extraction, backend_options, prepare_model, prepared_model
from sslslr.pose.skeleton import EDGES, PARTS
from sslslr.pose.video import BadVideo, Video, open_video
from sslslr.utils.errors import UserError
from sslslr.utils.files import atomic_file

# Okabe and Ito: the hands as in the report's strips; yellow is seen on most clothes.
COLOURS = {"body": (240, 228, 66), "left_hand": (0, 114, 178), "right_hand": (213, 94, 0)}
EDGE = (30, 30, 30)  # around lines and joints
SHORT_SIDE = 480  # pixels; smaller videos are enlarged to be seen
STRIP_FRAMES, STRIP_HEIGHT = 8, 300
MOST_FRAMES = 600  # of a long video, of which a strip shows eight
MOST_PIXELS = 1920 * 1080  # of an overlay's frame


def preview(
    settings: Extraction,
    video: Path,
    out: Path,
    model: Path | None = None,
    min_confidence: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write the overlay of a video (`.mp4`) or a strip of its frames (`.png`); whole or not at all.

    Args:
        model: a prepared model's folder; None prepares one for this call.
        min_confidence: joints below it are not drawn; None takes the backend's default.

    Returns:
        A sentence: what was found and where it is drawn.

    Raises:
        UserError: the video or the backend cannot be used, or another ending than .mp4, .png.
    """
    if out.suffix.lower() not in (".mp4", ".png"):
        raise UserError(f"{out}: a preview is an .mp4 (overlay) or a .png (strip).")
    if out.exists() and video.exists() and out.samefile(video):
        raise UserError(f"{out}: is the video itself; name another file.")
    kind = BACKENDS.get(settings.backend)
    threshold = kind.default_confidence if min_confidence is None else min_confidence
    with _model(settings, model) as folder:
        backend = kind(backend_options(settings), folder)
        try:
            with open_video(video) as opened, atomic_file(out) as temporary:
                drawn = Drawn(opened, backend, threshold, progress)
                write = write_video if out.suffix.lower() == ".mp4" else write_strip
                write(drawn, opened, temporary)
        except BadVideo as error:
            raise UserError(f"{video}: {error}.") from None
        finally:
            backend.close()
    return f"{video.name}: {drawn.summary()} Drawn in {out}."


def strip_of(video: Path, keypoints: np.ndarray, out: Path, fps: float | None = None) -> None:
    """Write a strip of a video's frames with keypoints that are known, (frames, 75, 2), over them."""
    with open_video(video) as opened, atomic_file(out) as temporary:
        frames = itertools.islice(opened.frames_at(fps), MOST_FRAMES)
        pictures = (overlay(*pair) for pair in zip(frames, keypoints, strict=False))
        write_strip(pictures, opened, temporary)


@contextlib.contextmanager
def _model(settings: Extraction, folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        prepared_model(settings, folder)
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        prepare_model(settings, Path(temporary, "model"))
        yield Path(temporary, "model")


class Drawn:
    """The frames of a video with its keypoints over them, streamed; counts what was found."""

    def __init__(
        self,
        video: Video,
        backend: object,
        threshold: float,
        progress: Callable[[int, int], None] | None = None,
    ):
        self._video, self._backend, self._threshold = video, backend, threshold
        self._progress = progress
        self.n_frames = 0
        self.found = dict.fromkeys(PARTS, 0)

    def __iter__(self) -> Iterator[Image.Image]:
        self._backend.start()
        for batch in batches(self._video.frames(), self._backend.batch):
            for frame, joints in zip(batch, self._backend.estimate(batch), strict=True):
                sure = joints[:, 2] >= self._threshold
                for part, where in PARTS.items():
                    self.found[part] += bool(sure[where].any())
                self.n_frames += 1
                if self._progress:
                    self._progress(self.n_frames, None)
                yield overlay(frame, np.where(sure[:, None], joints[:, :2], np.nan))

    def summary(self) -> str:
        shares = (
            f"{part.replace('_', ' ')} in {100 * count / self.n_frames:.0f} %"
            for part, count in self.found.items()
        )
        return f"{self.n_frames} frames, {', '.join(shares)}."


def overlay(frame: np.ndarray, keypoints: np.ndarray) -> Image.Image:
    """A (height, width, 3) picture with the (75, 2) normalised keypoints over it; NaN is not drawn.

    A small picture is enlarged, a huge one reduced, and the sides made even.
    """
    height, width = frame.shape[:2]
    scale = max(1.0, SHORT_SIDE / min(height, width))
    scale = min(scale, (MOST_PIXELS / (height * width)) ** 0.5)
    size = (max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2))
    picture = Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(picture)
    points = keypoints * size
    line = max(2, min(size) // 200)
    for part, edges in EDGES.items():
        for first, second in edges:
            ends = points[[first, second]]
            if np.isfinite(ends).all():
                ends = [tuple(end) for end in ends]
                draw.line(ends, fill=EDGE, width=line + 2)
                draw.line(ends, fill=COLOURS[part], width=line)
    for part, where in PARTS.items():
        for x, y in points[where][np.isfinite(points[where]).all(axis=1)]:
            radius = line * (1.0 if part == "body" else 0.8)
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(box, fill=COLOURS[part], outline=EDGE)
    return picture


def write_video(pictures: Iterable[Image.Image], video: Video, path: Path) -> None:
    """Encode pictures as H.264 at the video's rate."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = None
        for picture in pictures:
            if stream is None:
                rate = Fraction(video.fps or 25).limit_denominator(1001)
                stream = container.add_stream("libx264", rate=rate or Fraction(25))
                stream.width, stream.height = picture.size
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())


def write_strip(pictures: Iterable[Image.Image], video: Video, path: Path) -> None:
    """Some frames, evenly over the video, side by side."""
    kept: list[tuple[int, Image.Image]] = []
    every = 1
    for number, picture in enumerate(pictures):
        if number % every == 0:
            width = round(picture.width * STRIP_HEIGHT / picture.height)
            kept.append((number, picture.resize((width, STRIP_HEIGHT))))
        if len(kept) > 4 * STRIP_FRAMES:  # memory does not grow with the video
            every *= 2
            kept = [(n, p) for n, p in kept if n % every == 0]
    chosen = np.linspace(0, len(kept) - 1, min(STRIP_FRAMES, len(kept))).round().astype(int)
    columns = min(4, len(chosen))
    width = kept[0][1].width
    rows = -(-len(chosen) // columns)
    strip = Image.new("RGB", (columns * (width + 4) - 4, rows * (STRIP_HEIGHT + 4) - 4), "white")
    for place, index in enumerate(chosen):
        number, picture = kept[index]
        ImageDraw.Draw(picture).text(
            (6, 4), f"frame {number}", fill="white", stroke_width=1, stroke_fill="black"
        )
        strip.paste(picture, (place % columns * (width + 4), place // columns * (STRIP_HEIGHT + 4)))
    strip.save(path, format="png")
