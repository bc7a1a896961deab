"""What the encoders cost: speed, time, GPU-hours and memory of pretraining, as run.json states them."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from sslslr.config.study import EncoderConfig
from sslslr.encoders.build import encoder_options
from sslslr.report.names import read_out
from sslslr.report.results import Results
from sslslr.report.tables import register
from sslslr.report.tables._base import Column, Row, Table
from sslslr.report.tables._cells import ENCODER, READ_OUT, SOURCE, TAGGED_METHOD, VIEWS

KEY = ("method", "augmentation", "variant", "tag", "pretrain_dataset")
FIELDS = [
    *KEY, "read_out", "depth", "width", "parameters", "n_clips", "epochs", "batch_size", "seeds", "collapsed",
    "clips_per_second", "seconds", "gpu_hours", "peak_memory_mb", "device",
]  # fmt: skip


def _number(source: str, form: str) -> Callable[[Row], str]:
    return lambda row: "–" if pd.isna(row[source]) else format(row[source], form)


def _of_trained(text: Callable[[Row], str]) -> Callable[[Row], str]:
    return lambda row: text(row) if row["pretrain_dataset"] != "none" else "–"


@register
class Cost(Table):
    title = "Budget"
    caption = (
        "What pretraining cost, one row a group of runs that differ by seed alone. Evaluations (and the "
        "training of “supervised from scratch”, which is one) are not counted."
    )
    reads = ("runs",)
    key = KEY
    words = ("read_out", "device")
    section = "budget"
    columns = (
        TAGGED_METHOD, SOURCE, VIEWS, ENCODER, READ_OUT,
        Column("Blocks x width", "depth",
               lambda row: "–" if pd.isna(row["depth"]) or pd.isna(row["width"])
               else f"{row['depth']:.0f} x {row['width']:.0f}"),
        Column("Parameters", "parameters", _number("parameters", ",")),
        Column("Clips", "n_clips"),
        Column("Epochs", "epochs"),
        Column("Batch", "batch_size", _of_trained(lambda row: str(row["batch_size"]))),
        Column("Seeds", "seeds"),
        Column("Collapsed", "collapsed", _of_trained(lambda row: f"{row['collapsed']} of {row['seeds']}"),
               "runs whose embedding collapsed"),
        Column("Clips/s", "clips_per_second", _number("clips_per_second", ",.0f"),
               "mean over the runs, each clip counted once a step whatever its branches"),
        Column("Seconds", "seconds", _number("seconds", ",.1f"), "of all runs together"),
        Column("GPU-hours", "gpu_hours", _number("gpu_hours", ".2f"), "of all runs together"),
        Column("Peak MB", "peak_memory_mb", _number("peak_memory_mb", ",.0f"),
               "the most that a run took, of the GPU where it had one, else of its process"),
        Column("Device", "device"),
    )  # fmt: skip

    def rows(self, results: Results) -> pd.DataFrame:
        return costs(results.runs)

    def own(self, results: Results) -> pd.DataFrame:
        return results.top1

    def how(self, column: str, results: Results) -> str:
        return "what run.json of these runs states below `cost`, and their settings"


def costs(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a group of runs that differ by seed alone; `FIELDS`, NaN where nothing was measured.

    Args:
        runs: of :func:`sslslr.report.reading.read_runs`.
    """
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for run in runs:
        spec = run["spec"]
        variant = spec["encoder"]["variant"]
        key = (spec["method"], spec["augmentation"], variant, spec["tag"] or "", spec["dataset"])
        groups.setdefault(key, []).append(run)
    rows = []
    for key, members in groups.items():
        spec = members[0]["spec"]
        config = EncoderConfig(**spec["encoder"])
        encoder = encoder_options(config)  # its defaults too
        measured = [run["cost"] for run in members]
        speeds = [cost["clips_per_second"] for cost in measured if cost.get("clips_per_second")]
        memory = [cost["peak_memory_mb"] for cost in measured if "peak_memory_mb" in cost]
        on_gpu = [run for run in members if run["cost"].get("device", "cpu") != "cpu"]
        held = [
            run["cost"]["wall_seconds"] * run["cost"].get("devices", 1) / 3600 for run in on_gpu
        ]
        rows.append(
            {
                **dict(zip(KEY, key, strict=True)),
                "read_out": read_out(config),
                "depth": getattr(encoder, "depth", None),
                "width": getattr(encoder, "width", None),
                "parameters": members[0].get("parameters", 0),
                "n_clips": members[0].get("n_clips", 0),
                "epochs": spec["pretrain"]["epochs"],
                "batch_size": spec["pretrain"]["batch_size"],
                "seeds": len(members),
                "collapsed": sum(bool(run["collapsed"]) for run in members),
                "clips_per_second": sum(speeds) / len(speeds) if speeds else None,
                "seconds": sum(cost["wall_seconds"] for cost in measured),
                "gpu_hours": sum(held) if held else None,
                "peak_memory_mb": max(memory, default=None),
                "device": ", ".join(sorted({cost.get("device", "?") for cost in measured})),
            }
        )
    return pd.DataFrame(rows, columns=FIELDS)
