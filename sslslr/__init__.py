"""sslslr: self-supervised representation learning for sign language recognition, reproduced.

Nine names stand at the top; each is imported when it is first used.

    import sslslr
    store = sslslr.ClipStore.open("results/data/mine/clips")
    encode = sslslr.load_encoder("results/encoders/RUN")
    encode([store.frames(0), store.frames(1)]).shape     # (2, width)
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Batch": "sslslr.data.batch",
    "ClipStore": "sslslr.data.store",
    "EncoderConfig": "sslslr.config.study",
    "METHODS": "sslslr.methods",
    "PreprocessConfig": "sslslr.config.study",
    "UserError": "sslslr.utils.errors",
    "build_encoder": "sslslr.encoders.build",
    "load_encoder": "sslslr.use.load",
    "preprocess": "sslslr.data.preprocess",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
