"""PyTorch's `.pt`: a tensor or what `.npz` and pickles hold, read by `torch.load(weights_only=True)` alone."""

import io
import pickle
import zipfile
from typing import Any

import numpy as np

from sslslr.data.readers import ClipError, RawClip, Reader, register
from sslslr.data.readers._held import clip_of
from sslslr.utils.archives import DAMAGED
from sslslr.utils.errors import first_line

ENDINGS = (".pt", ".pth")
LARGEST = 512 << 20  # bytes of an unpacked file, and numbers of its tensors
OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # PyTorch's own number, before it wrote zips


@register
class Tensors(Reader):
    endings = ENDINGS
    title = (
        "PyTorch's .pt and .pth: a tensor, a dict of tensors, clips by id; never run (weights_only)"
    )

    @classmethod
    def recognise(cls, name: str, head: bytes) -> str:
        if head.startswith(OLD):
            return "begins as files of PyTorch before 1.6 do"
        return (
            "a zip with data.pkl, as PyTorch writes"
            if head.startswith(b"PK") and b"/data.pkl" in head[:300]
            else ""
        )

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        return clip_of(held(data))


def held(data: bytes) -> Any:
    """What a `.pt` holds, with arrays for tensors.

    Raises:
        ClipError: it is damaged, too large, or holds what is neither tensors nor plain values.
    """
    import torch

    try:
        if not data.startswith(OLD):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(member.file_size for member in archive.infolist()) > LARGEST:
                    raise ClipError("a file of PyTorch that is too large")
        return _arrays(
            torch.load(io.BytesIO(data), map_location="cpu", weights_only=True), [LARGEST]
        )
    except (*DAMAGED, RuntimeError) as error:
        raise ClipError(f"not a sound file of PyTorch ({first_line(error)})") from None
    except pickle.UnpicklingError:
        raise ClipError(
            "PyTorch's file of other objects than tensors, such as numpy's arrays or modules, which only running it "
            "could read: write the clip by numpy.save"
        ) from None


def _arrays(value: Any, left: list[int]) -> Any:
    """The value with arrays in place of tensors; `left`: numbers that they may still hold."""
    import torch

    if isinstance(value, dict):
        return {key: _arrays(item, left) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_arrays(item, left) for item in value]
    if not isinstance(value, torch.Tensor):
        return value
    left[0] -= value.numel()  # of one number with strides of 0 there may be any amount
    if left[0] < 0 or value.layout != torch.strided or value.is_quantized or value.is_complex():
        raise ClipError("a tensor that is too large, sparse or not of plain numbers")
    value = value.detach()
    return np.asarray(value.float() if value.is_floating_point() and value.itemsize < 4 else value)
