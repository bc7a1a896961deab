"""The figures, one file each: a class marked `@register`; see `sslslr/report/figures/_base.py`."""

from sslslr.utils.registry import Registry

FIGURES = Registry("sslslr.report.figures", "figure")
register = FIGURES.register
