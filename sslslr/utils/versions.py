"""Versions of what decides a result."""

import importlib.metadata
import platform

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
    by_name = {"python": platform.python_version()}
    for name in VERSIONS_OF:
        try:
            by_name[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            by_name[name] = "not installed"
    return by_name
