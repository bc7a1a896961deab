"""Weights that someone else made: found or fetched, verified, and never unpickled as they are.

A checkpoint (`.pth`) is a pickle. It is read by torch's `weights_only` unpickler with numpy's
types allowed besides (OpenMMLab keeps metadata in numpy arrays), so that nothing in it can run,
and saved again as safetensors.
"""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sslslr.utils.download.addresses import public
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of
from sslslr.utils.user_files import name_fault


def find_weights(source: str, sha256: str | None, folder: Path, option: str = "weights") -> Path:
    """The file of weights: a local one, or fetched into `folder`; verified.

    Args:
        source: a path or an https URL.
        sha256: what the file must have; None accepts what OpenMMLab's file name says (its last
            part begins with eight digits of the sha256), else anything.
        option: which option of the backend names a file instead, for the error.

    Raises:
        UserError: no such file, no network, or another sha256.
    """
    if "://" in source:
        file = fetched(source, folder, option)
    else:
        file = Path(source)
        if not file.is_file():
            raise UserError(f"{file}: there is no such file of weights.")
    found, expected = sha256_of(file), (sha256 or _named_digits(source)).lower()
    if not found.startswith(expected):
        if "://" in source:
            file.unlink(missing_ok=True)
        raise UserError(
            f"{source}: its sha256 is {found}, expected {expected}{'...' if not sha256 else ''}; the "
            "file is damaged or another one. Nothing was loaded."
        )
    return file


def _named_digits(source: str) -> str:
    """`..._256x192-cd5e845c_20230123.pth` names the first digits of its sha256: cd5e845c."""
    found = re.search(r"-([0-9a-f]{8})_\d{8}\.pth$", source)
    return found[1] if found else ""


def fetched(url: str, folder: Path, option: str = "weights") -> Path:
    """The file of a URL, fetched into the study's folder of downloads, else into `folder`.

    Resumed where it was cut, and checked against `config/checksums.lock` (`sslslr/utils/download/fetch.py`).

    Raises:
        UserError: not https, no network, cut off, or not the file that was fetched before.
    """
    from sslslr.utils.download.fetch import File, fetch
    from sslslr.utils.download.http import DownloadSettings

    cache = os.environ.get("SSLSLR_DOWNLOADS")
    place = Path(cache, "pose_weights") if cache else folder
    name = urlsplit(url).path.rpartition("/")[2]
    if name_fault(name) or name.startswith("."):
        raise UserError(
            f"{public(url)}: names no file. Name one in the backend's option `{option}`."
        )
    try:
        return fetch([File(name, url)], place, DownloadSettings())[0]
    except UserError as error:
        advice = f"Or fetch it elsewhere and name the file in the backend's option `{option}`."
        raise UserError(f"{error} {advice}") from None


def read_state(file: Path) -> dict[str, Any]:
    """The tensors of a checkpoint, by name; nothing in the file is run.

    Raises:
        UserError: not a checkpoint, or one that holds more than tensors, numbers and numpy arrays.
    """
    import torch

    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        with torch.serialization.safe_globals(_numpy_types()):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file fails in many ways in torch and safetensors
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{file}: not a checkpoint that may be read ({first}). Only tensors, numbers, text and "
            "numpy arrays are accepted; nothing in it was run."
        ) from None
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    tensors = (
        {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
        if isinstance(content, dict)
        else {}
    )
    if not tensors:
        raise UserError(f"{file}: holds no tensors by name; it is no checkpoint of a model.")
    return {str(name): tensor.contiguous().clone() for name, tensor in tensors.items()}


# OpenMMLab's files keep constants of preprocessing and losses, or not; the model has them either way.
CONSTANTS = ("data_preprocessor.", "head.loss_")


def load_state(model: Any, state: dict[str, Any], file: Path, option: str = "model") -> None:
    """Put a checkpoint's tensors into a model, all of them and no others.

    Args:
        option: which option of the backend names the model, for the error.

    Raises:
        UserError: the tensors are another model's.
    """
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise UserError(
            f"{file}: is not of this model ({str(error).splitlines()[-1].strip()}). "
            f"Name the right `{option}`."
        ) from None
    absent = [name for name in missing if not name.startswith(CONSTANTS)]
    if absent:
        raise UserError(
            f"{file}: is not of this model; {len(absent)} of its tensors are missing, the first is "
            f"{absent[0]!r}. Name the right `{option}`."
        )
    foreign = [name for name in unexpected if not name.startswith(CONSTANTS)]
    if foreign:
        raise UserError(f"{file}: is not of this model; it does not know {foreign[0]!r}.")


def _numpy_types() -> list[Any]:
    """Arrays, scalars and dtypes, under numpy's names of today and of the time of version 1."""
    import numpy as np
    from numpy._core import multiarray

    functions = [(multiarray._reconstruct, "_reconstruct"), (multiarray.scalar, "scalar")]
    kinds = {type(np.dtype(code)) for code in "?bBhHiIlLqQefdgSU"}
    named = [
        (f, f"numpy.{core}.multiarray.{name}")
        for f, name in functions
        for core in ("core", "_core")
    ]
    return [*named, np.ndarray, np.dtype, *kinds]
