"""Files and addresses of weights that are none: one line each, and nothing in them runs."""

import os
import pickle

import pytest
import torch

from hostile_bytes import one_line
from sslslr.pose.backends._checkpoint import find_weights, read_state


class Calls:
    def __reduce__(self):
        return os.system, ("touch ran",)


def saved(content):
    def write(file):
        torch.save(content, file)

    return write


CASES = {
    "empty.pth": (b"", "not a checkpoint"),
    "cut.pth": (b"PK\x03\x04" + bytes(30), "not a checkpoint"),
    "text.pth": (b"hello", "not a checkpoint"),
    "deep.pth": (b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".", "not a checkpoint|no tensors"),
    "memo.pth": (b"\x80\x02h\x07.", "not a checkpoint"),
    "stack.pth": (b"\x80\x02R.", "not a checkpoint"),
    "calls.pth": (pickle.dumps(Calls()), "not a checkpoint"),
    "list.pth": (saved([1, 2]), "holds no tensors"),
    "number.pth": (saved(7), "holds no tensors"),
    "none.pth": (saved({}), "holds no tensors"),
    "nested.pth": (saved({"state_dict": {"a": 1}}), "holds no tensors"),
    "empty.safetensors": (b"", "not a checkpoint"),
    "cut.safetensors": (b"\xff" * 8 + b"{}", "not a checkpoint"),
    "text.safetensors": (b"\x05\0\0\0\0\0\0\0hello", "not a checkpoint"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_weights_that_is_none_is_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, said = CASES[name]
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        content(tmp_path / name)
    with one_line(said):
        read_state(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "address", ["https://example.org/", "https://example.org", "https://example.org/a/.hidden",
                "https://example.org/..", "https://example.org/a/?name=x.onnx", "https://example.org/a\\b"],
)  # fmt: skip
def test_an_address_that_names_no_file_is_one_line(address, tmp_path):
    with one_line("names no file"):
        find_weights(address, None, tmp_path)
