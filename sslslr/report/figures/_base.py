"""What every figure is: a drawing of results, in words too for who cannot see it (docs/extend.md)."""

from pathlib import Path
from typing import ClassVar

import matplotlib
from matplotlib.figure import Figure as Drawing

from sslslr.report.figures._skeletons import moving
from sslslr.report.figures._style import STYLE, save
from sslslr.report.results import Results


class Figure:
    """Base of all figures.

    Attributes:
        title, caption: for people who were not there; true of every study, for what a study lacks
            the drawing says itself (:func:`sslslr.report.figures._style.message`).
        alt: what there is to see, in words.
        reads: what of the results is drawn (:meth:`sslslr.report.results.Results.paths`).
        place: on the page, smallest first.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    caption: ClassVar[str]
    alt: ClassVar[str]
    reads: ClassVar[tuple[str, ...]] = ("metrics",)
    place: ClassVar[int] = 50

    @property
    def of_clips(self) -> bool:
        """Whether it draws clips or their features, and not scores alone."""
        return not {"clips", "example"}.isdisjoint(self.reads)

    @classmethod
    def of_tables(cls) -> bool:
        """Whether it draws tables: it is then made in their job, after them."""
        return any(kind.startswith("tables/") for kind in cls.reads)

    def draw(self, results: Results) -> Drawing:
        """The figure, made without pyplot."""
        raise NotImplementedError

    def render(self, results: Results) -> list[Path]:
        """Write the figure of these results below their folder, as PDF and PNG."""
        with matplotlib.rc_context(STYLE):
            drawing = self.draw(results)
        return save(drawing, results.folder / "figures" / self.name, moving(drawing))
