"""The encoder artifact: a folder with `encoder.safetensors`, `run.json` and `history.csv`.

Never a pickle. `run.json` says all that decides the weights (resolved settings, seed, code hash,
data hash, versions) and what they cost.
"""

import importlib.metadata
import platform
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import nn

from sslslr.encoder import build_encoder
from sslslr.errors import UserError
from sslslr.files import atomic_file, read_json, write_json
from sslslr.grid import RunSpec
from sslslr.strict import parse

WEIGHTS, RUN, HISTORY = "encoder.safetensors", "run.json", "history.csv"
VERSIONS_OF = (
    "sslslr",
    "torch",
    "lightning-fabric",
    "numpy",
    "pandas",
    "scikit-learn",
    "safetensors",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide a result."""
    found = {"python": platform.python_version()}
    for name in VERSIONS_OF:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def save(out: Path, encoder: nn.Module, history: pd.DataFrame, run: dict[str, Any]) -> None:
    """Write the three files, run.json last: where it stands, the artifact is whole."""
    out = Path(out)
    (out / RUN).unlink(missing_ok=True)
    state = {
        name: value.detach().cpu().contiguous() for name, value in encoder.state_dict().items()
    }
    with atomic_file(out / WEIGHTS) as temporary:
        temporary.write_bytes(serialised(state))  # safetensors' own writer hides a full disk
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
        UserError: a file is missing, cut, or does not fit the settings that run.json states.
    """
    folder = Path(folder)
    run = read_json(folder / RUN)
    if not isinstance(run, dict) or "spec" not in run:
        raise UserError(f"{folder / RUN}: states no settings. Pretrain the run again.")
    spec: RunSpec = parse(RunSpec, run["spec"], str(folder / RUN))
    encoder = build_encoder(spec.encoder, spec.preprocess.frames, spec.seed)
    try:
        encoder.load_state_dict(load_file(folder / WEIGHTS))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise UserError(
            f"{folder / WEIGHTS}: these weights cannot be used ({error}). Pretrain the run again."
        ) from None
    return encoder.to(device).eval().requires_grad_(False), run
