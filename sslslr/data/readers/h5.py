"""HDF5, where h5py is there: one clip a file, or one clip a group or array of it."""

import io

import numpy as np

from sslslr.data.readers import ClipError, RawClip, Reader, Unit, damaged_alone, register
from sslslr.data.readers._held import clip_of
from sslslr.utils.errors import UserError
from sslslr.utils.user_files import shown

MAGIC = b"\x89HDF\r\n\x1a\n"
LARGEST = 50_000_000  # numbers of an array


def _opened(data: bytes):
    try:
        import h5py
    except ImportError:
        raise ClipError("HDF5, which needs h5py: `pip install h5py`") from None
    try:
        return h5py.File(io.BytesIO(data), "r")
    except OSError as error:
        raise ClipError(f"not a sound HDF5 file ({str(error)[:80]})") from None


@register
class H5(Reader):
    endings = (".h5", ".hdf5", ".hdf")
    title = "HDF5 (where h5py is installed): a file a clip, or a group or array a clip"
    why = "an HDF5 file with several clips"

    @classmethod
    def recognise(cls, name: str, head: bytes) -> str:
        return "begins as HDF5 does" if head.startswith(MAGIC) else ""

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        units = []
        for name in names:
            if not name.lower().endswith(cls.endings):
                continue
            try:
                with damaged_alone(), _opened(members.read(name, 4 << 30)) as file:
                    keys = _own(file)
                    several = len(keys) > 1 and all(_is_clip(file[key]) for key in keys)
                    if several:
                        units += [Unit(key, (name,), "h5", key) for key in keys]
            except UserError:
                continue  # said when it is read
        return units

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        with _opened(data) as file:
            return clip_of(_held(file))

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        with _opened(members.read(unit.files[0], 4 << 30)) as file:
            node = file if unit.key is None else file[unit.key]
            return clip_of(_held(node))


def _own(node) -> list[str]:
    """Names of what lies in a group itself: a link may lead into any other file of the machine."""
    import h5py

    hard = (name for name in node if isinstance(node.get(name, getlink=True), h5py.HardLink))
    return sorted(hard)


def _is_clip(node) -> bool:
    if hasattr(node, "shape"):
        return node.ndim == 3 and node.shape[-1] in (2, 3, 4)
    return any(hasattr(node[key], "shape") and node[key].ndim >= 2 for key in _own(node))


def _held(node):
    """A node's arrays; attributes count as values."""
    if hasattr(node, "shape"):
        return _array(node)
    arrays = {key: node[key] for key in _own(node) if hasattr(node[key], "shape")}
    if (size := sum(array.size for array in arrays.values())) > LARGEST:
        raise ClipError(f"arrays of {size} numbers")
    return {**dict(node.attrs.items()), **{key: _array(array) for key, array in arrays.items()}}


def _array(node) -> np.ndarray:
    if node.is_virtual or node.external:  # its numbers are the bytes of other files
        raise ClipError(f"{shown(node.name)}: keeps its numbers in another file")
    if node.size > LARGEST:
        raise ClipError(f"an array of {node.size} numbers")
    return np.asarray(node[()])
