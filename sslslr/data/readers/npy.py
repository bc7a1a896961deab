"""One `.npy` a clip: an array of numbers, of any arrangement that is known."""

from sslslr.data.readers import ClipError, RawClip, Reader, register
from sslslr.data.readers.npz import plain_array
from sslslr.utils.errors import first_line


@register
class Npy(Reader):
    endings = (".npy",)
    title = (
        "one array a clip: frames x points x 2 to 4 (75, 42, 543, 553, 133, 137, 67, 27 ... points), flat "
        "rows (1662, 1629, 258, 225, 150 ...), coordinates or persons first"
    )

    @classmethod
    def recognise(cls, name: str, head: bytes) -> str:
        return "begins as numpy's .npy does" if head.startswith(b"\x93NUMPY") else ""

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        try:
            return RawClip(plain_array(data))
        except (ValueError, EOFError, OSError) as error:
            raise ClipError(
                f"not a sound array ({first_line(error)}); arrays of Python objects are refused, since "
                "unpickling would run code"
            ) from None
