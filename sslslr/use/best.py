"""The best encoder of a study: the pretrained one that is furthest above a random encoder."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from sslslr.config.run import NO_DATASET, RUN_ID, EvaluateSpec, RunSpec
from sslslr.encoders.artifact import RUN, settings
from sslslr.evaluation.protocols import PROTOCOLS
from sslslr.methods import METHODS
from sslslr.utils.errors import UserError
from sslslr.utils.files import read_object
from sslslr.utils.tables import read_written

CEILING = "supervised"
TEXTS = ("method", "protocol", "metric", "target_dataset")  # of metrics.csv, that are gone by


def frozen_protocols() -> list[str]:
    """The protocols that tell signs by a frozen encoder and all labels, in the tables' order."""
    trains = METHODS.get(CEILING).protocols
    entries = PROTOCOLS.classes().items()
    frozen = [
        name for name, p in entries if p.all_labels and p.tells == "sign" and name not in trains
    ]
    return sorted(frozen, key=lambda name: (PROTOCOLS.get(name).order, name))


def candidates(evaluations: Iterable[EvaluateSpec]) -> list[str]:
    """Runs of a study that are pretrained, and that a frozen protocol scores."""
    frozen, found = set(frozen_protocols()), []
    for spec in evaluations:
        asked = [
            set(spec.protocols if target.protocols is None else target.protocols)
            for target in spec.targets.values()
        ]
        if _pretrained(spec.run) and any(frozen & set(spec.protocols) & names for names in asked):
            found.append(spec.run.run_id)
    return found


def best_encoder(results: Path) -> tuple[Path, str]:
    """The folder of a study's best encoder, and why it is that, in a sentence.

    The first of the frozen protocols that the study has decides. Of each target (`known_signers` and the like
    apart) top-1 with as many labels as were given counts, less a random encoder's where the study has one; the
    mean over the targets decides. Supervised encoders do not take part.

    Args:
        results: the study's folder, with `encoders/` and `metrics/`.

    Raises:
        UserError: it has no pretrained encoder that was evaluated.
    """
    files = sorted(results.glob("metrics/*/metrics.csv"))
    if not files:
        raise UserError(f"{results}: no evaluated encoder. Build the study first.")
    table = pd.concat(map(written_metrics, files), ignore_index=True)
    table = table[(table["metric"] == "top1") & (table["shots"] == 0)]
    there = [name for name in frozen_protocols() if (table["protocol"] == name).any()]
    table = table[table["protocol"] == (there[0] if there else "")]
    table = table[table["label_fraction"] == table["label_fraction"].max()]
    random = table[table["method"] == "random"].groupby("target_dataset")["value"].mean()
    gains = table["value"] - table["target_dataset"].map(random.to_dict()).astype(float).fillna(0)
    trained = [run for run in table["run_id"].unique() if _trained(results / "encoders" / run)]
    means = gains.groupby(table["run_id"]).mean().loc[trained].sort_values(ascending=False)
    if not len(means):
        raise UserError(
            f"{results}: no pretrained encoder that was evaluated. Name a run's folder."
        )
    best, gain = str(means.index[0]), 100 * means.iloc[0]
    above = "above a random encoder" if len(random) else "of top-1"
    rival = f"the most of {len(means)} encoders" if len(means) > 1 else "the only one"
    return (
        results / "encoders" / best,
        f"{best}: {gain:.1f} points {above} ({there[0]}, mean over targets), {rival}.",
    )


def written_metrics(file: Path) -> pd.DataFrame:
    """The rows of a metrics.csv, which may have come with somebody else's results.

    Raises:
        UserError: it is absent, or not what `sslslr evaluate` writes.
    """
    try:
        table = read_written(file)
        for column in ("label_fraction", "shots", "value"):
            table[column] = pd.to_numeric(table[column])
        named = table["run_id"].str.fullmatch(RUN_ID).all() and {*TEXTS} <= {*table}
    except (KeyError, ValueError, TypeError, AttributeError):
        named = False
    if not named:
        raise UserError(
            f"{file}: not the metrics that `sslslr evaluate` writes. Evaluate the run again."
        )
    return table


def _trained(folder: Path) -> bool:
    file = folder / RUN
    return file.is_file() and _pretrained(settings({"spec": None, **read_object(file)}, str(file)))


def _pretrained(run: RunSpec) -> bool:
    return run.dataset != NO_DATASET and run.method_type != CEILING
