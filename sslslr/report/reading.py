"""Readers of the files that the stages wrote; an error names the file.

Columns are the contract between `sslslr evaluate` and the report: see the constants below, and
`target_dataset` of metrics.csv, the data set that a target's clips are of (`dataset` is its name).
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import yaml
from pydantic import Field

from sslslr.config.run import RUN_ID
from sslslr.config.settings import NAME, parse
from sslslr.data.clip_table import DATASET, Counts, Member, Shape, refuse_vast
from sslslr.utils.errors import UserError
from sslslr.utils.files import read_json
from sslslr.utils.tables import read_written
from sslslr.utils.user_files import read_user_text, shortened, shown

RUN = ("run_id", "method", "augmentation", "variant", "tag", "pretrain_dataset")
COUNTS = ("seed", "n_train", "n_test", "n_classes", "n_joints", "n_joints_masked")  # whole
METRICS_NUMBERS = (*COUNTS, "label_fraction", "shots", "probe_seed", "value", "low", "high")
METRICS = (*RUN, "dataset", "protocol", "metric", *METRICS_NUMBERS)
FIT = ("train_accuracy", "gradient", "fitted")  # of the probe; `fitted` is 1, 0 or nothing
PREDICTIONS = (
    "run_id", "dataset", "protocol", "label_fraction", "shots", "probe_seed", "clip_id", "label",
    "best",
)  # fmt: skip
# The ten best of 20,000 clips under 75 settings of a probe: less than a GB.
MOST_PREDICTIONS, MOST_GUESSES = 1_500_000, 15_000_000
HISTORY = (
    "epoch", "step", "loss", "projection_spread", "projection_rank", "embedding_spread",
    "embedding_rank", "collapsed",
)  # fmt: skip
PlainName = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]  # of a file, or a data set
PAPER_KEYS = (
    "dataset",
    "pretrain_dataset",
    "protocol",
    "method",
    "metric",
    "value",
    "sureness",
    "data_source",
)
AGAIN = "Run the stage that writes it again."


class _Cost(Shape):
    wall_seconds: float | None = None
    threads: int | None = None
    device: str | None = None
    precision: str | None = None
    finished: str | None = None


class _Run(Shape):
    spec: dict[str, Any]
    code_hash: str
    data_hash: str | None
    versions: dict[str, str]
    cost: _Cost
    warnings: list[str]
    collapsed: bool


class _Evaluation(Shape):
    spec: dict[str, Any]
    code_hash: str
    data_hashes: dict[PlainName, str]
    encoder_sha256: str
    sha256: dict[PlainName, str]
    versions: dict[str, str]
    cost: _Cost


class _Card(Shape):
    dataset: Annotated[str, Field(pattern=DATASET)]
    licence: str | None
    citation: str | None
    n_clips: int
    dropped: Any
    origin: str | None = None
    sha256: dict[str, str] = Field(default={})
    inputs: dict[str, str] | None = None
    counts: list[Counts] | None = None
    members: dict[str, Member] | None = None


Paths = Iterable[str | Path]


def read_metrics(paths: Paths) -> pd.DataFrame:
    """Rows of many metrics.csv, long form, in the order of the files; values in 0..1.

    Raises:
        UserError: no file given; a file is absent, lacks a column, holds text for a number, or a
            value outside 0..1; one cell is given by two rows.
    """
    frame = pd.concat([_metrics(Path(path)) for path in _some(paths, "metrics")], ignore_index=True)
    cell = ["run_id", "dataset", "protocol", "label_fraction", "shots", "probe_seed", "metric"]
    if (twice := frame.duplicated(cell)).any():
        row = frame[twice].iloc[0]
        raise UserError(
            f"metrics: {row.metric} of run {row.run_id!r} on {row.dataset!r} ({row.protocol}) "
            "is given twice. Name each metrics.csv once, and evaluate a run into one folder only."
        )
    return frame


def _metrics(path: Path) -> pd.DataFrame:
    # Names such as "none" or "NA" are names: nothing but an empty number is missing.
    frame = _read(path, read_written)
    _check_columns(path, frame, METRICS)
    _check_names(path, frame)
    if "target_dataset" not in frame:  # of a version that did not say whose clips a target's are
        frame["target_dataset"] = frame["dataset"]
    for column in FIT:  # of a version that did not say how far a probe was trained
        if column not in frame:
            frame[column] = ""
    frame = _to_numbers(path, frame, (*METRICS_NUMBERS, *FIT))
    for column in METRICS_NUMBERS:
        if (beyond := frame[column].abs() > 2**63).any():  # seeds are below, and rounded up
            raise UserError(
                f"{path}: column {column!r} holds {frame[column][beyond].iloc[0]:g}, beyond all meaning. {AGAIN}"
            )
    for column in COUNTS:
        if (odd := (frame[column] < 0) | (frame[column] % 1 != 0) & frame[column].notna()).any():
            raise UserError(
                f"{path}: column {column!r} holds {frame[column][odd].iloc[0]:g}, which counts nothing. {AGAIN}"
            )
    outside = ~frame["value"].between(0, 1) & frame["value"].notna()
    if outside.any():
        raise UserError(
            f"{path}: column 'value' holds {frame['value'][outside].iloc[0]:g}; "
            f"scores lie in 0..1. {AGAIN}"
        )
    return frame


def read_predictions(paths: Paths) -> pd.DataFrame:
    """Rows of many predictions.parquet; `best` holds lists, best guess first.

    Raises:
        UserError: no file given; a file is absent, is not parquet or lacks a column.
    """
    frames = []
    for path in map(Path, _some(paths, "predictions")):
        _read(path, lambda file: refuse_vast(file, MOST_PREDICTIONS, MOST_GUESSES))
        frame = _read(path, pd.read_parquet)
        _check_columns(path, frame, PREDICTIONS)
        _check_names(path, frame)
        if not all(isinstance(best, np.ndarray) for best in frame["best"]):
            raise UserError(f"{path}: column 'best' must hold lists. {AGAIN}")
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _check_names(path: Path, frame: pd.DataFrame) -> None:
    """Run ids and data sets name folders: none may lead elsewhere."""
    for column, pattern in (("run_id", RUN_ID), ("dataset", NAME)):
        names = pd.Series(frame[column].unique()).astype(str)
        if not (plain := names.str.fullmatch(pattern)).all():
            raise UserError(
                f"{path}: column {column!r} holds {shown(names[~plain].iloc[0])!r}, which is no name of "
                f"a {'run' if column == 'run_id' else 'data set'} (small letters, digits and _"
                f"{', parts with . between' if column == 'run_id' else ''}). {AGAIN}"
            )


def read_histories(paths: Paths) -> dict[str, pd.DataFrame]:
    """history.csv files by run id (the name of the folder a file lies in), sorted by run id.

    Raises:
        UserError: no file given; a file is absent, lacks a column, or holds text for a number.
    """
    histories = {}
    for path in map(Path, _some(paths, "history")):
        frame = _read(path, read_written)
        _check_columns(path, frame, HISTORY)
        losses = [column for column in frame if column.startswith("loss_")]
        histories[path.absolute().parent.name] = _to_numbers(path, frame, (*HISTORY, *losses))
    return dict(sorted(histories.items()))


def read_runs(paths: Paths) -> list[dict[str, Any]]:
    """run.json files, sorted by run id.

    Raises:
        UserError: a file is absent, is not JSON or lacks a key.
    """
    runs = [_mapping(Path(path), _Run, lambda run: run["spec"]) for path in paths]
    return sorted(runs, key=lambda run: run["spec"]["run_id"])


def read_evaluations(paths: Paths) -> list[dict[str, Any]]:
    """evaluation.json files, sorted by run id.

    Raises:
        UserError: a file is absent, is not JSON or lacks a key.
    """
    entries = [_mapping(Path(path), _Evaluation, lambda e: e["spec"]["run"]) for path in paths]
    return sorted(entries, key=lambda entry: entry["spec"]["run"]["run_id"])


def read_cards(paths: Paths) -> list[dict[str, Any]]:
    """card.json files of clip stores, sorted by data set.

    Raises:
        UserError: a file is absent, is not JSON or lacks a key.
    """
    return sorted((_mapping(Path(path), _Card) for path in paths), key=lambda c: c["dataset"])


def read_paper_numbers(path: str | Path) -> list[dict[str, Any]]:
    """Entries of config/paper_numbers.yaml; `value` in percent.

    Raises:
        UserError: the file is absent, is not a YAML list, or an entry lacks a key.
    """
    entries = _read(Path(path), lambda file: yaml.safe_load(read_user_text(file)))
    if not isinstance(entries, list):
        raise UserError(f"{path}: expected a list of numbers, found {type(entries).__name__}.")
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise UserError(f"{path}: entry {number} is no mapping of keys.")
        if absent := [key for key in PAPER_KEYS if key not in entry]:
            raise UserError(f"{path}: entry {number} lacks the key {absent[0]!r}.")
    return entries


def _some(paths: Paths, kind: str) -> list[str | Path]:
    paths = list(paths)
    if not paths:
        raise UserError(f"no {kind} file was given; name at least one.")
    return paths


def _read(path: Path, reader: Callable[[Path], Any]) -> Any:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file. {AGAIN}")
    try:
        return reader(path)
    except UserError as error:
        raise UserError(f"{error} {AGAIN}") from None
    except Exception as error:  # pandas, pyarrow and yaml raise many kinds
        what = shortened(" ".join(str(error).split()))
        raise UserError(f"{path}: cannot be read ({what}). {AGAIN}") from None


def _check_columns(path: Path, frame: pd.DataFrame, columns: Iterable[str]) -> None:
    if absent := [column for column in columns if column not in frame]:
        raise UserError(f"{path}: column {absent[0]!r} is missing. {AGAIN}")


def _to_numbers(path: Path, frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    for column in columns:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        lost = frame[column][numbers.isna()]
        if len(text := lost[~lost.str.lower().isin(["", "nan"])]):
            raise UserError(
                f"{path}: column {column!r} holds {text.iloc[0]!r}, not a number. {AGAIN}"
            )
        frame[column] = numbers.astype(float)
    return frame


def _mapping(
    path: Path, shape: type[Shape], spec_of: Callable[[dict[str, Any]], Any] | None = None
) -> dict[str, Any]:
    """A JSON object of this shape; with `spec_of`, one whose settings name a run."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"{path}: is not a mapping. {AGAIN}")
    keys = [name for name, field in shape.model_fields.items() if field.is_required()]
    if absent := [key for key in keys if key not in value]:
        raise UserError(f"{path}: lacks the key {absent[0]!r}. {AGAIN}")
    try:
        parse(shape, {key: value[key] for key in shape.model_fields if key in value}, "", most=1)
    except UserError as error:
        fault = shortened(str(error).removeprefix(": "))
        raise UserError(f"{path}: {fault} {AGAIN}") from None
    if spec_of is not None:
        try:
            run_id = spec_of(value)["run_id"]
        except (KeyError, TypeError):
            run_id = None
        if not isinstance(run_id, str) or not re.fullmatch(RUN_ID, run_id):
            raise UserError(f"{path}: `spec` names no run (run_id {shown(str(run_id))!r}). {AGAIN}")
    return value
