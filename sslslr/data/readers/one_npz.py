"""One `.npz` a clip: its keypoints, and what else it names (scores, the image's size, parts)."""

import io
import zipfile

import numpy as np

from sslslr.data.readers import ClipError, RawClip, Reader, register
from sslslr.data.readers._held import clip_of
from sslslr.data.readers.npz import plain_array
from sslslr.utils.archives import DAMAGED

LARGEST = 256 << 20  # bytes of an unpacked array
MOST, MOST_CLIPS = 64, 100_000  # arrays of a clip, and of a file of clips


@register
class OneNpz(Reader):
    endings = (".npz",)
    title = "one .npz a clip: an array of keypoints, or left_hand, right_hand and pose, with scores where known"

    @classmethod
    def recognise(cls, name: str, head: bytes) -> str:
        return (
            "a zip of arrays, as numpy's .npz is"
            if head.startswith(b"PK\x03\x04") and b".npy" in head[:300]
            else ""
        )

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        return clip_of(arrays_of(data, MOST))


def arrays_of(data: bytes, most: int | None = None) -> dict[str, np.ndarray | None]:
    """The arrays of an `.npz` by their names; None for text and objects, which are no keypoints.

    Args:
        most: arrays that it may hold.

    Raises:
        ClipError: not a sound one, or too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            large = sum(member.file_size for member in members) > LARGEST
            if large or len(members) > (most or MOST_CLIPS):
                raise ClipError("an .npz too large for one clip")
            return {m.filename.removesuffix(".npy"): _array(archive.read(m)) for m in members}
    except (*DAMAGED, RuntimeError) as error:
        raise ClipError(f"not a sound .npz ({str(error)[:100]})") from None


def _array(data: bytes) -> np.ndarray | None:
    """The array; of text or objects None: they are no keypoints."""
    try:
        return plain_array(data)
    except (ValueError, EOFError):
        return None
