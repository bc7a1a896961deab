"""Frames of a video, streamed: decoding with PyAV, and every reason why a video cannot be used.

A video is turned as its metadata say, its frames carry their own times (a variable rate keeps its
frames; `fps` is the mean), and memory holds one frame at a time. What cannot be read raises
:class:`BadVideo` with one line that says why.

    with open_video("clip.mp4") as video:
        for frame in video.frames():     # (height, width, 3) uint8, RGB
            ...
        video.fps, video.aspect, video.n_frames, video.lost
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np

from sslslr.utils.user_files import UserFileError, open_user_file

# Containers of videos. The rest is refused: a playlist (m3u8, ffconcat, sdp) that calls itself .mp4
# would make FFmpeg open other files or the network.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,asf,ogg,gif,mjpeg,h264,hevc,m4v,"
    "mpegvideo,ivf,mxf,rm,dv,nut,wtv"
)
MAX_PIXELS = 7680 * 4320  # of a frame: 8K
MAX_FRAMES = 500_000  # of a video: more than four hours at 30 frames/s
MIN_SIDE = 16  # pixels; nobody can be seen in less
MAX_LOST = 0.1  # share of a video that may be unreadable


class BadVideo(Exception):
    """A video cannot be used; the text is the reason, one line, without the file's name."""


class Video:
    """An open video; see :func:`open_video`.

    Attributes:
        width, height: pixels of a frame as shown (after rotation).
        aspect: width / height of the picture on a screen.
        fps: mean frames a second by the frames' own times, None where there are none.
        n_frames: frames given out so far.
        lost: frames so far that could not be decoded.
    """

    def __init__(self, container: Any, stream: Any):
        self._container, self._stream = container, stream
        self.n_frames = self.lost = 0
        self._first = self._last = self._end = None
        self._size: tuple[int, int] | None = None  # as stored
        self.width = self.height = 0
        self.aspect: float | None = None

    @property
    def fps(self) -> float | None:
        if self.n_frames > 1 and self._last is not None and self._last > self._first:
            return round((self.n_frames - 1) / (self._last - self._first), 6)
        rate = self._stream.average_rate or self._stream.guessed_rate
        return round(float(rate), 6) if rate else None

    def frames(self) -> Iterator[np.ndarray]:
        """The frames, (height, width, 3) uint8 RGB, all of the first one's size.

        Raises:
            BadVideo: no frame, too large or small, too many, or more than `MAX_LOST` is unreadable.
        """
        for frame in self._decoded():
            if self._size is None:
                self._measure(frame)
            picture = self._picture(frame)
            self.n_frames += 1
            if self.n_frames > MAX_FRAMES:
                raise BadVideo(f"more than {MAX_FRAMES} frames")
            self._note_time(frame)
            yield picture
        self._judge()

    def frames_at(self, fps: float | None) -> Iterator[np.ndarray]:
        """As :meth:`frames`, brought to a constant rate: at each moment the frame that is shown.

        Args:
            fps: frames a second; None leaves the frames as they are.

        Raises:
            BadVideo: as :meth:`frames`; or the frames carry no times.
        """
        if fps is None:
            yield from self.frames()
            return
        shown, given = None, 0

        def due(until: float) -> bool:
            if given > MAX_FRAMES:
                raise BadVideo(f"more than {MAX_FRAMES} frames at {fps:g} frames/s")
            return given / fps < until - self._first - 1e-6

        for frame in self.frames():
            if self._last is None:
                raise BadVideo("its frames carry no times, so it cannot be brought to another rate")
            while shown is not None and due(self._last):
                yield shown
                given += 1
            shown = frame
        while given == 0 or due(self._end):  # a last frame may say that it lasts for days
            yield shown
            given += 1

    def _decoded(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, OSError):  # the rest of the file is unreadable
                self.lost += 1
                return
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self.lost += 1
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self.lost += 1
                else:
                    yield frame

    def _measure(self, frame: Any) -> None:
        check_size(frame.width, frame.height)
        self._size = (frame.width, frame.height)
        shape = self._stream.sample_aspect_ratio  # of a pixel
        aspect = frame.width / frame.height * float(shape if shape and shape > 0 else 1)
        turned = round(frame.rotation / 90) % 2 == 1
        self.width, self.height = self._size[::-1] if turned else self._size
        self.aspect = 1 / aspect if turned else aspect

    def _picture(self, frame: Any) -> np.ndarray:
        width, height = self._size
        check_size(frame.width, frame.height)
        try:
            picture = frame.to_ndarray(format="rgb24", width=width, height=height)
        except (av.FFmpegError, ValueError, MemoryError) as error:
            raise BadVideo(f"its pictures cannot be converted to RGB ({error})") from None
        turns = round(frame.rotation / 90) % 4  # counter-clockwise
        return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture

    def _note_time(self, frame: Any) -> None:
        if frame.time is None:
            return
        if self._first is None:
            self._first = self._last = frame.time
        self._last = max(self._last, frame.time)
        lasts = float(frame.duration * frame.time_base) if frame.duration else 0.0
        self._end = self._last + lasts

    def _judge(self) -> None:
        if self.n_frames == 0:
            lost = f" ({self.lost} could not be decoded)" if self.lost else ""
            raise BadVideo(f"holds no frame that can be read{lost}")
        if self.lost > MAX_LOST * (self.n_frames + self.lost):
            raise BadVideo(
                f"damaged: {self.lost} of {self.n_frames + self.lost} frames cannot be decoded"
            )
        promised = self._promised()
        if promised and self._end is not None:
            covered = self._end - self._first
            rate = self.fps or 0
            # Headers round: half a second, or two frames, are no damage.
            slack = max(MAX_LOST * promised, min(0.5, 2 / rate if rate else 0.5))
            if covered < promised - slack:
                raise BadVideo(f"cut off: {covered:.1f} of {promised:.1f} s can be read")

    def _promised(self) -> float | None:
        """Seconds that the header says the video lasts; None where it says nothing of the video."""
        if self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        alone = len(self._container.streams) == 1
        return (
            self._container.duration / av.time_base if self._container.duration and alone else None
        )


def check_size(width: int, height: int) -> None:
    """Raises BadVideo for a picture that is too large to decode or too small to show a person."""
    if width * height > MAX_PIXELS:
        raise BadVideo(f"frames of {width} x {height} pixels; the limit is {MAX_PIXELS} pixels")
    if min(width, height) < MIN_SIDE:
        raise BadVideo(f"frames of {width} x {height} pixels; a side needs at least {MIN_SIDE}")


@contextlib.contextmanager
def open_video(path: str | os.PathLike) -> Iterator[Video]:
    """Open a video for reading its frames once.

    Raises:
        BadVideo: no such file, not a regular file, not readable, empty, not a video, audio only.
    """
    av.logging.set_level(av.logging.PANIC)  # FFmpeg's own lines would drown the reasons
    with _open_file(Path(path)) as file:
        try:
            # The format is found by content: the ending of the name means nothing.
            container = av.open(
                file, options={"format_whitelist": FORMATS}, metadata_errors="ignore"
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise BadVideo(f"not a video, or cut off before its index ({reason})") from None
        with container:
            yield Video(container, _video_stream(container))


def _open_file(path: Path) -> BinaryIO:
    try:
        file = open_user_file(path)  # no pipe, which would wait for ever
    except UserFileError as error:
        raise BadVideo(error.why) from None
    if os.fstat(file.fileno()).st_size == 0:
        file.close()
        raise BadVideo("the file is empty")
    return file


def _video_stream(container: Any) -> Any:
    cover = av.stream.Disposition.attached_pic  # the picture of an album is no video
    streams = [s for s in container.streams.video if not s.disposition & cover]
    if not streams:
        if container.streams.audio:
            raise BadVideo("holds no video, only sound")
        raise BadVideo("holds no video, or was cut off before its index")
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise BadVideo("its codec is not known")
    if context.width and context.height:
        check_size(context.width, context.height)
    stream.thread_type = "AUTO"
    return stream
