"""`report.html`: the whole study on one self-contained page.

Style, script and figures are inside the page, so that it opens without a request to the network and
can be sent as one file. Every text from data (glosses, names, notes) is escaped by the template.
"""

import base64
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from sslslr.errors import UserError
from sslslr.files import write_text
from sslslr.report.tables import METHOD_NAMES

TEMPLATE = "report.html.jinja"


@dataclass(frozen=True)
class Table:
    """A table of the page: its anchor, title, caption, and cells as they are shown."""

    name: str
    title: str
    caption: str
    cells: pd.DataFrame


@dataclass(frozen=True)
class Figure:
    """A figure of the page; `alt` says in words what it shows."""

    name: str
    title: str
    caption: str
    alt: str
    path: Path

    @property
    def data(self) -> str:
        """The PNG as a data URI.

        Raises:
            UserError: no such file, or not a PNG.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            raise UserError(f"{self.path}: there is no such figure. Render it first.") from None
        if not content.startswith(b"\x89PNG"):
            raise UserError(f"{self.path}: not a PNG file. Render it again.")
        return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


# What is known of each figure of the workflow, by file name.
FIGURES = {
    "training": (
        "Training curves and collapse",
        "Loss, spread of the projections relative to their start, and effective rank, over epochs. A loss "
        "that falls while spread and rank fall with it is a collapse, not learning.",
        "Line charts over epochs, one row a pretraining set: loss, relative spread and effective rank.",
    ),
    "clip": (
        "A clip and two permuted views",
        "What pretraining sees: the clip as the encoder gets it, and two views whose beginning and end are "
        "shuffled while the middle stays in order. The number below a skeleton is its original frame.",
        "Three strips of skeletons: the original clip in order, and two views with shuffled ends.",
    ),
}


def figure(path: str | Path) -> Figure:
    """A figure of the workflow, described; a file that is not known is described by its name."""
    path = Path(path)
    title = path.stem.replace("_", " ")
    texts = FIGURES.get(
        path.stem, (title.capitalize(), title.capitalize() + ".", f"Figure: {title}.")
    )
    return Figure(path.stem, *texts, path)


def budgets(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a group of runs that differ by seed alone: what each number was bought with."""
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for run in runs:
        spec = run["spec"]
        variant = spec["encoder"]["variant"]
        key = (spec["method"], spec["augmentation"], variant, spec["dataset"], spec["tag"])
        groups.setdefault(key, []).append(run)
    rows = []
    for (method, augmentation, _, dataset, tag), members in groups.items():
        spec, encoder = members[0]["spec"], members[0]["spec"]["encoder"]
        raw = encoder["variant"] == "raw"
        speeds = [run["cost"].get("clips_per_second") for run in members]
        speeds = [speed for speed in speeds if speed]
        memory = [
            run["cost"]["peak_memory_mb"] for run in members if "peak_memory_mb" in run["cost"]
        ]
        collapsed = sum(bool(run["collapsed"]) for run in members)
        rows.append(
            {
                "Method": METHOD_NAMES.get(method, method) + (f" ({tag})" if tag else ""),
                "Pretrained on": "–" if dataset == "none" else dataset,
                "Views": "–" if augmentation == "none" else augmentation,
                "Encoder": encoder["variant"],
                "Blocks x width": "–" if raw else f"{encoder['depth']} x {encoder['width']}",
                "Parameters": f"{members[0].get('parameters', 0):,}",
                "Clips": str(members[0].get("n_clips", 0)),
                "Epochs": str(spec["pretrain"]["epochs"]),
                "Batch": "–" if dataset == "none" else str(spec["pretrain"]["batch_size"]),
                "Seeds": str(len(members)),
                "Collapsed": "–" if dataset == "none" else f"{collapsed} of {len(members)}",
                "Clips/s": f"{sum(speeds) / len(speeds):,.0f}" if speeds else "–",
                "Seconds": f"{sum(run['cost']['wall_seconds'] for run in members):,.1f}",
                "Peak MB": f"{max(memory):,.0f}" if memory else "–",
                "Device": ", ".join(sorted({run["cost"].get("device", "?") for run in members})),
            }
        )
    return pd.DataFrame(rows)


def run_records(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a run: the hashes that a number can be traced by."""
    return pd.DataFrame(
        [
            {
                "Run": run["spec"]["run_id"],
                "Seed": str(run["spec"]["seed"]),
                "Code": run["code_hash"],
                "Data": (run["data_hash"] or "–")[:16],
                "Dropped clips": str(len(run.get("dropped", []))),
                "Precision": run["cost"].get("precision", "–"),
                "Threads": str(run["cost"].get("threads", "–")),
            }
            for run in runs
        ]
    )


def _warnings(runs: list[dict[str, Any]]) -> list[str]:
    return [f"{run['spec']['run_id']}: {text}" for run in runs for text in run["warnings"]]


def _versions(runs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Library versions; where runs differ, all that occur."""
    found: dict[str, Counter] = {}
    for run in runs:
        for name, version in run["versions"].items():
            found.setdefault(name, Counter())[version] += 1
    return [(name, ", ".join(sorted(versions))) for name, versions in found.items()]


def render_report(
    out: str | Path,
    config: dict[str, Any],
    tables: list[Table],
    figures: list[Figure],
    runs: list[dict[str, Any]],
    cards: list[dict[str, Any]],
) -> Path:
    """Write the page, atomically.

    Args:
        config: the resolved study, as plain values.
        runs, cards: contents of run.json and card.json files.

    Raises:
        UserError: a figure is missing, or the page cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(TEMPLATE).render(
        config=config,
        config_yaml=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        tables=tables,
        figures=figures,
        budgets=budgets(runs),
        records=run_records(runs),
        warnings=_warnings(runs),
        versions=_versions(runs),
        cards=cards,
    )
    write_text(out, page)
    return Path(out)
