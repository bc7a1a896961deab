"""What the tables and figures call things, and what their captions say of every study."""

from collections.abc import Mapping
from typing import Any

PROTOCOLS = {
    "linear": "linear",
    "logistic": "logistic",
    "knn": "nearest neighbours",
    "retrieval": "look-up by example",
    "fine_tune": "fine-tuned",
}
METHOD_NAMES = {
    "raw_keypoints": "no encoder (raw keypoints)",
    "random": "random initialisation",
    "supervised": "supervised from scratch",
    "sl_fpn": "SL-FPN",
    "simclr": "SimCLR",
    "moco": "MoCo v2",
    "byol": "BYOL",
    "simsiam": "SimSiam",
    "barlow_twins": "Barlow Twins",
    "vicreg": "VICReg",
    "masked_keypoints": "masked keypoints",
    "sl_fpn_vc": "SL-FPN + variance-covariance (ours)",
    "sl_fpn_rate": "SL-FPN + coding rate (ours)",
}
METRIC_NAMES = {
    "top1": "Top-1",
    "top3": "Top-3",
    "top5": "Top-5",
    "top10": "Top-10",
    "balanced_accuracy": "Balanced",
}
LINEAR_CAPTION = (
    "Top-1 of frozen encoders under each protocol, beside no encoder, random initialisation and "
    "supervised training from scratch (which is fine-tuned, not frozen)."
)
NOTE = (
    "Scores in percent: mean ± standard deviation over encoder seeds (probe seeds averaged first). "
    "95 % over clips: interval of the seed-averaged top-1 over test clips (bootstrap; Wilson's where all "
    "clips or none are right). 95 % over seeds: of the mean top-1 over encoder seeds (Student's t). "
    "Balanced: mean over classes of the share that is right. Chance: one of all classes. Linear: the "
    "paper's three-layer head without non-linearity; logistic: logistic regression on standardised "
    "features; nearest neighbours: they vote; look-up by example: the sign of the most similar training "
    "clip, top-k counting signs. Encoder: the architecture (paper: as the paper describes it, in the size "
    "of the study). Joints: those of the target that the encoder was given; masked are those that its "
    "pretraining clips, or another encoder's, did not have. n/a: not measured, or not known of the paper."
)


def split_note(targets: Mapping[str, Mapping[str, Any]]) -> str:
    """A sentence on the targets that were not scored on the split "test"; empty where all were.

    Args:
        targets: of the study: name to {"test": split, ...}.
    """
    others: dict[str, list[str]] = {}
    for name, target in targets.items():
        if (split := target.get("test", "test")) != "test":
            others.setdefault(split, []).append(name)
    said = [f"the split “{split}” of {', '.join(names)}" for split, names in others.items()]
    return f" “Test” clips are those of {'; '.join(said)}." if said else ""


def study_note(name: str, note: str | None, targets: Mapping[str, Mapping[str, Any]]) -> str:
    """What a table must say that leaves its report: whose it is, what was scored, the study's own reserves."""
    own = f" Study {name}" + (f": {' '.join(note.split())}" if note else ".")
    return own + split_note(targets)
