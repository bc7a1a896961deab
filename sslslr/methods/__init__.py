"""The methods, one file each; see `docs/extend.md` and `sslslr/methods/_base.py`."""

from sslslr.utils.registry import Registry

METHODS = Registry("sslslr.methods", "method")
register = METHODS.register
