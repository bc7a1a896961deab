"""The paper's claims as hypotheses that code decides (`config/claims.yaml`).

A claim says that a *subject* (a method with its views) scores higher than each of its *opponents*.
Every comparison is paired on the test clips of one target data set, for encoders pretrained on the
same data (untrained opponents fit any). A comparison is significant if the p value, corrected by
Holm within the claim, is below `alpha` **and** the interval over clips and encoder seeds excludes
`margin`, the effect that is claimed (0 unless said): the p value knows the clips alone, and encoders
of one method differ by several points; an interval by resampling knows nothing of how few clips
there are, and of a single one would be sure. Fewer than three encoder seeds on a side that has weights, or a probe
that is not fitted (`sslslr.evaluation.protocols._fit`), allow no outcome whatever p is.

    holds           every comparison is significant, and above the margin; nothing is missing
    does not hold   a comparison is significant, and below the margin
    cannot tell     otherwise

    schema.py    what a claim is
    matching.py  which rows it is about, and what is missing
    decide.py    comparisons and verdicts
"""

from sslslr.statistics.claims.decide import COMPARISON, FAILS, HOLDS, UNSURE, decide, verdicts
from sslslr.statistics.claims.matching import missing
from sslslr.statistics.claims.schema import Claim, Claims, Opponent, Selector, load

__all__ = [
    "COMPARISON", "FAILS", "HOLDS", "UNSURE", "Claim", "Claims", "Opponent", "Selector", "decide",
    "load", "missing", "verdicts",
]  # fmt: skip
