"""The encoder artifact: a folder with `encoder.safetensors`, `run.json` and `history.csv`.

An exported folder (`sslslr export`) has `preprocess.json` in place of the latter two; its key `run` is
`run.json`.

Never a pickle. `run.json` says all that decides the weights (resolved settings, seed, code hash,
data hash, versions) and what they cost.
"""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import nn

from sslslr.config.run import RunSpec
from sslslr.config.settings import parse
from sslslr.encoders.build import build_encoder, encoder_options
from sslslr.pose.skeleton import N_JOINTS
from sslslr.utils.errors import UserError, first_line
from sslslr.utils.files import atomic_file, read_json, write_json
from sslslr.utils.user_files import open_user_file

MODEST = 20_000_000  # numbers that may be laid out whatever the weights are
LARGEST = 1e6  # of a weight; sums of products of much larger ones are beyond single precision
LARGEST_BUFFER = 1e12  # a variance of coordinates in pixels is beyond LARGEST
SMALLEST = 1e-12  # one weight at least is no less
WEIGHTS, RUN, HISTORY = "encoder.safetensors", "run.json", "history.csv"
METHOD = "method.safetensors"
EXPORTED = "preprocess.json"


def save(
    out: Path,
    encoder: nn.Module,
    history: pd.DataFrame,
    run: dict[str, Any],
    kept: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write the three files, run.json last: where it stands, the artifact is whole.

    Args:
        kept: what the method keeps beside the encoder, written to `method.safetensors` if there is any.
    """
    out = Path(out)
    (out / RUN).unlink(missing_ok=True)
    for name, state in ((WEIGHTS, encoder.state_dict()), (METHOD, kept or {})):
        tensors = {key: value.detach().cpu().contiguous() for key, value in state.items()}
        if name == METHOD and not tensors:  # an encoder without weights has its file all the same
            (out / name).unlink(missing_ok=True)
            continue
        with atomic_file(out / name) as temporary:
            temporary.write_bytes(serialised(tensors))  # safetensors' own writer hides a full disk
    with atomic_file(out / HISTORY) as temporary:
        history.to_csv(temporary, index=False, float_format="%.8g", lineterminator="\n")
    write_json(out / RUN, run)


def is_made(folder: Path, spec: RunSpec, code: str, data_hash: str | None) -> bool:
    """Is there a whole artifact of exactly these settings, sources and data?"""
    try:
        run = read_json(Path(folder) / RUN)
    except UserError:
        return False
    if not isinstance(run, dict):
        return False
    made = (run.get("spec"), run.get("code_hash"), run.get("data_hash"))
    return made == (spec.model_dump(mode="json"), code, data_hash)


def load(folder: Path, device: str | torch.device = "cpu") -> tuple[nn.Module, dict[str, Any]]:
    """The encoder in evaluation mode, frozen, and its run.json.

    Raises:
        UserError: a file is missing, cut, or does not fit the settings that run.json states; weights
            that are no finite real numbers, are all zero, or larger than any encoder's.
    """
    folder = Path(folder)
    stated = folder / RUN
    if not stated.exists() and (folder / EXPORTED).exists():
        stated = folder / EXPORTED
    run = read_json(stated)
    if stated.name == EXPORTED and isinstance(run, dict):
        run = run.get("run")
    if not isinstance(run, dict) or "spec" not in run:
        raise UserError(f"{stated}: states no settings. {_again(folder)}")
    spec = settings(run, str(stated))
    joints = run.get("joints") or []
    if not isinstance(joints, list) or any(
        type(j) is not int or not 0 <= j < N_JOINTS for j in joints
    ):
        raise UserError(
            f"{stated}: joints are no list of numbers below {N_JOINTS}. {_again(folder)}"
        )
    weights = folder / WEIGHTS
    try:
        open_user_file(weights).close()  # a regular file, before safetensors maps it
        _check_size(weights, encoder_options(spec.encoder, f"{stated}: encoder", most=1))
        encoder = build_encoder(spec.encoder, spec.preprocess.frames, spec.seed)
        _check_header(weights, encoder.state_dict())
        encoder.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError, OSError, ValueError, MemoryError) as error:
        reason = first_line(error, 300, "no memory")
        raise UserError(
            f"{weights}: these weights cannot be used ({reason}). {_again(folder)}"
        ) from None
    _check_values(weights, encoder)
    return encoder.to(device).eval().requires_grad_(False), run


def _again(folder: Path) -> str:
    """How to get a damaged encoder anew: who has a folder of `sslslr export` has no run to pretrain."""
    if (folder / RUN).exists():
        return "Pretrain the run again."
    return "Copy the folder anew from where it came, or make it again (`sslslr export`, `lookup build`)."


def settings(run: dict[str, Any], where: str) -> RunSpec:
    """The settings of a run.json, but for how it was trained: another version may know other keys of that.

    Raises:
        UserError: they are none, or of an encoder that there is not; `where` they stand.
    """
    stated = run["spec"]
    spec: RunSpec = parse(
        RunSpec, stated | {"pretrain": {}} if isinstance(stated, dict) else stated, where, most=1
    )
    return spec


def _check_values(weights: Path, encoder: nn.Module) -> None:
    """Raise UserError for weights of which features would be NaN, or the same for every clip."""
    largest, learnt = 0.0, dict(encoder.named_parameters())
    numbers = {
        name: value
        for name, value in encoder.state_dict().items()
        if value.is_floating_point() and value.numel()
    }
    for name, value in numbers.items():
        reach, most = float(value.abs().max()), LARGEST if name in learnt else LARGEST_BUFFER
        if not math.isfinite(reach) or reach > most:
            what = (
                f"{reach:g}, beyond {most:g}"
                if math.isfinite(reach)
                else "a value that is not finite"
            )
            raise UserError(f"{weights}: {name} holds {what}. {_again(weights.parent)}")
        largest = max(largest, reach)
    if numbers and largest < SMALLEST:  # of whole numbers alone it may be indices
        raise UserError(f"{weights}: all weights are zero. {_again(weights.parent)}")


def _check_size(weights: Path, options: Any) -> None:
    """Look at the header before room is made for an encoder that is far larger than its weights.

    (Laying it out on torch's device "meta" would say it exactly, and costs two seconds a process.)

    Raises:
        ValueError: the settings are of a far larger one.
    """
    with safe_open(weights, framework="pt") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    several = getattr(options, "members", 1)
    if hasattr(options, "member"):  # of a committee
        options = encoder_options(options.member)
    depth, width = several * getattr(options, "depth", 1), getattr(options, "width", 1)
    if depth > max(1, len(shapes)):
        raise ValueError(f"run.json states depth {depth}, they are {len(shapes)} tensors")
    numbers = sum(math.prod(shape) for shape in shapes)
    if depth * width**2 > max(MODEST, 100 * numbers):
        raise ValueError(f"run.json states width {width}, they are {numbers} numbers")


def _check_header(weights: Path, expected: dict[str, torch.Tensor]) -> None:
    """Compare names, shapes and types with those of the encoder, before any value is read.

    Raises:
        ValueError: they differ.
    """
    with safe_open(weights, framework="pt") as file:
        names = set(file.keys())
        if names != set(expected):
            name = sorted(names ^ set(expected))[0]
            raise ValueError(
                f"tensor {name[:100]!r} is {'too many' if name in names else 'missing'}"
            )
        for name, tensor in expected.items():
            part = file.get_slice(name)
            shape, kind = tuple(part.get_shape()), part.get_dtype()
            if shape != tuple(tensor.shape):
                raise ValueError(f"{name} has the shape {shape}, not {tuple(tensor.shape)}")
            if tensor.is_floating_point() != kind.startswith(("F", "BF")):
                raise ValueError(f"{name} has values of type {kind}, not {tensor.dtype}")
