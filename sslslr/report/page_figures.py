"""The figures of the page, and what it says of each: title, caption, and words for who cannot see it.

A caption must be true of every study: what a study lacks is said by the figure itself
(:func:`sslslr.report.style.message`).
"""

import base64
from dataclasses import dataclass
from pathlib import Path

from sslslr.errors import UserError
from sslslr.report import style

# What is known of each figure of the workflow, by file name.
FIGURES = {
    "training": (
        "Training curves and collapse",
        "Loss, spread of the projections relative to their start, and effective rank, over epochs. A loss "
        "that falls while spread and rank fall with it is a collapse, not learning.",
        "Line charts over epochs, one row a pretraining set: loss, relative spread and effective rank.",
    ),
    "clip": (
        "Temporal permutation",
        "The paper's augmentation on one clip as the encoder gets it, and two views whose beginning and end are "
        "shuffled while the middle stays in order. The number below a skeleton is its original frame. Which "
        "views the methods here were pretrained with, the tables say.",
        "Three strips of skeletons: the original clip in order, and two views with shuffled ends.",
    ),
    "augmentations": (
        "All augmentations",
        "One clip, and one view of it by every augmentation and composition; of a few random views the one "
        "that differs most. The numbers below are the clip's frames; tinted frames moved.",
        "Strips of skeletons in two columns: the original clip, then one strip for each augmentation.",
    ),
    "semi_supervised": (
        "Scores with few labels",
        "Top-1 over the share of training labels and over labelled clips a class: mean over draws of labels "
        "and encoder seeds; the band is a 95 % interval over encoder seeds where there are 3 or more, a bar joins "
        "two. Every class keeps one clip at least, so the smallest shares of small classes are more than they say.",
        "Line charts, one pair a target data set: top-1 over the amount of labels, a line a method; the table "
        "“Few labels” has all numbers.",
    ),
    "transfer": (
        "Transfer between data sets",
        "Mean top-1 of frozen encoders over encoder seeds: rows are the methods and what they were "
        "pretrained on, the untrained encoder among them, columns what they were scored on. n counts test "
        "clips; grey: not run.",
        "Heat map: pretrained encoders by target data sets, with top-1 in each cell; the table has all numbers.",
    ),
    "ablations": (
        "Ablations",
        "Difference in top-1 to the runs that an ablation changes (above 0: better with the change), with a "
        "95 % interval over test clips and encoder seeds; filled where the interval excludes 0. n counts "
        "test clips.",
        "Forest plot: a line an ablation, with its difference in top-1 and interval, a panel a target; the "
        "table “Ablations” has all numbers.",
    ),
    "views": (
        "Methods and views",
        "Mean top-1 over encoder seeds of each method under each kind of views; grey: not run.",
        "Heat maps: methods by augmentations with top-1 in each cell, a panel a pair of data sets.",
    ),
    "embedding": (
        "Map of the features",
        "t-SNE of one frozen encoder's features, one point a clip, coloured by gloss and, where there are "
        "several, by signer or language. Distances between far points and sizes of clusters mean nothing in "
        "such a map.",
        "Scatter plot of the clips, coloured by gloss and, where there are several, by signer or language.",
    ),
    "confusions": (
        "Signs that are confused",
        "The most frequent confusions of one run: left a test clip of the true sign that was mistaken, right a "
        "training clip of the predicted sign, as the encoder gets them. “2 of 4” means 2 of the sign's 4 test "
        "clips.",
        "Pairs of skeleton strips: a mistaken test clip beside a training clip of the predicted sign.",
    ),
}
OF = "--"  # in a file name, between a known figure and what it is of


@dataclass(frozen=True)
class Figure:
    """A figure of the page; `alt` says in words what it shows."""

    name: str
    title: str
    caption: str
    alt: str
    path: Path

    @property
    def empty(self) -> str | None:
        """Why it shows nothing, in words; None where it shows something.

        Raises:
            UserError: as :attr:`data`.
        """
        return style.empty(self._content())

    @property
    def data(self) -> str:
        """The PNG as a data URI.

        Raises:
            UserError: no such file, or not a PNG.
        """
        return "data:image/png;base64," + base64.b64encode(self._content()).decode("ascii")

    def _content(self) -> bytes:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            raise UserError(f"{self.path}: there is no such figure. Render it first.") from None
        if not content.startswith(b"\x89PNG"):
            raise UserError(f"{self.path}: not a PNG file. Render it again.")
        return content


def figure(path: str | Path) -> Figure:
    """A figure of the workflow, described; a file that is not known is described by its name.

    `NAME--OF.png` is the figure NAME of OF, so that a page can show several.
    """
    path = Path(path)
    name, _, of = path.stem.partition(OF)
    plain = name.replace("_", " ")
    unknown = (plain.capitalize(), plain.capitalize() + ".", f"Figure: {plain}.")
    title, caption, alt = FIGURES.get(name, unknown)
    about = of.replace(OF, ", ")
    title = f"{title}: {about}" if of else title
    alt = f"{alt.removesuffix('.')}, of {about}." if of else alt
    return Figure(path.stem, title, caption, alt, path)
