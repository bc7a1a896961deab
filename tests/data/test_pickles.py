"""The restricted unpickler gives what pickle gives, for all that keypoints are made of."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sslslr.data.readers._unpickle import UnsafePickle, load

ARRAYS = hnp.arrays(
    st.sampled_from(["f2", "f4", "f8", "<i4", ">i4", "u1", "?", ">f8"]),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(ARRAYS, st.integers(0, 5), st.booleans())
def test_arrays(array, protocol, fortran):
    array = np.asfortranarray(array) if fortran else array
    for core in (b"numpy._core", b"numpy.core"):  # as numpy 2 and numpy 1 name it
        data = pickle.dumps({"keypoints": array}, protocol=protocol)
        if protocol < 4:  # lines; later protocols write lengths
            data = data.replace(b"numpy._core", core)
        found = load(data)["keypoints"]
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("axes", [(1, 0, 2), (2, 0, 1), (0, 2, 1), (2, 1, 0)])
@pytest.mark.parametrize("protocol", range(6))
def test_transposed_arrays(axes, protocol):
    array = np.arange(24.0).reshape(2, 3, 4).transpose(axes)
    np.testing.assert_array_equal(load(pickle.dumps(array, protocol=protocol)), array)


@pytest.mark.parametrize("axes", [(0, 0, 1), (0, 1), (0, 1, 3), (0.0, 1.0, 2.0), None, "012"])
def test_axes_that_cannot_be(axes):
    class Odd:
        def __reduce__(self):
            from numpy._core.numeric import _frombuffer

            return _frombuffer, (bytes(192), np.dtype("f8"), (2, 3, 4), "K", axes)

    with pytest.raises(UnsafePickle, match="axes"):
        load(pickle.dumps(Odd(), protocol=5))


@settings(max_examples=60, deadline=None)
@given(PLAIN, st.integers(0, 5))
def test_builtins(value, protocol):
    assert load(pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.parametrize("protocol", range(6))
def test_scalars_and_sets(protocol):
    value = {"n": np.float32(2.5), "s": {1, 2}, "f": frozenset("ab"), "b": bytearray(b"x")}
    assert load(pickle.dumps(value, protocol=protocol)) == value


def test_numpy_1_as_it_wrote_it():
    array = np.arange(6.0).reshape(2, 3)
    data = pickle.dumps(array, protocol=4)
    old = data.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")
    assert old != data
    # One byte less in the frame.
    length = int.from_bytes(old[3:11], "little") - 1
    old = old[:3] + length.to_bytes(8, "little") + old[11:]
    np.testing.assert_array_equal(load(old), array)


def refusal(data):
    """Why a pickle is refused; empty where it is read."""
    try:
        load(data)
    except UnsafePickle as error:
        return str(error)
    return ""


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_one_line(data):
    assert "\n" not in refusal(data)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_flipped_byte_is_a_value_or_one_line(place, value):
    data = bytearray(pickle.dumps({"keypoints": np.zeros((2, 3)), "s": "text"}, protocol=4))
    data[place % len(data)] = value
    assert "\n" not in refusal(bytes(data))
