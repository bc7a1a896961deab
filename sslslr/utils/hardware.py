"""What a run runs on: precision, device name, peak memory."""

import os
import resource
import sys

import torch

from sslslr.utils.errors import UserError


def choose_accelerator(setting: str) -> str:
    """`cuda` or `cpu`: `auto` is a CUDA GPU where there is one (no other kind is supported).

    Raises:
        UserError: `cuda` was asked for and none is usable.
    """
    if setting == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "pretrain.accelerator is cuda, but torch sees no CUDA GPU here. Set it to auto or cpu, or "
            "check the driver with `nvidia-smi`."
        )
    return "cuda" if setting != "cpu" and torch.cuda.is_available() else "cpu"


def choose_precision(accelerator: str, precision: str) -> tuple[str, str]:
    """Fabric's precision for a setting, and a note where the setting could not be followed.

    `auto` is mixed precision on a GPU (bf16 where it has it, else 16 bit) and full on CPU, where
    results are the same on every machine. On a CPU bf16-mixed is followed where the processor
    multiplies bf16 itself; elsewhere it would be slower than full precision, which is taken instead.
    """
    cuda = accelerator != "cpu" and torch.cuda.is_available()
    if precision == "auto":
        if not cuda:
            return "32-true", ""
        # A GPU that has no bf16 emulates it, slowly.
        has = torch.cuda.is_bf16_supported(including_emulation=False)
        return ("bf16-mixed" if has else "16-mixed"), ""
    if precision.endswith("-mixed") and not cuda:
        if precision != "bf16-mixed":
            found = "needs a GPU and none is used"
        elif not cpu_multiplies_bf16():
            found = "needs a GPU or a CPU with AVX512-BF16 or AMX, and none is used"
        else:
            return precision, ""
        return "32-true", f"precision {precision} {found}; running in 32-true"
    return precision, ""


def cpu_multiplies_bf16() -> bool:
    """Whether the processor has instructions for products of bf16 (AVX512-BF16, AMX, Arm's BF16)."""
    return any(has is True and "bf16" in name for name, has in torch.cpu.get_capabilities().items())


def check_devices(accelerator: str, devices: int) -> None:
    """
    Raises:
        UserError: this machine, or this job, has fewer GPUs than `pretrain.devices`.
    """
    found = torch.cuda.device_count() if accelerator == "cuda" else devices
    if found < devices:
        raise UserError(
            f"pretrain.devices is {devices}, but {found} GPU(s) can be seen here (CUDA_VISIBLE_DEVICES is "
            f"{os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')}). Set it to {found}, or ask the "
            "scheduler for more."
        )


def device_name(device: torch.device | str) -> str:
    """`cpu` or the GPU's product name."""
    device = torch.device(device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def reset_peak_memory(device: torch.device | str) -> None:
    """Begin a new measurement on a GPU; a process's peak on the host cannot be reset."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb(device_name_or_cpu: str) -> float:
    """Peak memory in MB: of the GPU's allocator, or of this process on CPU."""
    if device_name_or_cpu != "cpu" and torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes on Linux
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
