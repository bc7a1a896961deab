"""MATLAB's `.mat` of versions 5 to 7, where scipy is there: an array of keypoints, or parts, as in an `.npz`."""

import io
import math

from sslslr.data.readers import ClipError, RawClip, Reader, damaged_alone, register
from sslslr.data.readers._held import clip_of

LARGEST = 50_000_000  # numbers of a clip


@register
class Matlab(Reader):
    endings = (".mat",)
    title = "MATLAB's .mat (where scipy is installed): an array of keypoints, or left_hand, right_hand and pose"

    @classmethod
    def recognise(cls, name: str, head: bytes) -> str:
        return "begins as MATLAB's .mat does" if head.startswith(b"MATLAB ") else ""

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        if not data.startswith(b"MATLAB 5"):
            raise ClipError(
                "a .mat of MATLAB 7.3, which is HDF5: save(name, '-v7') writes one that is read"
            )
        try:
            from scipy.io import loadmat, whosmat
        except ImportError:
            raise ClipError("a .mat, which needs scipy: `pip install scipy`") from None
        with damaged_alone():
            size = sum(math.prod(shape) for _, shape, _ in whosmat(io.BytesIO(data)))
            if size > LARGEST:
                raise ClipError(f"a .mat of {size} numbers")
            content = loadmat(io.BytesIO(data), simplify_cells=True)
        content = {key: value for key, value in content.items() if not key.startswith("__")}
        return clip_of(content)
