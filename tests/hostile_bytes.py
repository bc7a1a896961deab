"""Bytes that nobody's tool would write: headers, archives and tables made by hand, for the tests."""

import io
import struct
import time
import tracemalloc
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest

from sslslr.utils.errors import UserError


def npy_header(text, data=b"", version=b"\x01\x00"):
    """A `.npy` file with a header of any text."""
    header = text.encode() + b" " * ((64 - (10 + len(text) + 1) % 64) % 64) + b"\n"
    size = struct.pack("<H" if version[0] == 1 else "<I", len(header))
    return b"\x93NUMPY" + version + size + header + data


def shaped(shape, descr="<f2", fortran=False, data=b""):
    """A `.npy` file that announces a shape, whatever the data."""
    return npy_header(
        f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape}, }}", data
    )


def npy(array, **settings):
    stream = io.BytesIO()
    np.save(stream, np.asarray(array), **settings)
    return stream.getvalue()


def zip_of(members, flags=0, compression=zipfile.ZIP_DEFLATED):
    """A zip's bytes from [(name, bytes)]; a name may stand twice, `flags` are set in every header."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in members:
            info = zipfile.ZipInfo("placeholder")
            info.filename, info.compress_type = name, compression
            archive.writestr(info, data)
    content = bytearray(stream.getvalue())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(mark)
        while flags and place >= 0:
            content[place + at] |= flags
            place = content.find(mark, place + 4)
    return bytes(content)


@contextmanager
def one_line(said, seconds=5.0, memory=1 << 30):
    """The block ends in one UserError line that matches `said`, soon and in bounded memory."""
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(UserError, match=said) as caught:
            yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    assert len(message) < 1500, message
    message.encode("utf-8")  # it can be written to a log
    assert time.process_time() - began < seconds
    assert peak < memory
