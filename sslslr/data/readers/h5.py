"""HDF5, where h5py is there: one clip a file, a clip a group or array of it, or X and y of a whole set."""

import io

import numpy as np

from sslslr.data.readers import ClipError, RawClip, Reader, Unit, damaged_alone, kept, register
from sslslr.data.readers._held import POINTS, clip_of
from sslslr.data.readers._parts import LEFT, RIGHT, plain
from sslslr.data.readers.many import columns_of
from sslslr.data.readers.whole_set import FREE, LABELS, PACKED, pairs, role
from sslslr.utils.errors import UserError
from sslslr.utils.user_files import shown

MAGIC = b"\x89HDF\r\n\x1a\n"
LARGEST = 50_000_000  # numbers of a clip
LARGEST_FILE = 4 << 30  # bytes
LARGEST_SET = LARGEST_FILE // 2  # numbers of an array that holds every clip


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
    title = "HDF5 (where h5py is installed): a file, a group or an array a clip (GLOSS/CLIP), or X and y"
    why = "an HDF5 file with several clips"
    together = True

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
                with damaged_alone(), _opened(members.read(name, LARGEST_FILE)) as file:
                    found = _set_of(file, name) or _clips(file, name)
            except UserError:
                continue  # said when it is read
            units += found if len(found) > 1 else []
        return units

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        with _opened(data) as file:
            return clip_of(_held(file))

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        number, path = unit.key
        name = unit.files[0]
        file = kept(members, ("h5", name), lambda: _opened(members.read(name, LARGEST_FILE)))
        node = file[path]
        return (
            clip_of(_held(node)) if number is None else RawClip(_checked(node, LARGEST_SET)[number])
        )


def _set_of(file, name: str) -> list[Unit]:
    """The clips of an array X with labels y beside it."""
    arrays = {key.lower(): key for key in _own(file) if hasattr(file[key], "shape")}
    found = pairs(
        arrays,
        lambda key: _plain(
            _array(file[arrays[key]], LABELS if role(key)[0] == "y" else LARGEST_SET)
        ),
        lambda key: (name, arrays[key]),
    )
    return [Unit(unit.name, (name,), "h5", unit.key, unit.columns) for unit in found]


def _plain(values) -> np.ndarray:
    """Labels as numbers or text; HDF5 holds text as objects of bytes."""
    values = np.asarray(values)
    return values.astype("S") if values.dtype.kind == "O" else values


def _clips(file, name: str) -> list[Unit]:
    """A clip a group that holds points or parts, and a clip an array elsewhere.

    An array alone in its group is all of the group's clip where such arrays have one name (CLIP/xyz), and
    else a clip of the group's gloss (GLOSS/CLIP).
    """
    nodes = list(_nodes(file, set()))
    inner = [node.name.rpartition("/")[2] for node, alone in nodes if alone]
    grouped = len(inner) > 1 == len(set(inner)) and not inner[0].isdecimal()
    found = [node.parent if alone and grouped else node for node, alone in nodes]
    return [
        Unit(node.name.strip("/") or name, (name,), "h5", (None, node.name), _said(node))
        for node in found
    ]


def _nodes(group, seen: set[int]):
    """Groups and arrays that are clips, and whether each is an array alone in its group.

    Each is looked at once: links within a file can make rings of groups, and paths without end.
    """
    import h5py

    if (place := h5py.h5o.get_info(group.id).addr) in seen:
        return
    seen.add(place)
    arrays = [key for key in _own(group) if getattr(group[key], "shape", ())]
    if any(plain(key) in (*POINTS, *LEFT, *RIGHT) for key in arrays):
        yield group, False
        return
    for key in _own(group):
        node = group[key]
        if not hasattr(node, "shape"):
            yield from _nodes(node, seen)
        elif node.ndim >= 2 and node.dtype.kind in "iuf":
            yield node, len(arrays) == 1 and group.name != "/"


def _said(node) -> dict[str, str]:
    """Gloss, signer and split of a node's attributes and of the single values in a group."""
    said = dict(node.attrs.items())
    for key in _own(node) if not hasattr(node, "shape") else ():
        if getattr(node[key], "shape", None) == () and not node[key].external:
            said[key] = node[key][()]
    return columns_of({key: _text(value) for key, value in said.items()})


def _text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _own(node) -> list[str]:
    """Names of what lies in a group itself: a link may lead into any other file of the machine."""
    import h5py

    hard = (name for name in node if isinstance(node.get(name, getlink=True), h5py.HardLink))
    return sorted(hard)


def _held(node):
    """A node's arrays; attributes count as values."""
    if hasattr(node, "shape"):
        return _array(node)
    arrays = {key: node[key] for key in _own(node) if hasattr(node[key], "shape")}
    if (size := sum(array.size for array in arrays.values())) > LARGEST:
        raise ClipError(f"arrays of {size} numbers")
    return {**dict(node.attrs.items()), **{key: _array(array) for key, array in arrays.items()}}


def _array(node, largest: int = LARGEST) -> np.ndarray:
    return np.asarray(_checked(node, largest)[()])


def _checked(node, largest: int):
    """An array of the file, unread.

    Raises:
        ClipError: its numbers are another file's bytes, or more than is read.
    """
    if node.is_virtual or node.external:
        raise ClipError(f"{shown(node.name)}: keeps its numbers in another file")
    unfolded = node.nbytes > max(FREE, PACKED * node.file.id.get_filesize())
    if node.size > largest or unfolded:
        raise ClipError(f"an array of {node.size} numbers")
    return node
