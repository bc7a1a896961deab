"""The paper's table of transfer: pretrained on one language, scored on another."""

from sslslr.report.tables import register
from sslslr.report.tables._pivot import NUMBERS, Pivot


@register
class Transfer(Pivot):
    title = "Transfer between languages"
    caption = (
        "Top-1 in percent, mean ± standard deviation over seeds, pretrained on one set and scored on another."
        + NUMBERS
    )
    section, place = "main", 20
    transfer = True
