"""The paper's main table: each method on each data set, pretrained on its clips or its language's."""

from sslslr.report.tables import register
from sslslr.report.tables._pivot import NUMBERS, Pivot


@register
class Main(Pivot):
    title = "Methods and data sets"
    caption = "Top-1 in percent, mean ± standard deviation over seeds." + NUMBERS
    section, place = "main", 10
    transfer = False
