"""Counts of what the conversion left out or changed, over all clips of a set, and their sentences."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sslslr.data.conversion.anatomy import MOST, telling
from sslslr.utils.user_files import shortened
from sslslr.utils.words import counted

TOGETHER = 64  # clips
FROZEN = 5  # equal frames at the end of a clip that are no camera's
TURNED = 0.8  # share of the frames beyond which the whole set is meant
# Share of the clips from which exchanged hands are a warning: at most 0.002 of six real sets look so by
# errors of the estimate. Of the 9,965 clips in these sets none looks like any of the others.
MANY_EXCHANGED = 0.02
FEW = 5  # frames that tell, at least, of a clip that is counted
EXAMPLES = 3  # clips that a sentence names
# Of a frame, what shows it and beyond which share of such frames a clip is meant.
OF_CLIPS = {
    "exchanged": ("compared", MOST), "mirrored": ("facing", TURNED), "upside_down": ("facing", TURNED),
    "turned": ("facing", TURNED), "astray": ("placed", TURNED),
}  # fmt: skip
SEEN = {
    "exchanged": "left and right hand look exchanged",
    "mirrored": "left shoulders lie on the left of the picture (mirrored, or seen from behind)",
    "upside_down": "noses lie below the shoulders (y upwards)",
    "turned": "the shoulders lie above one another",
    "astray": "no hand lies at a wrist of the body",
}


@dataclass
class Tally:
    """Counters of joints (unsure, absent, zeros), clips (depth, padded, several, cut, uncut, beyond, points, centred,
    frozen, still, handless, doubtful, collapsed, unsized, outside, flipped, gapped, unnumbered) and frames (gaps: those
    that were put in)."""

    frames: int = 0
    unsure: int = 0
    absent: int = 0
    zeros: int = 0
    depth: int = 0
    padded: int = 0
    padding: int = 0
    several: int = 0
    cut: int = 0
    uncut: int = 0
    beyond: int = 0
    points: int = 0
    centred: int = 0
    frozen: int = 0
    still: int = 0
    handless: int = 0
    doubtful: int = 0
    unsized: int = 0
    outside: int = 0
    flipped: int = 0
    gaps: int = 0
    gapped: int = 0
    unnumbered: int = 0
    rates: dict[str, int] = field(default_factory=dict)
    collapsed: int = 0
    unused: dict[str, int] = field(default_factory=dict)
    fillers: dict[str, int] = field(default_factory=dict)
    renamed: dict[str, int] = field(default_factory=dict)
    joints: dict[str, int] = field(default_factory=dict)
    _clips: dict[str, int] = field(default_factory=dict)
    _examples: dict[str, list[str]] = field(default_factory=dict)
    _clip: str = ""
    _unwatched: list[tuple[str, np.ndarray]] = field(default_factory=list)
    _lengths: list[int] = field(default_factory=list)
    _times: str = ""

    def begin(self, clip_id: str) -> None:
        """What is counted from now on is of this clip."""
        self._clip = clip_id

    def saw(self, name: str, there: bool = True) -> None:
        """Count the clip at hand where it is so, and remember the first few to name them."""
        if there:
            setattr(self, name, getattr(self, name) + 1)
            self._remember(name, self._clip)

    def _remember(self, name: str, clip_id: str) -> None:
        examples = self._examples.setdefault(name, [])
        if clip_id and len(examples) < EXAMPLES:
            examples.append(clip_id)

    def _named(self, name: str, count: int) -> str:
        """The clips that were counted, behind their number; "" where it is all of them, or no ids are known."""
        examples = self._examples.get(name)
        if not examples or count >= max(1, self._clips.get("all", 0)):
            return ""
        more = f" and {count - len(examples)} more" if count > len(examples) else ""
        return f" ({', '.join(shortened(repr(clip_id)) for clip_id in examples)}{more})"

    def cut_to(self, frames: int, times: str) -> None:
        """Count a clip that was cut to so many frames; times: what its start and end were taken for."""
        self.cut, self._times = self.cut + 1, times
        self._lengths.append(frames)

    def watch(self, joints: np.ndarray) -> None:
        """Count what a clip's joints of `WATCHED` tell, (frames, 7, 2); many clips at once, which is quicker."""
        if len(joints):
            self._unwatched.append((self._clip, joints))
        if len(self._unwatched) >= TOGETHER:
            self._count()

    def _count(self) -> None:
        if self._unwatched:
            ids, clips = zip(*self._unwatched, strict=True)
            starts = np.cumsum([0, *(len(joints) for joints in clips[:-1])])
            told = telling(np.concatenate(clips))
            of = {name: np.add.reduceat(frames, starts, dtype=int) for name, frames in told.items()}
            for name, counts in of.items():
                self.joints[name] = self.joints.get(name, 0) + int(counts.sum())
            for name, (whole, most) in OF_CLIPS.items():
                meant = (of[whole] >= FEW) & (of[name] > most * of[whole])
                self._clips[name] = self._clips.get(name, 0) + int(meant.sum())
                for place in np.flatnonzero(meant)[:EXAMPLES]:
                    self._remember(name, ids[place])
            self._clips["all"] = self._clips.get("all", 0) + len(starts)
            self._unwatched.clear()

    def share(self, part: str, whole: str) -> float:
        self._count()
        return self.joints.get(part, 0) / max(1, self.joints.get(whole, 0))

    @property
    def astray(self) -> bool:
        """Whether hands lie at no wrist of the body."""
        return self.share("astray", "placed") > TURNED

    def warnings(self, exchange: bool) -> list[str]:
        """What a person must see first: hands exchanged, a mirrored or turned picture."""
        lines = []
        if self.astray:
            share = 100 * self.share("astray", "placed")
            lines.append(
                f"WARNING: no hand lies at a wrist of the body in {share:.0f} % of the frames that tell: hands in "
                "boxes of their own, or measured from their wrists? What they do in the picture is lost; write all "
                "in one frame of reference."
            )
        elif self.share("exchanged", "compared") > MOST:
            share = 100 * self.share("exchanged", "compared")
            advice = (
                "Import without --exchange-hands (exchange_hands: false)." if exchange
                else "If the files call the left hand right, import with --exchange-hands "
                "(exchange_hands: true)."
            )  # fmt: skip
            lines.append(
                f"WARNING: left and right hand look exchanged in {share:.0f} % of the frames that tell. {advice}"
            )
        if self.share("upside_down", "facing") > TURNED:
            lines.append(
                "WARNING: the noses lie below the shoulders: y must grow downwards. Write 1 - y."
            )
        if self.share("mirrored", "facing") > TURNED:
            lines.append(
                "WARNING: left shoulders lie on the left of the picture: signers seen from behind, or a "
                "mirrored picture. If it is mirrored, write 1 - x (-x where coordinates lie around zero)."
            )
        if self.share("turned", "facing") > TURNED:
            lines.append(
                "WARNING: the shoulders lie above one another, not side by side: x and y are exchanged, or the "
                "picture is turned."
            )
        return lines if self.astray else [*lines, *self._of_some()]

    def _of_some(self) -> list[str]:
        """What is seen in some clips, but not in most."""
        self._count()
        every, lines = self._clips.get("all", 0), []
        for name, (whole, most) in OF_CLIPS.items():
            count = self._clips.get(name, 0)
            least = MANY_EXCHANGED * every if name == "exchanged" else 0
            if count > least and self.share(name, whole) <= most:
                where = "; `sslslr pose quality` names the worst" if name == "exchanged" else ""
                clips = f"{count} of {counted(every, 'clip')}{self._named(name, count)}"
                lines.append(
                    f"WARNING: {SEEN[name]} in {clips}, unlike in the others: two conventions in one set? "
                    f"Mend them, or import them apart{where}."
                )
        return lines

    def few(self) -> list[str]:
        """Clips with exchanged hands where they are too few for a warning."""
        self._count()
        count, every = self._clips.get("exchanged", 0), self._clips.get("all", 0)
        if not 0 < count <= MANY_EXCHANGED * every:
            return []
        clips = f"{count} of {counted(every, 'clip')}{self._named('exchanged', count)}"
        return [f"{SEEN['exchanged'].capitalize()} in {clips}."]

    def lines(self) -> list[str]:
        """A sentence for everything that was left out or changed."""
        self._count()

        def clips(name: str) -> str:
            count = getattr(self, name)
            return counted(count, "clip") + self._named(name, count)

        said = (
            (self.depth, f"A third coordinate (depth) was dropped in {counted(self.depth, 'clip')}."),
            (self.doubtful, f"A third coordinate that is never below 0 and goes beyond 1.5 was dropped as a depth in "
             f"{counted(self.doubtful, 'clip')}. If it is a confidence, write it as 0 to 1."),
            (self.unsure, f"{counted(self.unsure, 'joint')} of too little confidence count as missing."),
            (self.absent, f"{counted(self.absent, 'joint')} of confidence 0 count as missing."),
            (self.zeros, f"{counted(self.zeros, 'joint')} at exactly (0, 0) count as missing."),
            (self.collapsed, f"{counted(self.collapsed, 'hand')} with all joints at one point: missing."),
            (self.padded, f"Empty frames cut off at the end of {clips('padded')}: {self.padding}."),
            (self.several, f"Several persons in {clips('several')}: "
             "the largest and most complete is followed."),
            (self.cut, f"Cut to start and end of the table{self._times and f' ({self._times})'}: "
             f"{counted(self.cut, 'clip')}, to {np.median(self._lengths or [0]):g} frames in the median."),
            (self.uncut, f"start and end of the table were not used in {counted(self.uncut, 'clip')}: cut already."),
            (self.beyond, f"start or end of the table lies beyond the last frame in {clips('beyond')}: the clip ends "
             "there."),
            (self.centred, f"Coordinates around zero in {counted(self.centred, 'clip')}: taken as normalised already, "
             "x and y in one unit."),
            (self.unsized, f"The image's size was not used in {counted(self.unsized, 'clip')} around zero: x and y "
             "count as one unit. Of parts of the image write 0 to 1."),
            (self.outside, f"Most joints of the hands lie outside of the image in {clips('outside')}: is its width "
             "and height right?"),
            (self.flipped, f"Coordinates below zero throughout in {clips('flipped')}: "
             "a flip, which was turned back."),
            (self.still, f"Nothing moves in {clips('still')}: every frame is the same."),
            (self.frozen, f"The last frame of {clips('frozen')} is repeated at the end "
             f"({FROZEN} times or more): "
             "padded to one length? A column `end` of the table cuts it off."),
            (self.gaps, f"{counted(self.gaps, 'frame')} left out in the numbering of {counted(self.gapped, 'clip')}: "
             "put in at their places, without keypoints."),
            (self.unnumbered, f"Frame numbers without one step in {counted(self.unnumbered, 'clip')}: frames follow "
             "one another, whatever was left out."),
            (self.handless, f"No hand in any frame of {clips('handless')}: preprocessing leaves them out."),
            (self.points, f"{clips('points')} with all joints at one point: "
             "nothing can be measured by it."),
        )  # fmt: skip
        lines = self.few() + [line for count, line in said if count]
        for name, count in sorted(self.unused.items()):
            lines.append(
                f"{name!r} was not used in {counted(count, 'clip')}: whether it marks what is there or what is "
                "missing is not known. Write NaN where a joint is missing, or a confidence."
            )
        for value, count in sorted(self.fillers.items()):
            lines.append(f"{counted(count, 'joint')} at exactly {value} count as missing.")
        for rate, count in sorted(self.rates.items()):
            lines.append(
                f"A frame rate of {rate} was not stored ({counted(count, 'clip')}): no camera's."
            )
        for what, count in sorted(self.renamed.items()):
            lines.append(f"{count} {'file was' if count == 1 else 'files were'} found {what}.")
        return lines

    def counts(self) -> dict[str, Any]:
        """For card.json: what is not zero."""
        self._count()
        return {name: value for name, value in vars(self).items() if value and name[0] != "_"}
