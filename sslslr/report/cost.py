"""What the encoders cost: speed, time, GPU-hours and memory of pretraining, as run.json states them."""

from pathlib import Path
from typing import Any

import pandas as pd

from sslslr.report.collect import own_seconds
from sslslr.report.tables import METHOD_NAMES, render

CAPTION = (
    "Cost of pretraining, one row a group of runs that differ by seed alone. Clips/s: mean over the runs, "
    "each clip counted once a step whatever its branches; seconds and GPU-hours: of all runs together, "
    "their share where several trained in one process; memory: the most that a run took, of the GPU where "
    "it had one, else of its process. Collapsed: runs whose embedding did."
)
COLUMNS = [
    "method", "augmentation", "variant", "tag", "pretrain_dataset", "depth", "width", "parameters",
    "n_clips", "epochs", "batch_size", "seeds", "collapsed", "clips_per_second", "seconds", "gpu_hours",
    "peak_memory_mb", "device",
]  # fmt: skip
MEASURED = ["clips_per_second", "seconds", "gpu_hours", "peak_memory_mb"]  # differ from run to run


def costs(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a group of runs that differ by seed alone; `COLUMNS`, NaN where nothing was measured.

    Args:
        runs: of :func:`sslslr.report.collect.read_runs`.
    """
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for run in runs:
        spec = run["spec"]
        variant = spec["encoder"]["variant"]
        key = (spec["method"], spec["augmentation"], variant, spec["tag"], spec["dataset"])
        groups.setdefault(key, []).append(run)
    rows = []
    for key, members in groups.items():
        spec, encoder = members[0]["spec"], members[0]["spec"]["encoder"]
        measured = [run["cost"] for run in members]
        speeds = [cost["clips_per_second"] for cost in measured if cost.get("clips_per_second")]
        memory = [cost["peak_memory_mb"] for cost in measured if "peak_memory_mb" in cost]
        on_gpu = [run for run in members if run["cost"].get("device", "cpu") != "cpu"]
        held = [own_seconds(run) * run["cost"].get("devices", 1) / 3600 for run in on_gpu]
        rows.append(
            {
                **dict(zip(COLUMNS[:5], key, strict=True)),
                "depth": encoder["depth"],
                "width": encoder["width"],
                "parameters": members[0].get("parameters", 0),
                "n_clips": members[0].get("n_clips", 0),
                "epochs": spec["pretrain"]["epochs"],
                "batch_size": spec["pretrain"]["batch_size"],
                "seeds": len(members),
                "collapsed": sum(bool(run["collapsed"]) for run in members),
                "clips_per_second": sum(speeds) / len(speeds) if speeds else None,
                "seconds": sum(map(own_seconds, members)),
                "gpu_hours": sum(held) if held else None,
                "peak_memory_mb": max(memory, default=None),
                "device": ", ".join(sorted({cost.get("device", "?") for cost in measured})),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS).fillna({"tag": ""})


def display(table: pd.DataFrame) -> pd.DataFrame:
    """Strings for people."""

    def number(value: Any, form: str) -> str:
        return "–" if pd.isna(value) else format(value, form)

    rows = []
    for row in table.to_dict("records"):
        tag = f" ({row['tag']})" if row["tag"] else ""
        raw, trained = row["variant"] == "raw", row["pretrain_dataset"] != "none"
        rows.append(
            {
                "Method": METHOD_NAMES.get(row["method"], row["method"]) + tag,
                "Pretrained on": row["pretrain_dataset"] if trained else "–",
                "Views": "–" if row["augmentation"] == "none" else row["augmentation"],
                "Encoder": row["variant"],
                "Blocks x width": "–" if raw else f"{row['depth']} x {row['width']}",
                "Parameters": f"{row['parameters']:,}",
                "Clips": str(row["n_clips"]),
                "Epochs": str(row["epochs"]),
                "Batch": str(row["batch_size"]) if trained else "–",
                "Seeds": str(row["seeds"]),
                "Collapsed": f"{row['collapsed']} of {row['seeds']}" if trained else "–",
                "Clips/s": number(row["clips_per_second"], ",.0f"),
                "Seconds": number(row["seconds"], ",.1f"),
                "GPU-hours": number(row["gpu_hours"], ".2f"),
                "Peak MB": number(row["peak_memory_mb"], ",.0f"),
                "Device": row["device"],
            }
        )
    names = ["Method", "Pretrained on", "Views", "Encoder", "Blocks x width", "Parameters", "Clips",
             "Epochs", "Batch", "Seeds", "Collapsed", "Clips/s", "Seconds", "GPU-hours", "Peak MB",
             "Device"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def write(table: pd.DataFrame, stem: str | Path, note: str = "") -> list[Path]:
    """STEM.csv (numbers), STEM.md and STEM.tex (for people).

    Args:
        note: ends the caption.
    """
    return [
        *render(table, stem, CAPTION + note, ["csv"]),
        *render(display(table), stem, CAPTION + note, ["md", "tex"]),
    ]
