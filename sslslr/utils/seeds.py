"""Seeds that are derived, never drawn: the same purpose gets the same numbers after a resume."""

import hashlib

import torch


def derive(seed: int, *purpose: object) -> int:
    """A 63-bit seed for a purpose: `derive(0, "views", epoch)`."""
    text = ":".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *purpose: object, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on `device`, seeded for a purpose."""
    return torch.Generator(device=device).manual_seed(derive(seed, *purpose))
