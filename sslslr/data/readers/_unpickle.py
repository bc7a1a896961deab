"""Pickles of numpy arrays and builtins, read without trusting them.

A pickle is a program; loading one runs what it asks for. Here it can ask for next to nothing: its
instructions are looked through first (no instance is made, nothing persistent or out of band, no
counter that would fill the memory), and the few names that an array's pickle calls are answered by
stand-ins that build arrays from bytes. Numpy's own unpickling is never run, nor is any other code of
a name in the file: a name that is not on the list is an error before anything is called.

    load(pickle.dumps({"keypoints": np.zeros((8, 75, 3))}))["keypoints"].shape     # (8, 75, 3)
"""

import io
import math
import pickle
import pickletools
from typing import Any

import numpy as np

from sslslr.utils.errors import UserError, first_line

LARGEST = 256 << 20  # bytes of a pickle
OPCODES = 2_000_000  # instructions of a pickle
MEMO = 1_000_000  # highest slot of its memory: the reader makes a table of that length
DEEPEST = 20  # containers within containers
ALLOWED = frozenset(
    """
    PROTO FRAME STOP MARK POP PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET
    NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT
    UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 STRING BINSTRING SHORT_BINSTRING
    BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8
    EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE1 TUPLE2 TUPLE3 TUPLE
    EMPTY_DICT DICT SETITEM SETITEMS EMPTY_SET ADDITEMS FROZENSET
    GLOBAL STACK_GLOBAL REDUCE BUILD
    """.split()  # noqa: SIM905
)
KINDS = "biuf"  # booleans and numbers; objects, strings and records are not keypoints


class UnsafePickle(UserError):
    """The pickle asks for something that is not needed to hold numbers, or is damaged."""


class _StandIn:
    """Takes the place of a name in a pickle; nothing of it can be changed by one."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise UnsafePickle("it tries to change a function")


class _Type(_StandIn):
    """`numpy.ndarray`, which is only ever an argument."""

    __slots__ = ()


class _Dtype:
    """A `numpy.dtype` in the making: a name, and then a state with the byte order."""

    __slots__ = ("dtype",)

    def __init__(self, name: Any):
        if not isinstance(name, str) or len(name) > 8:
            raise UnsafePickle("an array of an unknown type")
        try:
            self.dtype = np.dtype(name)
        except (TypeError, ValueError):
            raise UnsafePickle("an array of an unknown type") from None
        if self.dtype.kind not in KINDS:
            raise UnsafePickle(f"an array of type {self.dtype}, not of numbers")

    def __setstate__(self, state: Any) -> None:
        plain = isinstance(state, tuple) and len(state) >= 5 and state[1] in ("<", ">", "|", "=")
        if not plain or any(part is not None for part in state[2:5]):
            raise UnsafePickle("an array of a compound type")
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """An array in the making: empty, and then a state with shape, type and bytes."""

    __slots__ = ("array",)

    def __init__(self) -> None:
        self.array = np.zeros(0)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise UnsafePickle("an array with an unknown state")
        shape, dtype, fortran, data = state[-4:]
        self.array = _array(data, dtype, shape, "F" if fortran else "C")


class _DtypeOf(_StandIn):
    __slots__ = ()

    def __call__(self, name: Any, align: Any = False, copy: Any = True) -> _Dtype:
        return _Dtype(name)


class _Reconstruct(_StandIn):
    __slots__ = ()

    def __call__(self, kind: Any, shape: Any, code: Any) -> _Array:
        if not isinstance(kind, _Type) or shape != (0,):
            raise UnsafePickle("an array that is not plain")
        return _Array()


class _FromBuffer(_StandIn):
    __slots__ = ()

    def __call__(
        self, data: Any, dtype: Any, shape: Any, order: Any = "C", axes: Any = None
    ) -> _Array:
        made = _Array()
        if order != "K":
            made.array = _array(data, dtype, shape, order)
            return made
        # Numpy 2 and protocol 5: axes in the order they have in memory, and how to put them back.
        stored = _array(data, dtype, shape, "C")
        whole = isinstance(axes, tuple) and all(type(axis) is int for axis in axes)
        if not whole or sorted(axes) != list(range(stored.ndim)):
            raise UnsafePickle("an array whose axes have an impossible order")
        made.array = stored.transpose(axes)
        return made


class _Scalar(_StandIn):
    __slots__ = ()

    def __call__(self, dtype: Any, data: Any = b"") -> Any:
        return _array(data, dtype, (1,), "C")[0]


class _Encode(_StandIn):
    """`_codecs.encode`, by which protocols 0 to 2 write bytes."""

    __slots__ = ()

    def __call__(self, text: Any, encoding: Any = "latin1") -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise UnsafePickle("an unknown encoding")
        try:
            return text.encode("latin1")
        except UnicodeEncodeError:
            raise UnsafePickle("text where bytes were expected") from None


class _Container(_StandIn):
    """A builtin container, from another one: never from a number, which would be a length."""

    __slots__ = ("_kind",)

    def __init__(self, kind: type):
        self._kind = kind

    def __call__(self, items: Any = ()) -> Any:
        if not isinstance(items, list | tuple | set | frozenset | bytes | bytearray):
            raise UnsafePickle(f"a {self._kind.__name__} of something else than a list")
        try:
            return self._kind(items)
        except (TypeError, ValueError):
            raise UnsafePickle(f"a {self._kind.__name__} that cannot be") from None


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
        raise UnsafePickle("an array that is not of plain numbers")
    good = isinstance(shape, tuple) and len(shape) <= 8 and order in ("C", "F")
    if not good or any(type(n) is not int or not 0 <= n < 2**40 for n in shape):
        raise UnsafePickle("an array of an impossible shape")
    if math.prod(shape) * dtype.dtype.itemsize != len(data):
        raise UnsafePickle(f"an array of shape {shape} in {len(data)} bytes")
    return np.frombuffer(data, dtype.dtype).reshape(shape, order=order)


_NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Type(),
    ("numpy", "dtype"): _DtypeOf(),
    ("_codecs", "encode"): _Encode(),
}
for _core in ("numpy.core", "numpy._core"):
    _NAMES[f"{_core}.multiarray", "_reconstruct"] = _Reconstruct()
    _NAMES[f"{_core}.multiarray", "scalar"] = _Scalar()
    _NAMES[f"{_core}.numeric", "_frombuffer"] = _FromBuffer()
for _builtins in ("builtins", "__builtin__"):
    for _kind in (list, tuple, set, frozenset, bytes, bytearray):
        _NAMES[_builtins, _kind.__name__] = _Container(_kind)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = _NAMES.get((module, name))
        if found is None:
            asked = ascii(f"{module[:60]}.{name[:60]}")[1:-1]  # it may hold anything, line ends too
            of_torch = module.split(".")[0] == "torch"
            advice = "; write PyTorch's tensors as arrays: tensor.numpy()" if of_torch else ""
            raise UnsafePickle(f"it asks for {asked}{advice}")
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise UnsafePickle("it refers to something outside")


def load(data: bytes) -> Any:
    """What a pickle holds: numbers, text, bytes, builtin containers and numeric numpy arrays.

    Arrays are read-only views of the pickle's bytes.

    Raises:
        UnsafePickle: one line that says what the pickle wants; nothing of it was run.
    """
    _look_through(data)
    try:
        value = _Unpickler(io.BytesIO(data)).load()
        return _resolved(value, {}, 0)
    except UnsafePickle as error:
        raise UnsafePickle(f"refused as a pickle: {error}") from None
    except Exception as error:  # a damaged pickle fails in many ways
        raise UnsafePickle(
            f"not a sound pickle ({type(error).__name__}: {first_line(error)})"
        ) from None


def _look_through(data: bytes) -> None:
    """Read the instructions without running them."""
    if len(data) > LARGEST:
        raise UnsafePickle(f"refused as a pickle: {len(data)} bytes, at most {LARGEST}")
    try:
        end = None
        for count, (opcode, argument, position) in enumerate(pickletools.genops(data)):
            if opcode.name not in ALLOWED:
                raise UnsafePickle(
                    f"refused as a pickle: it holds an object of Python (instruction {opcode.name}), such as a "
                    "table of pandas or a tensor; write its numbers by numpy.save"
                )
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > MEMO:
                raise UnsafePickle("refused as a pickle: it would fill the memory")
            if count > OPCODES:
                raise UnsafePickle(f"refused as a pickle: more than {OPCODES} instructions")
            end = position
    except UnsafePickle:
        raise
    except Exception as error:
        raise UnsafePickle(f"not a pickle, or cut short ({first_line(error)})") from None
    if end is None or len(data) != end + 1:
        raise UnsafePickle("refused as a pickle: something follows its end")


def _resolved(value: Any, seen: dict[int, Any], depth: int) -> Any:
    """The value with arrays in place of stand-ins; what occurs twice is resolved once."""
    if isinstance(value, _Array):
        return value.array
    if isinstance(value, _Dtype):
        return value.dtype
    if isinstance(value, _StandIn):
        raise UnsafePickle("it holds a function")
    if not isinstance(value, list | tuple | dict):
        return value
    if depth > DEEPEST:
        raise UnsafePickle(f"containers more than {DEEPEST} deep")
    if id(value) in seen:
        if seen[id(value)] is None:
            raise UnsafePickle("a container that holds itself")
        return seen[id(value)]
    seen[id(value)] = None
    if isinstance(value, dict):
        made: Any = {key: _resolved(item, seen, depth + 1) for key, item in value.items()}
    else:
        made = type(value)(_resolved(item, seen, depth + 1) for item in value)
    seen[id(value)] = made
    return made
