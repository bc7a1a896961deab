"""The model card of an exported encoder: README.md with Hugging Face's front matter.

Its numbers are the study's own, from `results/metrics/RUN/metrics.csv`; without that file it has none.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from sslslr.config.run import NO_DATASET
from sslslr.data.store import CARD, CLIPS
from sslslr.use.best import frozen_protocols, written_metrics
from sslslr.utils.errors import UserError
from sslslr.utils.files import read_object

SHOWN = ("top1", "top5", "top10")
NUMBERS = ("value", "low", "high", "n_test", "n_classes")
NAMES = {"top1": "recall at 1", "top5": "recall at 5", "top10": "recall at 10"}
# Ids of licences that Hugging Face knows; what begins so is one, anything else is `other`.
LICENCES = {
    "MIT": "mit", "CC0": "cc0-1.0", "CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0", "CC BY-NC 4.0": "cc-by-nc-4.0",
    "CC BY-SA 4.0": "cc-by-sa-4.0", "CC BY 4.0": "cc-by-4.0", "Apache-2.0": "apache-2.0",
}  # fmt: skip
HEAD = (
    "| clips | probe | measure | score, % | 95 % interval over clips | n | signs |",
    "|---|---|---|---|---|---|---|",
)
NOT_MEASURED = (
    "This encoder was not evaluated by the study that made it: measure it before you use it."
)
TEXT = """
# {run_id}
An encoder of signing: it turns the keypoints of a clip (hands, and the body where it was trained with one) into
{width} numbers, so that clips of the same sign lie close together. It was made with
[sslslr](https://arxiv.org/abs/2509.05188), {training}

## Use it
```python
from sslslr import load_encoder

encode = load_encoder("{folder}")            # preprocessing inside
features = encode([keypoints, ...])          # each (frames, 75 or 42, 2); (n, {width})
```
`encoder.onnx`, where it is there, takes preprocessed keypoints; `preprocess.json` says how they are made and
which joints are looked at. Keypoints are MediaPipe's: left hand 21, right hand 21, body 33, image-normalised.

## What it is for
Finding clips that look alike: looking a sign up in a dictionary by showing it, finding wrong labels, features for a
small classifier that is trained with labels of its own.

## What it is not for
- No translation. A gloss is a label of a sign, not its meaning in a sentence, and signing is more than glosses.
- Not for telling who signs, nor for watching people: clips carry traits of persons, and consent for one use is none for
  another.
- Not for decisions about a person: tests of language, employment, health, law.
- Not for continuous signing. It saw single signs; face and mouth, which carry grammar, are hardly or not looked at.
- Not for a sign language, a camera or signers unlike those it was trained on, unless it is measured there first. Left
  out of training data, some signers will be served worse.

## Training data and licences
{data}

Weights trained on data that restrict their use are to be used within those terms.

## Measured
{numbers}

## Where it comes from
Run `{run_id}`, seed {seed}; {parameters} parameters; sha256 of `encoder.safetensors`
`{sha256}`; made with code `{code}` from data `{data_hash}`.
"""


def training_data(folder: Path, run: dict[str, Any]) -> dict[str, Any]:
    """Name, licence, languages and size of what an encoder was trained on, as the study's card has them.

    Args:
        folder: of the run, `RESULTS/encoders/RUN`.
    """
    name = run["spec"]["dataset"]
    known: dict[str, Any] = {"dataset": name, "n_clips": run.get("n_clips")}
    if name == NO_DATASET:
        return {"dataset": None}
    card = folder.parent.parent / "data" / name / CLIPS.replace(".parquet", "") / CARD
    if card.is_file():
        stated = read_object(card)
        keys = ("licence", "citation", "origin", "languages")
        known |= {key: stated.get(key) for key in keys if stated.get(key)}
    return known


def scores(folder: Path, run_id: str) -> list[dict[str, Any]]:
    """The frozen encoder's scores with all labels: one row a target, protocol and k.

    Args:
        folder: of the run, `RESULTS/encoders/RUN`.
    """
    file = folder.parent.parent / "metrics" / run_id / "metrics.csv"
    if not file.is_file():
        return []
    try:
        table = written_metrics(file)
        for column in NUMBERS:
            table[column] = pd.to_numeric(table[column])
        table = table[(table["label_fraction"] == 1) & (table["shots"] == 0)]
        table = table[table["metric"].isin(SHOWN) & table["protocol"].isin(frozen_protocols())]
        keys = ["target_dataset", "protocol", "metric"]
        means = table.groupby(keys, sort=True)[list(NUMBERS)].mean()
    except (KeyError, ValueError, TypeError):
        raise UserError(
            f"{file}: not the metrics that `sslslr evaluate` writes. Evaluate the run again."
        ) from None
    return means.reset_index().to_dict("records")


def model_card(about: dict[str, Any], folder_name: str) -> str:
    """README.md of what `preprocess.json` says (`sslslr.use.export`)."""
    run, data, rows = about["run"], about["training_data"], about["scores"]
    spec = run["spec"]
    trained = spec["dataset"] != NO_DATASET
    lines = [
        f"| {row['target_dataset']} | {row['protocol']} | {NAMES[row['metric']]} | {100 * row['value']:.1f} | "
        f"{100 * row['low']:.1f} to {100 * row['high']:.1f} | {row['n_test']:.0f} | {row['n_classes']:.0f} |"
        for row in rows
    ]
    numbers = "\n".join([*HEAD, *lines]) if rows else NOT_MEASURED
    training = f"by `{spec['method']}` without labels." if trained else "with weights as drawn."
    if spec["method"] == "supervised":
        training = "with labels."
    text = TEXT.format(
        run_id=spec["run_id"], width=about["width"], folder=folder_name, training=training,
        data=_data_text(data), numbers=numbers, seed=spec["seed"], parameters=run.get("parameters", "?"),
        sha256=about["encoder_sha256"], code=run.get("code_hash"), data_hash=run.get("data_hash"),
    )  # fmt: skip
    front = yaml.safe_dump(
        front_matter(about), sort_keys=False, allow_unicode=True, default_flow_style=False
    )
    return f"---\n{front}---\n{text}"


def front_matter(about: dict[str, Any]) -> dict[str, Any]:
    """What Hugging Face reads of a card."""
    data, spec = about["training_data"], about["run"]["spec"]
    matter: dict[str, Any] = _licence(data)
    if languages := data.get("languages"):
        matter["language"] = languages
    matter |= {
        "library_name": "sslslr",
        "pipeline_tag": "feature-extraction",
        "tags": ["sign-language", "keypoints", "self-supervised"],
    }
    results = []
    for (target, protocol), rows in _grouped(about["scores"]).items():
        metrics = [
            {"type": "accuracy" if row["metric"] == "top1" else "recall", "value": round(100 * row["value"], 2),
             "name": f"{NAMES[row['metric']]}, %, 95 % interval {100 * row['low']:.1f} to {100 * row['high']:.1f}, "
                     f"n = {row['n_test']:.0f}, {row['n_classes']:.0f} signs"}
            for row in rows
        ]  # fmt: skip
        results.append(
            {
                "task": {"type": "feature-extraction", "name": f"{protocol} on frozen features"},
                "dataset": {"type": target, "name": target},
                "metrics": metrics,
            }
        )
    if results:
        matter["model-index"] = [{"name": spec["run_id"], "results": results}]
    return matter


def _grouped(rows: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: SHOWN.index(row["metric"])):
        groups.setdefault((row["target_dataset"], row["protocol"]), []).append(row)
    return groups


def _licence(data: dict[str, Any]) -> dict[str, Any]:
    """The weights' licence follows the training data's; what cannot be named by an id is `other`."""
    stated = data.get("licence") or ("CC0" if data["dataset"] is None else "not stated")
    for begins, known in LICENCES.items():
        if stated.startswith(begins):
            return {"license": known}
    name = re.sub(r"[^a-z0-9]+", "-", stated.lower()).strip("-")[:60]
    return {"license": "other", "license_name": name}


def _data_text(data: dict[str, Any]) -> str:
    if data["dataset"] is None:
        return "None: these weights were drawn, not trained."
    lines = [
        f"- data set: {data['dataset']}, {data.get('n_clips') or 'an unknown number of'} clips"
    ]
    lines += [f"- {key}: {data[key]}" for key in ("licence", "origin", "citation") if data.get(key)]
    if not data.get("licence"):
        lines.append("- licence: not stated")
    if languages := data.get("languages"):
        lines.append(f"- sign languages (ISO 639-3): {', '.join(languages)}")
    return "\n".join(lines)
